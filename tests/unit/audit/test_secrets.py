"""The log's keys: they hide, find again and forget; and nobody without the key folder reads anything."""

import os

import pytest
from sqlalchemy import delete, select

from bridge.audit import secrets as module
from bridge.audit.secrets import AuditSecrets
from bridge.audit.tables import keys
from bridge.errors import KeyUnusable
from bridge.sealing import Sealer

LABEL = {"issuer": "https://idp.example", "subject": "s-4711", "person": "Lin Wei"}


@pytest.fixture
def engine(audit_database):
    return audit_database()


@pytest.fixture
def secrets(engine):
    return AuditSecrets(engine, Sealer(bytes(32)))


def again(engine, key=bytes(32), *others):
    """Return the same keys as another process has them."""
    return AuditSecrets(engine, Sealer(key, others))


def record(secrets, digest, **fields):
    name = f"subject/{digest}"
    return {"event": "x", "sealed": secrets.seal(name, fields, LABEL), "sealed_for": name}


def test_what_one_process_seals_another_opens(engine, secrets):
    digest = secrets.subject_digest("https://idp.example", "s-4711")
    assert again(engine).open(record(secrets, digest, person="Lin Wei")) == {"event": "x", "person": "Lin Wei"}
    assert again(engine).read_labels() == {digest: LABEL}


def test_digests_are_the_same_in_each_process_and_others_in_each_log(engine, secrets, audit_database):
    assert secrets.digest("name", "Lin Wei") == again(engine).digest("name", "Lin Wei")
    assert secrets.digest("name", "Lin Wei") != again(audit_database()).digest("name", "Lin Wei")
    assert secrets.mac_key == again(engine).mac_key
    assert len(secrets.digest("name", "Lin Wei")) == 32


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        ("name", "Lin  Wei ", "ｌｉｎ wei", True),
        ("name", "Lin Wei", "Wei Lin", False),
        ("address", "::ffff:192.0.2.7", "192.0.2.7", True),
        ("address", "2001:DB8::0:1", "2001:db8::1", True),
        ("address", "192.0.2.7", "192.0.2.8", False),
        ("session_name", "Lin", "lin", False),
        ("subject", "a", "A", False),
    ],
)
def test_what_is_looked_for_has_one_form(secrets, kind, one, other, same):
    assert (secrets.digest(kind, one) == secrets.digest(kind, other)) is same


def test_a_subject_means_nothing_without_its_issuer(secrets):
    digests = {secrets.subject_digest(*who) for who in (("a", "bc"), ("ab", "c"), ("a", "b"))}
    assert len(digests | {secrets.digest("name", "a")}) == 4


def test_whoever_was_erased_is_forgotten_and_the_next_record_of_them_has_a_new_key(engine, secrets, monkeypatch):
    before = record(secrets, "d", person="Lin Wei")
    assert secrets.erase("d") is True
    assert secrets.erase("d") is False
    assert secrets.open(before) == {"event": "x", "erased": True}
    after = record(secrets, "d", person="Lin Wei again")
    assert [each.get("person") for each in again(engine).open_all([before, after])] == [None, "Lin Wei again"]
    assert again(engine).open(before)["erased"] is True


def test_another_process_forgets_an_erased_person_soon(engine, secrets, monkeypatch):
    monkeypatch.setattr(module, "KEY_SECONDS", -1.0)
    other = again(engine)
    before = record(other, "d", person="Lin Wei")
    secrets.erase("d")
    assert other.open(before) == {"event": "x", "erased": True}
    assert other.seal_if_known({"subject/d": None}, "subject/d", b"{}") is None


def test_a_new_name_becomes_the_label_and_the_old_records_stay_readable(engine, secrets):
    before = record(secrets, "d", person="Lin Wei")
    secrets.seal("subject/d", {}, LABEL | {"person": "Lin Wei-Okafor"})
    secrets.seal("subject/d", {}, {"issuer": LABEL["issuer"], "subject": LABEL["subject"]})
    assert again(engine).read_labels()["d"]["person"] == "Lin Wei-Okafor"
    assert again(engine).open(before)["person"] == "Lin Wei"


def test_somebody_else_who_is_named_comes_with_their_name_until_they_are_erased(engine, secrets):
    secrets.seal("subject/o", {}, LABEL)
    content = {"event": "sign_in.explained", "of_digest": "o"}
    opened = secrets.open(content)
    assert (opened["of"], opened["of_subject"], opened["of_issuer"]) == ("Lin Wei", "s-4711", LABEL["issuer"])
    secrets.erase("o")
    assert secrets.open(content) == content


def test_nobody_opens_anything_with_other_keys(engine, secrets):
    record(secrets, "d", person="Lin Wei")
    with pytest.raises(KeyUnusable, match="audit-records"):
        again(engine, os.urandom(32))


def test_sealed_text_does_not_open_under_another_name(secrets):
    sealed = record(secrets, "one", person="Lin Wei")
    secrets.seal("subject/two", {})
    assert secrets.open(sealed | {"sealed_for": "subject/two"}) == {"event": "x", "erased": True}


def test_after_a_rotation_everything_opens_with_the_new_key_alone(engine, secrets):
    before = record(secrets, "d", person="Lin Wei")
    new = os.urandom(32)
    assert again(engine, new, bytes(32)).renew() == 3
    assert again(engine, new, bytes(32)).renew() == 0
    assert again(engine, new).open(before)["person"] == "Lin Wei"
    assert again(engine, new).digest("name", "x") == secrets.digest("name", "x")


def test_no_key_and_no_name_is_readable_in_the_database(engine, secrets):
    record(secrets, "d", person="Lin Wei")
    with engine.connect() as connection:
        rows = connection.execute(select(keys)).all()
    stored = b"".join(row.sealed + (row.label or b"") for row in rows)
    assert len(rows) == 3
    assert b"Lin" not in stored
    assert secrets.mac_key not in stored


def test_a_key_that_is_there_is_not_asked_for_again(engine, secrets):
    record(secrets, "d", person="Lin Wei")
    with engine.begin() as connection:
        connection.execute(delete(keys))
    assert secrets.open(record(secrets, "d", person="Lin Wei"))["person"] == "Lin Wei"


def test_a_key_that_another_thread_forgets_meanwhile_is_still_one_to_seal_with(secrets):
    name = "subject/" + "0" * 32
    secrets.seal(name, {"person": "x"})

    class Forgetting(dict):
        """Keys that are erased after somebody has looked at them."""

        def get(self, *args):
            found = super().get(*args)
            self.clear()
            return found

    secrets._kept = Forgetting(secrets._kept)
    assert secrets.seal_if_known({name: None}, name, b"{}")
