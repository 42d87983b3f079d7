"""Bundles, and the one-file program that verifies them: as it is run where nothing but Python is.

RAMBRIDGE_TEST_TAMPERINGS says at how many random positions each bundle is spoiled (1), and RAMBRIDGE_TEST_SEED which
ones are random.
"""

import base64
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.proof.bundle import Selection, join_notes, write_bundle
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.merkle import Frontier, leaf_hash, split_hashes
from bridge.audit.proof.verifier import verify_bundle
from bridge.audit.record import encode_body
from bridge.audit.sequencer import Sequencer
from bridge.clock import SystemClock
from bridge.errors import ChainBroken
from tests.audit_records import MAC_KEY, Writer, new_log
from tests.live_store import MovableClock

CASES = range(int(os.environ.get("RAMBRIDGE_TEST_TAMPERINGS", "1")))
SEED = os.environ.get("RAMBRIDGE_TEST_SEED", "")
# What is in a bundle does not depend on it.
DATABASES = ["sqlite", "postgresql"] if len(CASES) > 1 else ["sqlite"]
SIZE = 700
PROGRAM = Path(verify_bundle.__file__)
ORIGIN = "login.example/audit"


class Written:
    """A log that was written, signed and sequenced."""

    def __init__(self, url, signer, *, size=SIZE, fork_at=None, back_at=None):
        self.engine, self.signer = open_database(url), signer
        sequencer = Sequencer(self.engine, signer, SystemClock(), mac_key=MAC_KEY)
        chance, writer, other = random.Random(3), Writer(self.engine, 1), Writer(self.engine, 2)
        done = 0
        while done < size:
            count, rows = min(size - done, chance.randrange(1, 120)), []
            for number in range(done, done + count):
                if number == back_at:
                    writer.set_clock_back(3_600)
                forked = {"reference": f"F{number}"} if fork_at is not None and number >= fork_at else {}
                rows.append((other if number % 7 == 3 else writer).make(**forked))
            with self.engine.begin() as connection:
                connection.execute(insert(tables.records), rows)
            done += count
            sequencer.catch_up()

    @property
    def key(self):
        return str(self.signer.verifier_keys[0])

    def notes(self):
        with self.engine.connect() as connection:
            return connection.scalars(select(tables.checkpoints.c.note).order_by(tables.checkpoints.c.number)).all()

    def sizes(self):
        with self.engine.connect() as connection:
            return connection.scalars(select(tables.checkpoints.c.size).order_by(tables.checkpoints.c.number)).all()

    def bundle(self, folder, **selection):
        content = io.BytesIO()
        selection = Selection(**({"first": 0, "end": SIZE} | selection))
        write_bundle(self.engine, content, selection, self.signer.verifier_keys)
        zipfile.ZipFile(content).extractall(folder)
        return Bundle(folder)


class Bundle:
    """A bundle in a folder, for somebody to change it."""

    def __init__(self, folder):
        self.folder = folder
        self.lines = (folder / "records.jsonl").read_bytes().splitlines(keepends=True)

    def read(self, name):
        return (self.folder / name).read_bytes()

    def write(self, name, content):
        (self.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def put(self, lines):
        self.write("records.jsonl", b"".join(lines))

    def agree(self):
        """Write the hashes of what is there now."""
        lines = self.read("records.jsonl").splitlines()
        self.write("hashes.bin", b"".join(leaf_hash(line) for line in lines))

    def proof(self, **changes):
        self.write("proof.json", json.dumps(json.loads(self.read("proof.json")) | changes))


@pytest.fixture(scope="module")
def signer():
    return Signer(ORIGIN, Ed25519PrivateKey.generate())


@pytest.fixture(scope="module", params=DATABASES)
def log(request, tmp_path_factory, signer):
    """Return a log, all of whose clocks go forward."""
    with new_log(request, tmp_path_factory.mktemp("log")) as url:
        written = Written(url, signer)
        yield written
        written.engine.dispose()


@pytest.fixture(scope="module")
def whole(log, tmp_path_factory):
    return log.bundle(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def some(log, tmp_path_factory):
    """Return a bundle of some of the records, which do not all follow each other."""
    with log.engine.connect() as connection:
        times = connection.scalars(select(tables.index.c.time).order_by(tables.index.c.position)).all()
    return log.bundle(tmp_path_factory.mktemp("some"), first=150, end=600, since=times[200])


@pytest.fixture(params=CASES)
def chance(request):
    return random.Random(SEED + request.node.name)


@pytest.fixture(params=["whole", "some"])
def bundle(request, tmp_path):
    """Return a copy of a bundle."""
    shutil.copytree(request.getfixturevalue(request.param).folder, tmp_path / "bundle")
    return Bundle(tmp_path / "bundle")


@pytest.fixture
def spoiled(whole, tmp_path):
    """Return a copy of the bundle of all records."""
    shutil.copytree(whole.folder, tmp_path / "bundle")
    return Bundle(tmp_path / "bundle")


@pytest.fixture
def verify(log, capsys):
    """Return a function that runs the program in this process: its exit code and what it says."""

    def run(bundle, *arguments, key=None):
        code = verify_bundle.main([str(bundle.folder), "--key", key or log.key, *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def position_of(bundle, number):
    """Return at which position the record on a line is."""
    places = [at for begin, end in json.loads(bundle.read("proof.json"))["ranges"] for at in range(begin, end)]
    return places[number]


def named(outcome):
    code, said = outcome
    assert code == 1, said
    return said.partition("first bad position: ")[2].strip()


def changed(line, chance):
    at = chance.randrange(len(line) - 1)
    return line[:at] + bytes([line[at] ^ (1 << chance.randrange(7))]) + line[at + 1 :]


def around(log, position):
    """Return what is said where it can only be told between which checkpoints of the bundle it is."""
    sizes = [0, *thinned(log), SIZE]
    begin = max(size for size in sizes if size <= position)
    end = min(size for size in sizes if size > position)
    return f"between {begin} and {end - 1}"


def after_signed(log, end):
    """Return what is said where the end is gone, and what one process wrote last might be from before it."""
    begin = max(size for size in [0, *thinned(log)] if size <= end)
    return f"between {begin} and {end}" if begin < end else str(end)


def thinned(log, begin=0):
    last, kept = begin, []
    for size in log.sizes():
        if size >= last + 256:
            last = size
            kept.append(size)
    return kept


def test_a_bundle_verifies_with_nothing_but_python(whole, log, tmp_path):
    command = [sys.executable, "-I", "-S", str(PROGRAM), str(whole.folder), "--key", log.key]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={}, cwd=tmp_path)
    assert done.stdout.startswith(f"GOOD: {SIZE} records of {ORIGIN}, at 0 to {SIZE - 1}: exactly what was recorded.\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_program_goes_with_the_bundle_and_verifies_the_zip_file_too(log, tmp_path):
    place = tmp_path / "bundle.zip"
    with place.open("w+b") as content:
        assert write_bundle(log.engine, content, Selection(0, SIZE), log.signer.verifier_keys) == SIZE
    zipfile.ZipFile(place).extract("verify_bundle.py", tmp_path)
    assert (tmp_path / "verify_bundle.py").read_bytes() == PROGRAM.read_bytes()
    assert verify_bundle.main([str(place), "--key", log.key]) == 0


def test_records_are_in_it_byte_for_byte(log, whole):
    joined = select(tables.records.c.body).join(tables.index, tables.index.c.id == tables.records.c.id)
    with log.engine.connect() as connection:
        bodies = connection.scalars(joined.order_by(tables.index.c.position)).all()
    assert [line.decode() for line in whole.lines] == [f"{body}\n" for body in bodies]


def test_a_bundle_of_some_records_verifies(some, verify):
    code, said = verify(some)
    assert code == 0
    assert f"GOOD: {len(some.lines)} records" in said


@pytest.mark.parametrize(
    "selection", [{"first": at, "end": end} for at in (0, 1, 255, 256, 699) for end in (1, 300, 700)]
)
def test_any_range_verifies(log, selection, tmp_path, verify):
    bundle = log.bundle(tmp_path, **selection)
    assert len(bundle.lines) == max(0, selection["end"] - selection["first"])
    assert verify(bundle)[0] == 0


def test_without_a_key_it_says_that_the_key_came_with_the_bundle(whole, capsys):
    assert verify_bundle.main([str(whole.folder)]) == 0
    assert "This key came with the bundle" in capsys.readouterr().out


# What is spoiled


def test_a_changed_record_is_named(bundle, verify, chance):
    number = chance.randrange(len(bundle.lines))
    bundle.put([*bundle.lines[:number], changed(bundle.lines[number], chance), *bundle.lines[number + 1 :]])
    assert named(verify(bundle)) == str(position_of(bundle, number))


def test_a_record_that_is_left_out_is_named(bundle, verify, chance):
    number = chance.randrange(len(bundle.lines))
    bundle.put([*bundle.lines[:number], *bundle.lines[number + 1 :]])
    assert named(verify(bundle)) == str(position_of(bundle, number))


def test_a_record_that_is_put_in_is_named(bundle, verify, chance):
    number = chance.randrange(len(bundle.lines))
    bundle.put([*bundle.lines[:number], changed(bundle.lines[number], chance), *bundle.lines[number:]])
    assert named(verify(bundle)) == str(position_of(bundle, number))


def test_records_that_changed_places_are_named(bundle, verify, chance):
    first, second = sorted(chance.sample(range(len(bundle.lines)), 2))
    lines = bundle.lines.copy()
    lines[first], lines[second] = lines[second], lines[first]
    bundle.put(lines)
    assert named(verify(bundle)) == str(position_of(bundle, first))


def test_an_end_that_is_cut_off_is_named(bundle, verify, chance):
    number = chance.randrange(len(bundle.lines))
    bundle.put(bundle.lines[:number])
    assert named(verify(bundle)) == str(position_of(bundle, number))


def test_an_end_that_is_cut_off_with_everything_made_to_agree_is_named(whole, log, verify, chance, tmp_path):
    shutil.copytree(whole.folder, tmp_path / "bundle")
    bundle = Bundle(tmp_path / "bundle")
    end = chance.randrange(1, SIZE)
    bundle.put(bundle.lines[:end])
    bundle.agree()
    bundle.proof(ranges=[[0, end]])
    assert named(verify(bundle)) == after_signed(log, end)


def test_a_record_that_is_left_out_with_everything_made_to_agree_is_not_told_too_late(spoiled, log, verify, chance):
    position = chance.choice([chance.randrange(SIZE), SIZE - 2, SIZE - 1])
    spoiled.put([*spoiled.lines[:position], *spoiled.lines[position + 1 :]])
    spoiled.agree()
    spoiled.proof(ranges=[[0, SIZE - 1]])
    assert_not_too_late(named(verify(spoiled)), log, position)


@pytest.mark.parametrize("hidden", [True, False])
def test_of_two_changes_the_first_is_not_told_too_late(spoiled, log, verify, chance, hidden):
    first, second = sorted(chance.sample(range(SIZE), 2))
    content = json.loads(spoiled.lines[first])
    # A later time: it is the next record whose clock seems to be set back.
    spoiled.lines[first] = encode_body(content | {"time": "2026-11-24T23:00:00.000000Z"}).encode() + b"\n"
    spoiled.put(spoiled.lines)
    if hidden:
        spoiled.agree()
    spoiled.lines[second] = changed(spoiled.lines[second], chance)
    spoiled.put(spoiled.lines)
    outcome = named(verify(spoiled))
    if hidden:
        assert_not_too_late(outcome, log, first)
    else:
        assert outcome == str(first)


def assert_not_too_late(outcome, log, position):
    """Something is told that begins at or before the first bad position, and not before the checkpoint before it."""
    begin, _, last = outcome.removeprefix("between ").partition(" and ")
    assert max(size for size in [0, *thinned(log)] if size <= position) <= int(begin) <= position <= int(last or begin)


def test_a_changed_hash_is_named(bundle, verify, chance):
    number = chance.randrange(len(bundle.lines))
    hashes = split_hashes(bundle.read("hashes.bin"))
    hashes[number] = chance.randbytes(32)
    bundle.write("hashes.bin", b"".join(hashes))
    assert named(verify(bundle)) == str(position_of(bundle, number))


def test_a_change_that_was_made_to_agree_lies_between_checkpoints(whole, log, verify, chance, tmp_path):
    shutil.copytree(whole.folder, tmp_path / "bundle")
    bundle = Bundle(tmp_path / "bundle")
    position = chance.randrange(SIZE)
    content = json.loads(bundle.lines[position])
    line = encode_body(content | {"mfa": not content["mfa"]}).encode() + b"\n"
    bundle.put([*bundle.lines[:position], line, *bundle.lines[position + 1 :]])
    bundle.agree()
    assert named(verify(bundle)) == around(log, position)


def test_a_checkpoint_of_the_bundle_that_was_changed_misleads_nobody(whole, log, verify, chance, tmp_path):
    shutil.copytree(whole.folder, tmp_path / "bundle")
    bundle = Bundle(tmp_path / "bundle")
    line = encode_body(json.loads(bundle.lines[650]) | {"mfa": None}).encode() + b"\n"
    bundle.put([*bundle.lines[:650], line, *bundle.lines[651:]])
    bundle.agree()
    forger = Signer(ORIGIN, Ed25519PrivateKey.generate())
    for forged in (forger.sign(10, bytes(32), 5), forger.sign(SIZE - 10, root_of(bundle, SIZE - 10), 5), "no note"):
        bundle.write("checkpoints.txt", join_notes([forged]))
        assert named(verify(bundle)) == f"between 0 and {SIZE - 1}"


def root_of(bundle, size):
    frontier = Frontier()
    frontier.extend(map(leaf_hash, bundle.read("records.jsonl").splitlines()[:size]))
    return frontier.root()


def test_a_changed_proof_is_noticed(some, verify, chance, tmp_path):
    shutil.copytree(some.folder, tmp_path / "bundle")
    bundle = Bundle(tmp_path / "bundle")
    nodes = json.loads(bundle.read("proof.json"))["nodes"]
    for wrong in (nodes[:-1], nodes[::-1], [*nodes, nodes[0]]):
        bundle.proof(nodes=wrong)
        assert verify(bundle)[0] == 1


def test_a_changed_checkpoint_is_refused(bundle, verify, chance):
    note = bytearray(bundle.read("checkpoint.txt"))
    at = chance.randrange(len(note))
    note[at] ^= 1
    bundle.write("checkpoint.txt", bytes(note))
    assert verify(bundle)[0] in (1, 2)


def test_a_checkpoint_of_another_key_is_refused(bundle, verify):
    other = Signer(ORIGIN, Ed25519PrivateKey.generate())
    code, said = verify(bundle, key=str(other.verifier_keys[0]))
    assert code == 2
    assert "not signed by a key that is believed" in said


@pytest.mark.parametrize("name", ["records.jsonl", "proof.json", "hashes.bin", "checkpoint.txt", "keys.txt"])
def test_what_is_no_bundle_is_said_to_be_none(bundle, verify, name):
    (bundle.folder / name).unlink()
    code, said = verify(bundle)
    assert code == 2
    assert name in said
    bundle.write(name, b"\xff\x00")
    assert verify(bundle)[0] in (1, 2)


HOSTILE = {
    "proof.json": [b"[" * 100_000, b'{"ranges": [[0, 1e999]], "nodes": []}', b'{"ranges": [], "nodes": ["AAAA"]}'],
    "checkpoint.txt": ["x\n\u00b2\nAAAA\n\n".encode(), b"x\n" + b"9" * 5_000 + b"\nAAAA\n\n"],
    "records.jsonl": [b"[" * 100_000, b'{"writer": [], "number": "1", "time": "2026-11-24T12:00:00.0Z", "event": 1}\n'],
}


@pytest.mark.parametrize(("name", "content"), [(name, each) for name, some in HOSTILE.items() for each in some])
def test_what_is_made_to_break_the_program_is_refused_with_a_reason(whole, verify, tmp_path, name, content):
    shutil.copytree(whole.folder, tmp_path / "bundle")
    bundle = Bundle(tmp_path / "bundle")
    bundle.write(name, content)
    code, said = verify(bundle)
    assert code == (1 if name == "records.jsonl" else 2)
    assert "BAD" in said or "Cannot be verified" in said


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "7", '{"first": 1, "second": 2, "hashes": []}', "{}"])
def test_what_is_no_proof_between_checkpoints_is_refused_with_a_reason(log, tmp_path, capsys, content):
    (tmp_path / "proof.json").write_text(content)
    assert verify_bundle.main(["--grew", str(tmp_path / "proof.json"), "--key", log.key]) == 2
    assert "not a proof between two checkpoints" in capsys.readouterr().err


def test_a_zip_file_that_has_a_name_twice_is_refused(whole, log, tmp_path, capsys):
    place = tmp_path / "bundle.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for file in whole.folder.iterdir():
            archive.write(file, file.name)
    assert verify_bundle.main([str(place), "--key", log.key]) == 0
    with zipfile.ZipFile(place, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("records.jsonl", whole.read("records.jsonl"))
    assert verify_bundle.main([str(place), "--key", log.key]) == 2
    assert "twice" in capsys.readouterr().err


def zip_up(bundle, place, **changed):
    """Return a zip file of a bundle, in which some files have other contents."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in bundle.folder.iterdir():
            archive.writestr(file.name, changed.get(file.stem, file.read_bytes()))
    return place


@pytest.mark.parametrize(
    "name",
    ["RECORDS.jsonl", "./records.jsonl", "x/../records.jsonl", "../records.jsonl", "records.jsonl ", "\u212aeys.txt"],
)
def test_t_aud_08_a_zip_file_with_a_name_that_others_may_unpack_over_a_bundles_own_is_refused(
    whole, log, tmp_path, capsys, name
):
    place = zip_up(whole, tmp_path / "bundle.zip")
    assert verify_bundle.main([str(place), "--key", log.key]) == 0
    with zipfile.ZipFile(place, "a") as archive:
        archive.writestr(name, b"{}\n")
    assert verify_bundle.main([str(place), "--key", log.key]) == 2
    assert "more than a bundle" in capsys.readouterr().err


def test_t_aud_08_what_would_fill_the_memory_is_not_unpacked(whole, log, tmp_path, capsys):
    bomb = zip_up(whole, tmp_path / "bomb.zip", hashes=bytes(20_000_000))
    assert bomb.stat().st_size < 1_000_000
    assert verify_bundle.main([str(bomb), "--key", log.key]) == 2
    assert "hashes.bin is far larger than its part of the zip file" in capsys.readouterr().err


@pytest.mark.parametrize("proof", ["", '{"ranges": [[0, 1000000000000]], "nodes": []}'])
def test_t_aud_08_lines_that_no_record_is_for_are_not_kept(spoiled, verify, proof):
    """Millions of empty lines are nothing in a zip file, and a hash of each would fill the memory."""
    if proof:
        spoiled.write("proof.json", proof)
    with (spoiled.folder / "records.jsonl").open("ab") as file:
        file.write(b"\n" * 200_000)
    tracemalloc.start()
    try:
        code, said = verify(spoiled)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (code, "first bad position" in said) == (1, True)
    assert peak < 3_000_000, "a hash of each would be 15"


def test_t_aud_08_what_is_read_as_a_whole_may_be_packed_no_more_than_an_honest_one(whole, log, tmp_path, capsys):
    assert verify_bundle.main([str(zip_up(whole, tmp_path / "honest.zip")), "--key", log.key]) == 0
    much = os.urandom(30_000) + bytes(1_170_000)  # a fortieth of it
    for name in ("hashes", "proof", "checkpoints", "keys"):
        place = zip_up(whole, tmp_path / f"{name}.zip", **{name: much})
        assert verify_bundle.main([str(place), "--key", log.key]) == 2
        assert "far larger than its part of the zip file" in capsys.readouterr().err


def test_t_aud_08_a_line_without_an_end_is_not_read_to_its_end(spoiled, verify, monkeypatch):
    monkeypatch.setattr(verify_bundle, "LONGEST_RECORD_BYTES", max(map(len, spoiled.lines)) + 1)
    assert verify(spoiled)[0] == 0
    spoiled.put([*spoiled.lines[:-1], b"[" * 5_000])
    assert verify(spoiled) == (2, "Cannot be verified: records.jsonl has a line that is too long for a record\n")


def test_t_aud_08_a_zip_file_that_is_compressed_otherwise_is_refused_with_a_reason(whole, log, tmp_path, capsys):
    place = tmp_path / "bundle.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_LZMA) as archive:
        for file in whole.folder.iterdir():
            archive.write(file, file.name)
    spoiled = bytearray(place.read_bytes())
    spoiled[60:80] = bytes(20)
    place.write_bytes(spoiled)
    assert verify_bundle.main([str(place), "--key", log.key]) == 2
    assert "compressed as nothing in a bundle is" in capsys.readouterr().err


CURSOR = "\x1b[2J\x1b[8m\u202e"
"""What would empty the screen, hide what follows, and turn it round."""


def test_t_aud_08_a_stranger_writes_no_verdict_onto_the_screen(whole, verify, tmp_path, capsys):
    shutil.copytree(whole.folder, tmp_path / "bundle")
    bundle = Bundle(tmp_path / "bundle")
    notes = bundle.read("keys.txt").decode()
    bundle.write("keys.txt", notes + f"old {CURSOR}GOOD: all is well\n\n\u2014 x AAAA\n----\n")
    code, said = verify(bundle)
    assert code == 2
    assert said.startswith("Cannot be verified: \\x1b[2J\\x1b[8m\\u202eGOOD")
    assert said.isascii()
    assert "\x1b" not in said


def sign_as(name, text, time):
    """Return a new key under a name that we would refuse, and a note that it signed."""
    private_key = Ed25519PrivateKey.generate()
    public = private_key.public_key().public_bytes_raw()

    def sign(kind, head, message):
        identifier = hashlib.sha256(f"{name}\n".encode() + bytes([kind]) + public).digest()[:4]
        signature = base64.b64encode(identifier + head + private_key.sign(message.encode())).decode()
        return identifier.hex(), f"\u2014 {name} {signature}\n"

    identifier, signed = sign(1, b"", text)
    _, timed = sign(4, time.to_bytes(8, "big"), f"cosignature/v1\ntime {time}\n{text}")
    return f"{name}+{identifier}+{base64.b64encode(bytes([1]) + public).decode()}", f"{text}\n{signed}{timed}"


def test_t_aud_08_a_log_of_a_strangers_own_shows_its_name_as_it_is(tmp_path, capsys):
    """Without a key any log verifies; what it calls itself must not hide the sentence that says so."""
    name = f"login.example{CURSOR}"
    root = base64.b64encode(Frontier().root()).decode()
    key, checkpoint = sign_as(name, f"{name}\n0\n{root}\n", 1_700_000_000)
    for name, content in {
        "records.jsonl": "",
        "proof.json": '{"ranges": [], "nodes": []}',
        "hashes.bin": "",
        "checkpoint.txt": checkpoint,
        "checkpoints.txt": "",
        "keys.txt": join_notes([f"{key}\n"]),
    }.items():
        (tmp_path / name).write_text(content)
    assert verify_bundle.main([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("GOOD: 0 records of login.example\\x1b[2J\\x1b[8m\\u202e, at no position")
    assert "\x1b" not in said
    assert said.isascii()
    assert "This key came with the bundle." in said


def test_t_aud_08_a_time_that_no_calendar_has_is_refused_with_a_reason(whole, log, verify, tmp_path):
    shutil.copytree(whole.folder, tmp_path / "bundle")
    bundle = Bundle(tmp_path / "bundle")
    origin, size, root = bundle.read("checkpoint.txt").decode().split("\n")[:3]
    assert origin == ORIGIN
    bundle.write("checkpoint.txt", log.signer.sign(int(size), base64.b64decode(root), 253_402_300_799))
    assert verify(bundle)[0] == 0
    bundle.write("checkpoint.txt", log.signer.sign(int(size), base64.b64decode(root), 253_402_300_800))
    assert verify(bundle) == (2, "Cannot be verified: a checkpoint was signed at a time that no calendar has\n")


# Other histories, and clocks


def test_a_fork_lies_after_the_last_noted_checkpoint_that_agrees(log, signer, chance, tmp_path, verify):
    position = chance.randrange(SIZE)
    fork = Written(f"sqlite:///{tmp_path}/fork.db", signer, fork_at=position)
    bundle = fork.bundle(tmp_path / "bundle")
    assert verify(bundle)[0] == 0, "alone, it is a log like any other"
    (tmp_path / "noted.txt").write_text(join_notes(log.notes()))
    outcome = named(verify(bundle, "--noted", tmp_path / "noted.txt"))
    begin = max((size for size in log.sizes() if size <= position), default=0)
    assert outcome == f"between {begin} and {min(size for size in log.sizes() if size > position) - 1}"


def test_a_log_that_was_cut_off_is_named_with_a_checkpoint_that_was_noted(log, signer, chance, tmp_path, verify):
    end = chance.randrange(1, SIZE)
    shorter = Written(f"sqlite:///{tmp_path}/shorter.db", signer, size=end)
    bundle = shorter.bundle(tmp_path / "bundle", end=end)
    (tmp_path / "noted.txt").write_text(log.notes()[-1])
    assert named(verify(bundle, "--noted", tmp_path / "noted.txt")) == str(end)


def test_noted_checkpoints_that_agree_are_counted(log, whole, tmp_path, verify):
    (tmp_path / "noted.txt").write_text(join_notes(log.notes()))
    count = len(log.notes())
    assert (
        f"{count} of {count} checkpoints that you noted could be compared"
        in verify(whole, "--noted", tmp_path / "noted.txt")[1]
    )


def test_noted_checkpoints_that_could_not_be_compared_prove_nothing(log, tmp_path, verify):
    (tmp_path / "noted.txt").write_text(log.notes()[0])
    last = log.bundle(tmp_path / "bundle", first=SIZE - 1)
    code, printed, *_ = verify(last, "--noted", tmp_path / "noted.txt")
    assert code == 0
    assert "0 of 1 checkpoints that you noted could be compared, which proves nothing of them" in printed
    assert "they agree" not in printed


def test_a_clock_that_was_set_back_is_named(signer, chance, tmp_path, verify):
    position = chance.randrange(8, SIZE)
    back = Written(f"sqlite:///{tmp_path}/back.db", signer, back_at=position)
    bundle = back.bundle(tmp_path / "bundle")
    first = next(
        at
        for at, line in enumerate(bundle.lines)
        if b'"writer":1' in line and json.loads(line)["number"] == number_at(position)
    )
    assert named(verify(bundle)) == str(first)


def number_at(position):
    """Return the number that the first writer's next record has when so many records were written."""
    return sum(number % 7 != 3 for number in range(position)) + 1


# Writing one


def test_records_that_no_checkpoint_is_over_make_no_bundle(tmp_path, signer):
    engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    Writer(engine, 1).write(3)
    Sequencer(engine, None, MovableClock()).catch_up()
    with pytest.raises(ChainBroken, match="no checkpoint"):
        write_bundle(engine, io.BytesIO(), Selection(0, 3), signer.verifier_keys)


def test_a_damaged_log_makes_no_bundle(tmp_path, signer):
    written = Written(f"sqlite:///{tmp_path}/audit.db", signer, size=20)
    with written.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_records_no_update")
        connection.exec_driver_sql("UPDATE audit_records SET body = replace(body, 'saml', 'oidc') WHERE id & 255 = 4")
    with pytest.raises(ChainBroken, match="not those of the checkpoint"):
        write_bundle(written.engine, io.BytesIO(), Selection(0, 20), signer.verifier_keys)
