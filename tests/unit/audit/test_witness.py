"""Witnesses: a file, one that cosigns as C2SP's witnesses do, and a real time stamp authority."""

import base64
import hashlib
import itertools
import subprocess
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.proof.checkpoints import Signer, open_checkpoint
from bridge.audit.proof.merkle import verify_consistency
from bridge.audit.proof.notes import NoteKey
from bridge.audit.proof.time_stamp import build_query, check_answer
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.proof.verifier.verify_bundle import split_notes
from bridge.audit.proof.witness import CosigningWitness, FileWitness, TimeStampAuthority
from bridge.audit.proof.witnessing import Named, Witnessing, read_seen
from bridge.audit.sequencer import Sequencer
from bridge.errors import ChainBroken, WitnessFailed
from bridge.outbound import Outbound
from tests.audit_records import MAC_KEY, START, Writer, lift_guards
from tests.live_store import MovableClock
from tests.requirements import require

_files = itertools.count()


class Log:
    def __init__(self, folder, signer):
        self.engine = open_database(f"sqlite:///{folder}/audit{next(_files)}.db")
        self.signer, self.clock = signer, MovableClock()
        self.clock.moment = START
        self.sequencer = Sequencer(self.engine, signer, self.clock, mac_key=MAC_KEY)
        self.writer = Writer(self.engine, 1)

    def write(self, count):
        self.writer.write(count)
        self.clock.advance(1)
        self.sequencer.catch_up()

    def show(self, witness, *, seconds=60):
        self.clock.advance(seconds)
        keys = self.signer.verifier_keys
        return Witnessing(self.engine, keys, self.clock, [Named("w", witness, seconds)]).show_due().get("w")

    def last(self):
        query = select(tables.checkpoints.c.note).order_by(tables.checkpoints.c.number.desc()).limit(1)
        with self.engine.connect() as connection:
            return connection.scalar(query)


@pytest.fixture(scope="module")
def signer():
    return Signer("login.example/audit", Ed25519PrivateKey.generate())


@pytest.fixture
def log(tmp_path, signer):
    log = Log(tmp_path, signer)
    log.write(300)
    return log


@pytest.fixture
def outbound():
    return Outbound(development=True)


@contextmanager
def serving(answer):
    """Yield the address of a server that answers each POST with what ``answer(path, body)`` returns."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            status, kind, content = answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


# A file


def test_a_file_gets_each_checkpoint_once(log, tmp_path):
    witness = FileWitness(tmp_path / "witness.txt")
    for count in (0, 1, 600):
        if count:
            log.write(count)
        assert log.show(witness) is None
        assert log.show(witness) is None
    notes = split_notes((tmp_path / "witness.txt").read_text())
    assert [open_checkpoint(note, log.signer.verifier_keys).size for note in notes] == [300, 301, 901]


def test_a_file_is_shown_nothing_before_its_time(log, tmp_path):
    witness = FileWitness(tmp_path / "witness.txt")
    log.show(witness, seconds=3_600)
    log.write(1)
    keys = log.signer.verifier_keys
    Witnessing(log.engine, keys, log.clock, [Named("w", witness, 3_600)]).show_due()
    assert len(split_notes((tmp_path / "witness.txt").read_text())) == 1


def test_aud_01_a_log_that_was_replaced_or_cut_off_is_not_what_the_file_has(log, tmp_path, signer):
    witness = FileWitness(tmp_path / "witness.txt")
    log.show(witness)
    other = Log(tmp_path, signer)
    other.write(299)
    assert "a checkpoint over 300 records; these are 299" in other.show(witness)
    replaced = Log(tmp_path, signer)
    replaced.writer.write(3, account="another")
    replaced.write(400)
    assert "does not begin with the 300 records" in replaced.show(witness)
    noted = [open_checkpoint(note, signer.verifier_keys) for note in split_notes(witness.path.read_text())]
    assert len(noted) == 1
    for broken, position in ((other, 299), (replaced, 0)):
        with pytest.raises(ChainBroken) as caught:
            verify_log(broken.engine, Scope(signer.verifier_keys, noted=noted))
        assert caught.value.position == position


def test_a_file_that_is_no_witness_is_left_alone(log, tmp_path):
    (tmp_path / "other.txt").write_text("something else\n")
    assert "does not end with a checkpoint" in log.show(FileWitness(tmp_path / "other.txt"))
    assert (tmp_path / "other.txt").read_text() == "something else\n"
    assert "No such file" in log.show(FileWitness(tmp_path / "nowhere" / "witness.txt"))


# A witness of transparency logs


class Cosigner:
    """As https://c2sp.org/tlog-witness says: it signs what it was proved to have grown from what it signed before."""

    def __init__(self, log_keys):
        self.key = NoteKey("witness.example/w1", Ed25519PrivateKey.generate())
        self.log_keys, self.seen = log_keys, None

    def answer(self, path, body):
        head, _, note = body.decode().partition("\n\n")
        old, *hashes = head.split("\n")
        checkpoint = open_checkpoint(note, self.log_keys)
        seen = self.seen.size if self.seen else 0
        if path != "/add-checkpoint" or old != f"old {seen}":
            return 409, "text/x.tlog.size", f"{seen}\n".encode()
        proof = [base64.b64decode(each) for each in hashes]
        if self.seen and not verify_consistency(seen, self.seen.root, checkpoint.size, checkpoint.root, proof):
            return 422, "text/plain", b""
        self.seen = checkpoint
        return 200, "text/plain", self.key.sign_time_line(checkpoint.text, 1_800_000_000).encode()


def test_a_witness_that_cosigns_sees_the_log_grow(log, outbound):
    cosigner = Cosigner(log.signer.verifier_keys)
    with serving(cosigner.answer) as url:
        witness = CosigningWitness(outbound, url, cosigner.key.verifier, None, log.signer.verifier_keys)
        for count in (0, 1, 513):
            if count:
                log.write(count)
            assert log.show(witness) is None
            assert cosigner.seen.size == read_seen(log.engine, "w").size
    assert read_seen(log.engine, "w").answer.startswith("— witness.example/w1 ".encode())


def test_a_witness_that_has_seen_more_or_less_than_we_know_is_asked_what_it_has(log, outbound, signer, tmp_path):
    cosigner = Cosigner(log.signer.verifier_keys)
    cosigner.seen = open_checkpoint(log.last(), signer.verifier_keys)
    log.write(5)
    with serving(cosigner.answer) as url:
        witness = CosigningWitness(outbound, url, cosigner.key.verifier, None, log.signer.verifier_keys)
        assert log.show(witness) is None
        assert cosigner.seen.size == 305
        shorter = Log(tmp_path, signer)
        shorter.write(20)
        assert "the witness has seen 305 records, and these are 20" in shorter.show(witness)


@pytest.mark.parametrize("size", [b"9" * 5_000, b"nine", b"-1", b""])
def test_a_witness_that_says_no_size_is_told_of(log, outbound, size):
    with serving(lambda *_: (409, "text/x.tlog.size", size)) as url:
        fault = log.show(CosigningWitness(outbound, url, None, None, log.signer.verifier_keys))
    assert "answered with 409" in fault


def test_a_log_that_was_replaced_gets_no_cosignature(log, outbound, signer, tmp_path):
    cosigner = Cosigner(log.signer.verifier_keys)
    with serving(cosigner.answer) as url:
        witness = CosigningWitness(outbound, url, cosigner.key.verifier, None, log.signer.verifier_keys)
        log.show(witness)
        replaced = Log(tmp_path, signer)
        replaced.writer.write(3, account="another")
        replaced.write(400)
        assert "answered with 422" in replaced.show(witness)


@pytest.mark.parametrize("other", ["key", "text"])
def test_another_signature_than_the_witnesses_does_not_count(log, outbound, other):
    cosigner = Cosigner(log.signer.verifier_keys)
    key = cosigner.key.verifier
    if other == "key":
        cosigner.key = NoteKey("witness.example/w1", Ed25519PrivateKey.generate())

    def answer(path, body):
        status, kind, content = cosigner.answer(path, body)
        return status, kind, b"thank you" if other == "text" else content

    with serving(answer) as url:
        fault = log.show(CosigningWitness(outbound, url, key, None, log.signer.verifier_keys))
    assert "sign" in fault
    assert read_seen(log.engine, "w") is None


def test_a_witness_that_is_away_is_told_of_and_asked_again(log, outbound, caplog):
    witness = CosigningWitness(outbound, "http://127.0.0.1:9", None, None, log.signer.verifier_keys)
    keys = log.signer.verifier_keys
    witnessing = Witnessing(log.engine, keys, log.clock, [Named("w", witness, 60)])
    assert witnessing.show_due()["w"]
    assert witnessing.show_due()["w"]
    assert caplog.text.count("witness w:") == 1


# A time stamp authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Return a folder with the keys and settings of a time stamp authority: that of OpenSSL."""
    require("openssl")
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(
        "[req]\ndistinguished_name=dn\n[dn]\n[ext]\nextendedKeyUsage=critical,timeStamping\n"
        "keyUsage=critical,digitalSignature\n[tsa]\ndefault_tsa=t\n[t]\nserial=serial\ncrypto_device=builtin\n"
        "signer_cert=tsa.pem\nsigner_key=tsa.key\nsigner_digest=sha256\ndefault_policy=1.2.3.4\n"
        "digests=sha256\naccuracy=secs:1\ness_cert_id_alg=sha256\n"
    )
    (folder / "serial").write_text("01\n")
    openssl(
        folder,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.pem", "-days", "30"),
        *("-subj", "/CN=a time stamp authority", "-config", "tsa.cnf", "-extensions", "ext"),
    )
    return folder


def openssl(folder, *arguments):
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def stamp(folder, query):
    (folder / "query.tsq").write_bytes(query)
    openssl(
        folder, *("ts", "-reply", "-queryfile", "query.tsq", "-config", "tsa.cnf", "-section", "t"), "-out", "a.tsr"
    )
    return (folder / "a.tsr").read_bytes()


def test_a_time_stamp_authority_says_when_a_checkpoint_was_there(log, outbound, authority):
    with serving(lambda _, body: (200, "application/timestamp-reply", stamp(authority, body))) as url:
        assert log.show(TimeStampAuthority(outbound, url, None)) is None
    seen = read_seen(log.engine, "w")
    (authority / "note.txt").write_text(seen.note)
    (authority / "kept.tsr").write_bytes(seen.answer)
    verify = ("ts", "-verify", "-in", "kept.tsr", "-CAfile", "tsa.pem", "-data")
    assert b"Verification: OK" in openssl(authority, *verify, "note.txt")
    (authority / "changed.txt").write_text(seen.note.replace("300", "301"))
    changed = subprocess.run(["openssl", *verify, "changed.txt"], cwd=authority, capture_output=True, check=False)
    assert changed.returncode != 0


def test_a_time_stamp_over_something_else_is_refused(authority):
    query, other = build_query(b"this"), build_query(b"that")
    assert query.imprint == hashlib.sha256(b"this").digest()
    check_answer(query, stamp(authority, query.content))
    with pytest.raises(WitnessFailed, match="something else"):
        check_answer(query, stamp(authority, other.content))
    with pytest.raises(WitnessFailed, match="something else"):
        check_answer(query, stamp(authority, build_query(b"this").content))
    for wrong in (b"", b"no", stamp(authority, query.content)[:-1], b"\x30\x05\x30\x03\x02\x01\x02"):
        with pytest.raises(WitnessFailed):
            check_answer(query, wrong)


def test_a_time_stamp_without_the_parts_of_one_is_refused(authority):
    """Each length still fits; whatever else an authority sends, it does not end the thread that asks it."""
    query = build_query(b"this")
    answer = stamp(authority, query.content)
    at = answer.index(query.imprint)
    with pytest.raises(WitnessFailed, match="no time stamp"):
        check_answer(query, answer[: at - 1] + b"\x7f" + answer[at:])
    for number in range(len(answer)):
        with suppress(WitnessFailed):
            check_answer(query, answer[:number] + bytes([answer[number] ^ 0x55]) + answer[number + 1 :])


def test_an_authority_that_refuses_is_told_of(log, outbound):
    with serving(lambda *_: (500, "text/plain", b"")) as url:
        assert "answered with 500" in log.show(TimeStampAuthority(outbound, url, None))


def test_what_a_witness_was_shown_is_kept_with_the_checkpoint(log, tmp_path):
    log.show(FileWitness(tmp_path / "witness.txt"))
    seen = read_seen(log.engine, "w")
    assert (seen.size, seen.note) == (300, log.last())
    assert read_seen(log.engine, "another") is None


def test_a_changed_log_is_not_shown(log, tmp_path):
    with log.engine.begin() as connection:
        lift_guards(connection)
        connection.exec_driver_sql("UPDATE audit_checkpoints SET note = replace(note, '300', '299')")
    assert "checkpoint" in log.show(FileWitness(tmp_path / "witness.txt"))
    assert not (tmp_path / "witness.txt").exists()
