import base64
import hashlib
import json
import os
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from joserfc.jwk import RSAKey

from bridge import keys
from bridge.errors import KeyMissing, KeyUnusable
from bridge.keys import PURPOSES, SIGNING_PURPOSES, KeyFolder, create_missing, replace_next, rotate
from bridge.sealing import Sealer

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class FixedClock:
    def now(self):
        return NOW


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "certs"
    create_missing(folder, FixedClock())
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """Return a copy that a test may change."""
    for path in made.rglob("*"):
        target = tmp_path / path.relative_to(made)
        if path.is_dir():
            target.mkdir(mode=0o700)
        else:
            target.write_bytes(path.read_bytes())
            target.chmod(0o600)
    return tmp_path


def ids(folder, purpose):
    return [key.id for key in KeyFolder(folder).published(purpose)]


def test_everything_that_is_missing_is_made_once(tmp_path):
    names = [str(path.relative_to(tmp_path)) for path in create_missing(tmp_path, FixedClock())]
    assert names == [
        f"{purpose}/{slot}{path_suffix(purpose)}"
        for purpose in (
            *SIGNING_PURPOSES,
            "saml-decryption",
            "oidc-decryption",
            "audit-checkpoints",
            "audit-records",
            "store",
        )
        for slot in ("current", "next")
    ]
    assert create_missing(tmp_path, FixedClock()) == []


def test_a_lost_key_is_made_without_touching_the_others(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*.pem")}
    lost = folder / "saml-sp" / "next.pem"
    lost.unlink()
    assert create_missing(folder, FixedClock()) == [lost]
    assert all(path.read_bytes() == content for path, content in before.items() if path != lost)


def test_nobody_else_can_read_a_key(made):
    for path in made.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)


def test_no_unfinished_file_is_left_behind(made):
    assert [path.name for path in made.rglob(".*")] == []


def test_no_key_serves_two_purposes(made):
    """T-OUT-03."""
    keys = KeyFolder(made)
    found = [key.id for purpose in SIGNING_PURPOSES for key in keys.published(purpose)]
    found += [key.id for key in keys.decryption().published]
    found += [key.id for key in keys.decryption("oidc-decryption").published]
    assert len(set(found)) == len(found) == 12


def test_a_decryption_key_is_published_until_the_next_one_takes_its_place_and_opens_until_the_one_after(folder):
    """T-OUT-03: nobody is to encrypt for the previous key any more, but somebody may not know it yet."""
    first, second = KeyFolder(folder).decryption().published
    rotate(folder, "saml-decryption", FixedClock())
    keys = KeyFolder(folder).decryption()
    current, following = keys.published
    assert current.id == second.id
    assert [key.id for key in keys.retired] == [first.id]
    assert [key.key_size for key in keys.private_keys] == [2048] * 3
    rotate(folder, "saml-decryption", FixedClock())
    again = KeyFolder(folder).decryption()
    assert again.published[0].id == following.id
    assert [key.id for key in again.retired] == [second.id]


def test_a_folder_without_decryption_keys_has_none(folder):
    for path in (folder / "saml-decryption").iterdir():
        path.unlink()
    assert KeyFolder(folder).decryption().private_keys == ()


def test_a_decryption_key_that_others_may_read_is_refused(folder):
    (folder / "saml-decryption" / "next.pem").chmod(0o640)
    with pytest.raises(KeyUnusable):
        KeyFolder(folder).decryption()


@pytest.mark.parametrize("purpose", SIGNING_PURPOSES)
def test_the_certificate_verifies_what_the_key_signs(made, purpose):
    key = KeyFolder(made).signing(purpose)
    signature = key.private_key.sign(b"message", padding.PKCS1v15(), hashes.SHA256())
    key.certificate.public_key().verify(signature, b"message", padding.PKCS1v15(), hashes.SHA256())
    assert key.certificate.not_valid_before_utc == NOW
    assert key.certificate.not_valid_after_utc == NOW + timedelta(days=1095)
    assert key.private_key.key_size == 2048


def test_the_id_is_the_thumbprint_that_a_jose_library_computes(made):
    key = KeyFolder(made).signing("oidc-issuer")
    pem = key.private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert key.id == RSAKey.import_key(pem).thumbprint()


def test_a_key_prints_nothing_but_its_id(made):
    key = KeyFolder(made).signing("oidc-issuer")
    assert repr(key) == f"SigningKey(id={key.id!r})"


def test_the_next_key_is_published_before_it_signs_and_after_it_has_signed(folder):
    """T-OUT-03: a verifier that fetched our keys before a rotation knows the key that signs after it."""
    first, second = ids(folder, "oidc-issuer")
    rotate(folder, "oidc-issuer", FixedClock())
    current, following, previous = ids(folder, "oidc-issuer")
    assert (current, previous) == (second, first)
    assert following not in {first, second}
    assert KeyFolder(folder).signing("oidc-issuer").id == second
    rotate(folder, "oidc-issuer", FixedClock())
    assert first not in ids(folder, "oidc-issuer")


def test_a_rotation_leaves_the_other_purposes_alone(folder):
    before = ids(folder, "saml-issuer")
    rotate(folder, "saml-sp", FixedClock())
    assert ids(folder, "saml-issuer") == before


def test_a_rotation_that_was_cut_short_is_finished_by_the_next(folder, monkeypatch):
    _, second = ids(folder, "saml-sp")
    write = keys._write

    def crash(path, content):
        if path.name == "next.pem":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(keys, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        rotate(folder, "saml-sp", FixedClock())
    assert KeyFolder(folder).signing("saml-sp").id == second
    monkeypatch.undo()
    rotate(folder, "saml-sp", FixedClock())
    current, following, previous = ids(folder, "saml-sp")
    assert previous == second
    assert len({current, following, previous}) == 3


def test_a_sealed_value_opens_until_its_key_is_gone(folder):
    """T-REDIS-03: current, previous, then no more."""
    old = KeyFolder(folder).sealing_keys()
    sealed = Sealer(*old).seal("rambridge:session:x", b"value")
    rotate(folder, "store", FixedClock())
    after = Sealer(*KeyFolder(folder).sealing_keys())
    assert after.open("rambridge:session:x", sealed) == b"value"
    assert after.seal("n", b"")[:9] != sealed[:9]
    assert Sealer(*old).open("n", after.seal("n", b"new")) == b"new", "a machine not yet reloaded knows the new key"
    rotate(folder, "store", FixedClock())
    assert KeyFolder(folder).sealing_keys()[0] not in {old[0], *old[1]}


def test_the_list_names_what_there_is_and_shows_no_secret(folder):
    rotate(folder, "store", FixedClock())
    rows = KeyFolder(folder).describe()
    assert [(row.purpose, row.slot) for row in rows] == [
        ("saml-sp", "current"),
        ("saml-sp", "next"),
        ("saml-issuer", "current"),
        ("saml-issuer", "next"),
        ("oidc-issuer", "current"),
        ("oidc-issuer", "next"),
        ("oidc-client", "current"),
        ("oidc-client", "next"),
        ("saml-decryption", "current"),
        ("saml-decryption", "next"),
        ("oidc-decryption", "current"),
        ("oidc-decryption", "next"),
        ("audit-checkpoints", "current"),
        ("audit-checkpoints", "next"),
        ("audit-records", "current"),
        ("audit-records", "next"),
        ("store", "current"),
        ("store", "next"),
        ("store", "previous"),
    ]
    assert {row.algorithm for row in rows} == {"RSA-2048", "Ed25519", "AES-256-GCM"}
    assert rows[0].created == NOW
    assert rows[0].not_after == NOW + timedelta(days=1095)
    assert rows[-1].not_after is None
    printed = repr(rows)
    for path in folder.rglob("*.key"):
        assert path.read_text().strip() not in printed


def test_a_retired_sealing_key_keeps_its_date(folder):
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    os.utime(folder / "store" / "current.key", (long_ago.timestamp(), long_ago.timestamp()))
    rotate(folder, "store", FixedClock())
    assert KeyFolder(folder).describe()[-1].created == long_ago


def test_the_list_names_a_sealing_key_as_the_sealed_values_do(folder):
    current, others = KeyFolder(folder).sealing_keys()
    row = next(row for row in KeyFolder(folder).describe() if row.purpose == "store")
    assert Sealer(current, others).seal("n", b"")[1:9].hex() == row.id == hashlib.sha256(current).hexdigest()[:16]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
@pytest.mark.parametrize("name", ["saml-sp/current.pem", "store/current.key"])
def test_a_key_that_others_may_use_is_refused(folder, name, mode):
    path = folder / name
    path.chmod(mode)
    with pytest.raises(KeyUnusable, match=r"chmod 600") as refusal:
        KeyFolder(folder).signing("saml-sp") if name.endswith("pem") else KeyFolder(folder).sealing_keys()
    assert str(path) in refusal.value.detail
    path.chmod(0o400)
    KeyFolder(folder).signing("saml-sp")
    KeyFolder(folder).sealing_keys()


def test_a_missing_key_is_told_by_its_path(folder, tmp_path):
    (folder / "saml-issuer" / "current.pem").unlink()
    with pytest.raises(KeyMissing, match=r"saml-issuer/current\.pem"):
        KeyFolder(folder).signing("saml-issuer")
    with pytest.raises(KeyMissing):
        KeyFolder(tmp_path / "nowhere").sealing_keys()
    with pytest.raises(KeyMissing):
        rotate(tmp_path / "nowhere", "store", FixedClock())


def elliptic_key(folder):
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = KeyFolder(folder).signing("saml-sp").certificate
    return key + certificate.public_bytes(serialization.Encoding.PEM)


def foreign_certificate(folder):
    certificate = KeyFolder(folder).signing("saml-issuer").certificate
    content = (folder / "saml-sp" / "current.pem").read_bytes()
    return content[: content.index(b"-----BEGIN CERTIFICATE")] + certificate.public_bytes(serialization.Encoding.PEM)


def without_certificate(folder):
    content = (folder / "saml-sp" / "current.pem").read_bytes()
    return content[: content.index(b"-----BEGIN CERTIFICATE")]


def key_of_an_unknown_kind(_):
    kind, content = b"PRIVATE KEY", base64.b64encode(bytes.fromhex("300c020100300506032a03040400"))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (kind, content, kind)


@pytest.mark.parametrize(
    "content",
    [
        elliptic_key,
        foreign_certificate,
        without_certificate,
        key_of_an_unknown_kind,
        lambda _: b"",
        lambda _: b"x",
    ],
)
def test_a_file_that_is_no_key_with_its_certificate_is_refused(folder, content):
    (folder / "saml-sp" / "current.pem").write_bytes(content(folder))
    with pytest.raises(KeyUnusable):
        KeyFolder(folder).signing("saml-sp")


@pytest.mark.parametrize("content", [elliptic_key, lambda _: b"", lambda _: b"x", key_of_an_unknown_kind])
def test_a_file_that_is_no_key_for_checkpoints_is_refused(folder, content):
    (folder / "audit-checkpoints" / "current.pem").write_bytes(content(folder))
    with pytest.raises(KeyUnusable):
        KeyFolder(folder).checkpoint_keys()


def test_a_checkpoint_is_signed_by_the_key_of_before_as_well_until_the_next_rotation(folder):
    """Whoever knows one key of two follows the log to the next."""
    before = KeyFolder(folder).checkpoint_keys()
    assert before.previous is None
    rotate(folder, "audit-checkpoints", FixedClock())
    after = KeyFolder(folder).checkpoint_keys()
    assert after.current.private_bytes_raw() == before.next.private_bytes_raw()
    assert after.previous.private_bytes_raw() == before.current.private_bytes_raw()
    assert "PrivateKey" not in repr(after)


def test_the_keys_of_the_store_and_of_the_records_are_not_the_same(folder):
    assert not {*KeyFolder(folder).sealing_keys()} & {*KeyFolder(folder).sealing_keys("audit-records")}


@pytest.mark.parametrize("content", [b"", b"short", b"QUJD", b"A" * 64, "ü".encode() * 30])
def test_a_sealing_key_of_another_form_is_refused(folder, content):
    (folder / "store" / "current.key").write_bytes(content)
    with pytest.raises(KeyUnusable):
        KeyFolder(folder).sealing_keys()


def test_a_file_is_read_once(folder):
    loaded = KeyFolder(folder)
    first = loaded.signing("saml-sp")
    rotate(folder, "saml-sp", FixedClock())
    assert loaded.signing("saml-sp") is first


def test_two_that_create_at_once_end_with_one_set_of_keys(tmp_path):
    made = []
    threads = [threading.Thread(target=lambda: made.extend(create_missing(tmp_path, FixedClock()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(set(made)) == 18


def test_the_certificate_is_no_authority(made):
    certificate = KeyFolder(made).signing("saml-sp").certificate
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert certificate.subject == certificate.issuer


def test_a_key_does_not_become_json_or_an_environment_by_accident(made):
    with pytest.raises(TypeError):
        json.dumps(KeyFolder(made).signing("saml-sp"))
    with pytest.raises(TypeError):
        os.environ["KEY"] = KeyFolder(made).signing("saml-sp")


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_next_key_is_replaced_and_the_others_stay(folder, purpose):
    rotate(folder, purpose, FixedClock())
    before = {path.stem: path.read_bytes() for path in (folder / purpose).iterdir()}
    replace_next(folder, purpose, FixedClock())
    after = {path.stem: path.read_bytes() for path in (folder / purpose).iterdir()}
    assert before.keys() == after.keys()
    assert [slot for slot in after if after[slot] != before[slot]] == ["next"]
    rotate(folder, purpose, FixedClock())
    assert (folder / purpose / "current").with_suffix(path_suffix(purpose)).read_bytes() == after["next"]


def path_suffix(purpose):
    return ".key" if purpose in {"store", "audit-records"} else ".pem"


def test_nothing_is_replaced_where_there_is_no_key(tmp_path):
    with pytest.raises(KeyMissing):
        replace_next(tmp_path / "nowhere", "saml-sp", FixedClock())
