"""AUD-06: one key hands over to the next on record, and nobody can bring in a key of their own."""

import base64
import io
import zipfile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select

from bridge.audit import tables
from bridge.audit.proof.bundle import Selection, write_bundle
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.hand_over import Believed, believe, leave_out_replaced, read_hand_overs, record_hand_over
from bridge.audit.proof.tree import read_tree
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.proof.verifier import verify_bundle
from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.audit_log import OpenedLog
from bridge.clock import SystemClock
from bridge.database import snapshot
from bridge.errors import ChainBroken
from tests.audit_log import SEALER

ORIGIN = "login.example/audit"
OLD, NEW, NEWEST, STRANGER = (Ed25519PrivateKey.generate() for _ in range(4))


def signed_by(current, previous=None):
    return Signer(ORIGIN, current, previous)


def key_of(private_key):
    return signed_by(private_key).verifier_keys[0]


@pytest.fixture
def engine(audit_database):
    return audit_database()


@pytest.fixture
def rotate(engine):
    """Return a function that starts a service with these keys: it writes a record, and hands over if it has to."""

    def start(current, previous=None):
        clock, signer = SystemClock(), signed_by(current, previous)
        secrets = AuditSecrets(engine, SEALER)
        sequencer = Sequencer(engine, signer, clock, mac_key=secrets.mac_key)
        opened = OpenedLog(engine, secrets, sequencer, clock=clock, signer=signer)
        audit = opened.build_log()
        recorded = record_hand_over(engine, opened.sequencer, audit, signer)
        opened.sequencer.sign_now()
        return recorded

    return start


def hand_overs(engine):
    with snapshot(engine) as connection:
        return read_hand_overs(connection)


def test_aud_06_a_rotation_is_recorded_once_and_followed_from_either_key(engine, rotate):
    assert not rotate(OLD)
    assert rotate(NEW, OLD)
    assert not rotate(NEW, OLD)
    assert rotate(NEWEST, NEW)
    notes = hand_overs(engine)
    assert len(notes) == 2
    for known in (OLD, NEW, NEWEST):
        believed = believe([key_of(known)], notes)
        assert set(believed.ever) == {key_of(OLD), key_of(NEW), key_of(NEWEST)}
        verify_log(engine, Scope(believed.now, replaced=believed.before))
    assert believe([key_of(NEW)], notes) == Believed((key_of(NEW), key_of(NEWEST)), (key_of(OLD),))
    assert leave_out_replaced([key_of(NEWEST), key_of(NEW)], notes) == (key_of(NEWEST),)
    assert leave_out_replaced([key_of(NEW), key_of(OLD)], notes[1:]) == (key_of(NEW), key_of(OLD))


def test_aud_06_without_the_hand_over_another_key_is_not_believed(engine, rotate):
    rotate(OLD)
    rotate(NEW, OLD)
    rotate(NEWEST, NEW)
    with pytest.raises(ChainBroken, match="no known key"):
        verify_log(engine, Scope([key_of(OLD)]))
    assert believe([key_of(STRANGER)], hand_overs(engine)).ever == (key_of(STRANGER),)


@pytest.mark.parametrize("signers", [(STRANGER,), (STRANGER, NEW), ()])
def test_aud_06_a_hand_over_that_not_both_keys_signed_counts_for_nothing(signers):
    text = f"{ORIGIN}: the key that signs checkpoints changes\nold {key_of(OLD)}\nnew {key_of(STRANGER)}\n"
    note = signed_by(*signers).sign_text(text) if signers else text
    assert believe([key_of(OLD)], [note]).ever == (key_of(OLD),)
    honest = signed_by(STRANGER, OLD).sign_text(text)
    assert believe([key_of(OLD)], [honest]).now == (key_of(OLD), key_of(STRANGER))


@pytest.mark.parametrize("signers", [(STRANGER,), (OLD,), (STRANGER, NEW)])
def test_t_aud_06_the_verifier_takes_no_hand_over_that_not_both_keys_signed(signers):
    text = f"{ORIGIN}: the key that signs checkpoints changes\nold {key_of(OLD)}\nnew {key_of(STRANGER)}\n"
    assert verify_bundle.read_hand_over(signed_by(*signers).sign_text(text)) is None
    old, new = verify_bundle.read_hand_over(signed_by(STRANGER, OLD).sign_text(text))
    assert (old.text, new.text) == (str(key_of(OLD)), str(key_of(STRANGER)))


def unpack_bundle(engine, key, folder):
    """Write the log's first record as a bundle of this key, and unpack it."""
    content = io.BytesIO()
    write_bundle(engine, content, Selection(0, 1), [key_of(key)])
    zipfile.ZipFile(content).extractall(folder)


def test_aud_06_a_bundle_verifies_with_the_key_of_long_ago(engine, rotate, tmp_path):
    rotate(OLD)
    rotate(NEW, OLD)
    rotate(NEWEST, NEW)
    unpack_bundle(engine, NEWEST, tmp_path)
    arguments = [str(tmp_path), "--key"]
    assert verify_bundle.main([*arguments, str(key_of(OLD))]) == 0
    assert verify_bundle.main([*arguments, str(key_of(STRANGER))]) == 2


def test_t_aud_06_a_key_that_was_replaced_signs_nothing_any_more(engine, rotate, tmp_path, capsys):
    """Whoever stole it makes a log of their own: the record that hands over from it is public."""
    rotate(OLD)
    rotate(NEW, OLD)
    unpack_bundle(engine, NEW, tmp_path)
    checkpoint = tmp_path / "checkpoint.txt"
    origin, size, root = checkpoint.read_text().split("\n")[:3]
    assert verify_bundle.main([str(tmp_path), "--key", str(key_of(NEW))]) == 0
    checkpoint.write_text(signed_by(OLD).sign(int(size), base64.b64decode(root), 1_700_000_000))
    assert verify_bundle.main([str(tmp_path), "--key", str(key_of(NEW))]) == 2
    assert "not signed by a key that is believed" in capsys.readouterr().err
    assert verify_bundle.main([str(tmp_path), "--key", str(key_of(OLD))]) == 0
    checkpoint.write_text(signed_by(NEW).sign(int(size), base64.b64decode(root), 1_700_000_000))
    assert verify_bundle.main([str(tmp_path), "--key", str(key_of(OLD))]) == 0
    assert origin == ORIGIN


def test_t_aud_06_a_key_that_was_replaced_vouches_for_no_log_any_more(engine, rotate):
    """Whoever stole it, and has the database, can write records behind the hand-over and sign them."""
    rotate(OLD)
    rotate(NEW, OLD)
    notes = hand_overs(engine)

    def verify(known, **more):
        believed = believe([key_of(known)], notes)
        return verify_log(engine, Scope(believed.now, replaced=believed.before, **more))

    assert verify(NEW).size == 1
    with engine.begin() as connection:
        last = connection.execute(select(tables.checkpoints).order_by(tables.checkpoints.c.number.desc())).first()
        note = signed_by(OLD).sign(last.size, read_tree(connection).root(), last.time // 1_000_000 + 1)
        row = {"number": last.number + 1, "size": last.size, "time": last.time + 1_000_000, "note": note}
        connection.execute(insert(tables.checkpoints), row)
    for more in ({}, {"end": 1}, {"begin": 1}):
        with pytest.raises(ChainBroken, match="signed by a key that was replaced") as raised:
            verify(NEW, **more)
    assert raised.value.position == 1
    assert verify(OLD).size == 1, "whoever knows nothing newer cannot tell"


def test_aud_06_what_a_replaced_key_signed_in_its_time_is_verified_by_its_successor(engine, rotate):
    rotate(OLD)
    rotate(NEW, OLD)
    rotate(NEWEST, NEW)
    believed = believe([key_of(NEWEST)], hand_overs(engine))
    for begin, end in ((0, None), (0, 1), (1, None)):
        verify_log(engine, Scope(believed.now, begin=begin, end=end, replaced=believed.before))


def test_t_aud_08_the_name_of_a_log_pushes_no_verdict_off_the_screen(engine, rotate, tmp_path, capsys):
    rotate(OLD)
    rotate(NEW, OLD)
    unpack_bundle(engine, NEW, tmp_path)
    checkpoint = tmp_path / "checkpoint.txt"
    _, size, root = checkpoint.read_text().split("\n")[:3]
    named = Signer("x" * 5_000, NEW, None)
    checkpoint.write_text(named.sign(int(size), base64.b64decode(root), 1_700_000_000))
    assert verify_bundle.main([str(tmp_path), "--key", str(named.verifier_keys[0])]) == 0
    verdict = capsys.readouterr().out.split("\n")[0]
    assert verdict.startswith(f"GOOD: 1 record of {'x' * 200}, at 0")
