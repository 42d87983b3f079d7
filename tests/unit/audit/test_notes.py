"""Signed notes and checkpoints, beside what Go's implementation publishes as its test vectors."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.audit.proof.checkpoints import Checkpoint, Signer, name_log, open_checkpoint
from bridge.audit.proof.notes import NoteKey, NoteRefused, VerifierKey, open_note, sign_note

# golang.org/x/mod/sumdb/note, note_test.go. Everybody knows these keys.
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
ROOT = bytes(range(32))


def peter():
    return VerifierKey.parse(PETER_KEY)


def enoch():
    return VerifierKey.parse(ENOCH_KEY)


def new_key():
    return Ed25519PrivateKey.generate()


def test_a_note_is_signed_byte_for_byte_as_go_signs_it():
    key = NoteKey("PeterNeumann", Ed25519PrivateKey.from_private_bytes(PETER_SEED))
    assert sign_note(TEXT, [key]) == f"{TEXT}\n{PETER_LINE}"
    assert str(key.verifier) == PETER_KEY


def test_gos_note_opens_with_either_key_and_with_both():
    note = f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}"
    assert open_note(note, [peter()]).signed_by == (peter(),)
    assert open_note(note, [enoch()]).signed_by == (enoch(),)
    opened = open_note(note, [peter(), enoch()])
    assert (opened.text, opened.signed_by, opened.time) == (TEXT, (peter(), enoch()), None)


def test_a_note_of_unknown_keys_alone_is_refused():
    with pytest.raises(NoteRefused, match="no known key"):
        open_note(f"{TEXT}\n{ENOCH_LINE}", [peter()])


def test_one_wrong_signature_of_a_known_key_refuses_the_note():
    spoiled = PETER_LINE[:60] + "ABCD" + PETER_LINE[60:]
    with pytest.raises(NoteRefused, match=r"PeterNeumann\+c74f20a3 is wrong"):
        open_note(f"{TEXT}\n{spoiled}{ENOCH_LINE}", [peter(), enoch()])
    assert open_note(f"{TEXT}\n{spoiled}{ENOCH_LINE}", [enoch()]).signed_by == (enoch(),)


@pytest.mark.parametrize(
    "note",
    [
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\n{PETER_LINE[:-1]}",
        f"\x01{TEXT}\n{PETER_LINE}",
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Bad Name')}",
        f"{TEXT}\n{PETER_LINE}Unexpected line.\n",
        f"{TEXT}\n{PETER_LINE * 101}",
        f"{TEXT}\n— PeterNeumann x08g\n",
        f"{TEXT}\n— PeterNeumann ?\n",
    ],
)
def test_what_is_no_note_is_refused(note):
    with pytest.raises(NoteRefused):
        open_note(note, [peter()])


@pytest.mark.parametrize("at", range(len(PETER_KEY)))
def test_a_verifier_key_with_any_character_changed_is_refused(at):
    with pytest.raises(NoteRefused):
        VerifierKey.parse(PETER_KEY[:at] + chr(ord(PETER_KEY[at]) + 1) + PETER_KEY[at + 1 :])


@pytest.mark.parametrize(
    "key",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "",
        "PeterNeumann",
    ],
)
def test_what_is_no_verifier_key_is_refused(key):
    with pytest.raises(NoteRefused):
        VerifierKey.parse(key)


def test_a_text_that_would_not_stay_one_text_is_not_signed():
    for text in ("no newline", "tab\there\n"):
        with pytest.raises(NoteRefused):
            sign_note(text, [NoteKey("log", new_key())])


def test_a_checkpoint_says_size_root_and_when():
    signer = Signer("login.example/audit", new_key())
    note = signer.sign(20_852_163, ROOT, 1_796_000_000)
    expected = Checkpoint("login.example/audit", 20_852_163, ROOT, 1_796_000_000)
    assert note.startswith(
        f"login.example/audit\n20852163\n{base64.b64encode(ROOT).decode()}\n\n— login.example/audit "
    )
    assert open_checkpoint(note, signer.verifier_keys) == expected


def test_the_published_example_of_a_checkpoint_is_read():
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    key = NoteKey("example.com/behind-the-sofa", new_key())
    opened = open_checkpoint(sign_note(text, [key]), [key.verifier])
    assert (opened.size, opened.text, opened.time) == (20_852_163, text, None)


def test_a_witness_that_signs_with_a_time_is_read_and_its_time_cannot_be_moved():
    witness = NoteKey("witness.example/w1", new_key())
    text = Checkpoint("login.example/audit", 5, ROOT).text
    note = f"{text}\n{witness.sign_line(text)}{witness.sign_time_line(text, 1_679_315_147)}"
    assert open_note(note, [witness.verifier]).time == 1_679_315_147
    content = bytearray(base64.b64decode(note.rsplit(maxsplit=1)[-1]))
    content[11] ^= 1
    moved = note.replace(note.rsplit(maxsplit=1)[-1], base64.b64encode(content).decode())
    with pytest.raises(NoteRefused, match="is wrong"):
        open_note(moved, [witness.verifier])


def test_after_a_rotation_the_key_before_still_opens_a_checkpoint():
    old, new = new_key(), new_key()
    before, after = Signer("log", old), Signer("log", new, old)
    note = after.sign(1, ROOT, 7)
    assert open_checkpoint(note, before.verifier_keys).size == 1
    assert open_checkpoint(note, after.verifier_keys[:1]).size == 1
    with pytest.raises(NoteRefused, match="no known key"):
        open_checkpoint(before.sign(1, ROOT, 7), after.verifier_keys[:1])


@pytest.mark.parametrize(
    "text",
    [
        "log\n01\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "log\n-1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "log\n1\nAAEC\n",
        "log\n1\n?\n",
        "log\n1\n",
        "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text):
    key = NoteKey("log", new_key())
    with pytest.raises(NoteRefused, match="checkpoint"):
        open_checkpoint(sign_note(text, [key]), [key.verifier])


def test_a_log_is_named_after_the_bridges_address():
    assert name_log("https://login.acme.example") == "login.acme.example/audit"
    assert name_log("https://localhost:8443") == "localhost:8443/audit"
