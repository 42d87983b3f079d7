"""Verify a bundle of Rambridge's audit log, with nothing but Python (3.9 or newer) and without a network.

    python3 -I verify_bundle.py BUNDLE --key "NAME+ID+KEY"

BUNDLE is a folder or a zip file. It holds

    records.jsonl    one record a line, byte for byte as it was recorded
    proof.json       which positions these are, and the hashes of everything that is not here
    hashes.bin       the hash of each record, 32 bytes each: it tells which record was changed
    checkpoint.txt   how many records the log has and the root over all of them, signed
    checkpoints.txt  earlier ones, which tell more exactly where something is wrong
    keys.txt         whose keys sign, and how one key handed over to the next
    opened.jsonl     perhaps: the records with what they say of people, which only the log's keys could prove

Each record is a leaf of a tree (RFC 6962), whose root is signed with Ed25519 (https://c2sp.org/tlog-checkpoint). If the
root that follows from the records is the signed one, each record is what was recorded, in its place.

A key proves only what you knew of it before: give the one that the log's operator published, or that you noted earlier
(--key). It counts together with those that came after it; a key that it replaced signs no checkpoint of now. A
checkpoint that you noted, or a file of several (--noted), proves that nothing was replaced or cut off since. A proof
that the log only grew between two checkpoints (rambridge audit checkpoint --since) is verified by --grew FILE.

Exit code 0: it verifies; 1: it does not, and the first bad position is told; 2: it cannot be read.
"""

# ruff: noqa: PLR2004, TC003, UP017  a program of one file, for Pythons that are older than the bridge's

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

STEP_SECONDS = 5
STEPPED_BACK = "clock.stepped_back"
CONTENTS = frozenset({"records.jsonl", "proof.json", "hashes.bin", "checkpoint.txt", "checkpoints.txt", "keys.txt"})
OPENED = "opened.jsonl"
MEMBERS = CONTENTS | {OPENED, "verify_bundle.py", "README.txt"}
MOST_RATIOS = {"records.jsonl": 100, "hashes.bin": 2}
"""How many times its part of the zip file something may be. Of honest contents records are a fifth of that at most, and
hashes half, since nothing packs them."""
MOST_RATIO = 20
"""The same for the rest, which is read as a whole; honest contents are a seventh of that at most."""
SMALL_BYTES = 1_000_000
LONGEST_RECORD_BYTES = 16_000_000
END_OF_YEARS = 253_402_300_800
LONGEST_NAME = 200


class Bad(Exception):
    """The bundle is not what was recorded. ``end``: the first bad position is before it; None: it is exactly that."""

    def __init__(self, detail: str, position: int, end: int | None = None) -> None:
        super().__init__(detail)
        self.detail, self.position, self.end = detail, position, end


class Unreadable(Exception):
    """This is not a bundle, or its checkpoint is not signed by a key that is believed."""


# Ed25519 (RFC 8032, 5.1), verification only. Points are X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z.

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _add(a: _Point, b: _Point) -> _Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    g, h = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(number: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


def _decode_point(encoded: bytes) -> _Point | None:
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode_point(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _decode_point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def verify_signature(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether an Ed25519 signature is right."""
    point = _decode_point(public_key) if len(public_key) == 32 else None
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or _BASE is None or len(signature) != 64 or scalar >= _L:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % _L
    negative = (_P - point[0], point[1], point[2], _P - point[3])
    return _encode_point(_add(_multiply(scalar, _BASE), _multiply(challenge, negative))) == signature[:32]


# Signed notes (https://c2sp.org/signed-note) and checkpoints


class Key:
    """A public key under a name, as text ``NAME+ID+base64(1, key)``."""

    def __init__(self, text: str) -> None:
        name, _, rest = text.strip().partition("+")
        identifier, _, encoded = rest.partition("+")
        content = _decode(encoded)
        if len(content) != 33 or content[0] != 1:
            raise Unreadable(f"{text.strip()[:80]} is not an Ed25519 key as NAME+ID+KEY")
        self.name, self.public, self.text = name, content[1:], text.strip()
        if identifier != self.id(1).hex():
            raise Unreadable(f"{text.strip()[:80]}: the ID belongs to another key or name")

    def id(self, kind: int) -> bytes:
        """Return the four bytes that stand for the key and the kind of signature in a signature line."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([kind]) + self.public).digest()[:4]


class Note:
    """A signed text. ``signed_by`` are those of the known keys that signed it, ``time`` when they say that was."""

    def __init__(self, note: str, keys: Sequence[Key]) -> None:
        end = note.rfind("\n\n")
        if end < 0 or not note.endswith("\n"):
            raise Unreadable("this is not a signed note")
        self.text, lines = note[: end + 1], note[end + 2 :].split("\n")[:-1]
        self.signed_by: list[Key] = []
        times: dict[str, int] = {}
        for line in lines:
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            if dash != "\u2014" or not encoded:
                raise Unreadable("this is not a signed note: a line after the text is no signature")
            content = _decode(encoded)
            for key in keys:
                if key.name != name:
                    continue
                if content[:4] == key.id(1):
                    self._check(key, content[4:], self.text)
                    self.signed_by.append(key)
                elif content[:4] == key.id(4):
                    time = int.from_bytes(content[4:12], "big")
                    self._check(key, content[12:], f"cosignature/v1\ntime {time}\n{self.text}")
                    if time >= END_OF_YEARS:
                        raise Unreadable("a checkpoint was signed at a time that no calendar has")
                    times[key.text] = time
        self.time = min(times.values()) if times else None
        self.is_timed = all(key.text in times for key in self.signed_by)

    def _check(self, key: Key, signature: bytes, message: str) -> None:
        if not verify_signature(key.public, signature, message.encode()):
            raise Unreadable(f"the signature of {key.name}+{key.id(1).hex()} is wrong")


class Checkpoint:
    """How many records there are, and the root over them."""

    def __init__(self, note: str, keys: Sequence[Key]) -> None:
        self.note = Note(note, keys)
        lines = self.note.text.split("\n")
        if len(lines) < 4 or not (lines[1].isascii() and lines[1].isdigit() and len(lines[1]) < 20):
            raise Unreadable("this is not a checkpoint")
        self.origin, self.size, self.root = lines[0], int(lines[1]), _decode(lines[2])
        self.compared = False

    @property
    def is_signed(self) -> bool:
        """Whether a known key signed it, and said when."""
        return bool(self.note.signed_by) and self.note.is_timed


def _decode(encoded: str) -> bytes:
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("this is not base64") from None
    if base64.b64encode(content).decode() != encoded:
        raise Unreadable("this is not the one way to write it in base64")
    return content


HandOver = tuple[Key, Key]


def read_hand_over(note: str) -> HandOver | None:
    """Return the old and the new key that a note names; None if it is not one that both signed."""
    lines = note.split("\n")
    old, new = ([Key(line[4:]) for line in lines if line.startswith(word)] for word in ("old ", "new "))
    signed_by = {key.text for key in Note(note, [*old, *new]).signed_by}
    if len(old) != 1 or len(new) != 1 or signed_by != {old[0].text, new[0].text}:
        return None
    return old[0], new[0]


def follow(keys: Sequence[Key], hand_overs: Sequence[HandOver], *, back: bool = False) -> list[Key]:
    """Return the keys, and those that one of them handed over to; with ``back`` also those that they took over from."""
    found = {key.text: key for key in keys}
    before = -1
    while len(found) != before:
        before = len(found)
        for old, new in hand_overs:
            if old.text in found:
                found.setdefault(new.text, new)
            elif back and new.text in found:
                found.setdefault(old.text, old)
    return list(found.values())


# The tree (RFC 6962, 2.1)


def leaf_hash(body: bytes) -> bytes:
    """Return the hash of a record."""
    return hashlib.sha256(b"\0" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """A tree that grows at its right end."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, node: bytes, leaves: int = 1) -> None:
        """Add the root of a perfect subtree."""
        self.size += leaves
        count = self.size // leaves
        while not count & 1:
            node = node_hash(self.peaks.pop(), node)
            count >>= 1
        self.peaks.append(node)

    def root(self) -> bytes:
        """Return the root of the tree so far."""
        if not self.peaks:
            return hashlib.sha256().digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def left_out(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the perfect subtrees that lie from ``begin`` up to, and without, ``end``: first leaf, number of leaves."""
    while begin < end:
        leaves = begin & -begin if begin else 1 << (end - begin).bit_length() - 1
        while begin + leaves > end:
            leaves >>= 1
        yield begin, leaves
        begin += leaves


# The bundle


class Bundle:
    """What is in the folder or zip file."""

    def __init__(self, place: Path) -> None:
        if not place.exists():
            raise Unreadable(f"there is no {place}")
        self._zip = zipfile.ZipFile(place) if place.is_file() else None
        names = self._zip.namelist() if self._zip else []
        if len(names) != len(set(names)):
            raise Unreadable("the zip file has a name twice: what is verified might not be what others read")
        for member in self._zip.infolist() if self._zip else []:
            self._check_member(member)
        self._folder = place
        proof = self._json("proof.json")
        try:
            self.ranges = [(int(begin), int(end)) for begin, end in proof["ranges"]]
            self.nodes = [_decode(node) for node in proof["nodes"]]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise Unreadable("proof.json is not what a bundle has") from None
        if any(len(node) != 32 for node in self.nodes):
            raise Unreadable("proof.json has a hash that is none")
        last = 0
        for begin, end in self.ranges:
            if not last <= begin < end:
                raise Unreadable("proof.json: the positions do not rise")
            last = end
        self.positions = sum(end - begin for begin, end in self.ranges)
        joined = self._read("hashes.bin")
        self.hashes = [joined[at : at + 32] for at in range(0, len(joined), 32)]
        self.checkpoint = self._read("checkpoint.txt").decode()
        self.checkpoints = split_notes(self._read("checkpoints.txt").decode())
        notes = split_notes(self._read("keys.txt").decode())
        self.keys = [line for line in notes[0].split("\n") if line] if notes else []
        self.is_opened = OPENED in names if self._zip else (place / OPENED).exists()
        self.hand_overs = [named for note in notes[1:] for named in [read_hand_over(note)] if named]

    @staticmethod
    def _check_member(member: zipfile.ZipInfo) -> None:
        """Refuse what no bundle has: other names, which may be the same file where it is unpacked, and bombs."""
        if member.filename not in MEMBERS:
            raise Unreadable("the zip file has more than a bundle: what is verified might not be what others read")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable(f"{member.filename} is compressed as nothing in a bundle is")
        most = max(SMALL_BYTES, MOST_RATIOS.get(member.filename, MOST_RATIO) * member.compress_size)
        if member.filename in CONTENTS and member.file_size > most:
            raise Unreadable(f"{member.filename} is far larger than its part of the zip file")

    def lines(self) -> Iterator[bytes]:
        """Yield the records, without their line ends."""
        with self._zip.open("records.jsonl") if self._zip else (self._folder / "records.jsonl").open("rb") as file:
            while line := file.readline(LONGEST_RECORD_BYTES):
                if len(line) == LONGEST_RECORD_BYTES:
                    raise Unreadable("records.jsonl has a line that is too long for a record")
                yield line[:-1] if line.endswith(b"\n") else line

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield the position of each record, and where the run without a gap begins that it is in."""
        for begin, end in self.ranges:
            for position in range(begin, end):
                yield position, begin

    def _read(self, name: str) -> bytes:
        try:
            return self._zip.read(name) if self._zip else (self._folder / name).read_bytes()
        except (KeyError, OSError):
            raise Unreadable(f"there is no {name}") from None

    def _json(self, name: str) -> Any:
        try:
            return json.loads(self._read(name))
        except (ValueError, RecursionError):
            raise Unreadable(f"{name} is not JSON") from None


def split_notes(text: str) -> list[str]:
    """Return the notes of a file: between them are lines of four dashes."""
    notes: list[list[str]] = [[]]
    for line in text.splitlines(keepends=True):
        if line == "----\n":
            notes.append([])
        else:
            notes[-1].append(line)
    return ["".join(lines) for lines in notes if lines]


class Writers:
    """Whether what each process wrote stands in its order, without a gap, and by a clock that went forward."""

    def __init__(self, step_seconds: int) -> None:
        self._step_seconds = step_seconds
        self._last: dict[int, tuple[int, int, int]] = {}

    def check(self, position: int, body: bytes, run: int) -> None:
        """Take the next record; ``run``: where the records that follow each other without a gap begin."""
        try:
            content = json.loads(body)
            writer, number, moment = content["writer"], content["number"], _microseconds(content["time"])
            event = content["event"]
            is_ours = type(writer) is int and type(number) is int
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            is_ours = False
        if not is_ours:
            raise Bad(f"record {position} is none that the bridge wrote", position)
        last = self._last.get(writer)
        self._last[writer] = position, number, moment
        if last is None:
            if run == 0 and number != 1:
                raise Bad(f"before record {position}, number 1 of writer {writer} is missing", position)
            return
        if number <= last[1]:
            detail = f"record {position}, number {number} of writer {writer}, stands after its number {last[1]}"
            raise Bad(detail, position)
        if last[0] < run:
            return
        if number != last[1] + 1:
            detail = f"before record {position}, number {last[1] + 1} of writer {writer} is missing"
            raise Bad(detail, last[0] + 1, position + 1)
        back = last[2] - moment
        if back > self._step_seconds * 1_000_000 and event != STEPPED_BACK:
            detail = f"before record {position} a clock was set back by {back // 1_000_000} s, and no record says so"
            raise Bad(detail, position)


def _microseconds(time: str) -> int:
    moment = datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def compute_roots(
    bundle: Bundle, leaves: Sequence[bytes], size: int, sizes: Iterable[int] = ()
) -> tuple[dict[int, bytes], Bad | None]:
    """Return roots over the first records, from the records' hashes and those of what is not here.

    Of all ``size`` of them, and where some of ``sizes`` end at what is known here. What is missing is returned as well.
    """
    tree, given, nodes = Frontier(), iter(leaves), iter(bundle.nodes)
    wanted, roots = {*sizes, size}, dict[int, bytes]()
    for begin, end in [*bundle.ranges, (size, size)]:
        for first, count in left_out(tree.size, begin):
            node = next(nodes, None)
            if node is None:
                return roots, Bad(
                    f"records {first} to {begin - 1} are gone, and so is what would stand for them", first
                )
            tree.append(node, count)
            if tree.size in wanted:
                roots[tree.size] = tree.root()
        for position in range(begin, min(end, size)):
            leaf = next(given, None)
            if leaf is None:
                return roots, Bad(f"record {position} is gone", position)
            tree.append(leaf)
            if tree.size in wanted:
                roots[tree.size] = tree.root()
    if not size:
        roots[0] = tree.root()
    if next(given, None) is not None or next(nodes, None) is not None:
        end = bundle.ranges[-1][1] if bundle.ranges else 0
        return roots, Bad("there is more than the proof is for", min(end, size))
    return roots, None


def verify(
    bundle: Bundle, given: list[Key], noted: Sequence[Checkpoint], step_seconds: int = STEP_SECONDS
) -> tuple[Checkpoint, int]:
    """Return the checkpoint that the records are under, and how many records there are.

    One of the given keys has to have signed it, or one that came after them. Whoever stole a key that was replaced
    could sign anything else; what it signed while it counted only tells more exactly where something is wrong.

    Raises:
        Bad: a record is not what was recorded, or something is missing.
        Unreadable: nobody who is believed signed the checkpoint.
    """
    keys = follow(given, bundle.hand_overs, back=True)
    checkpoint = Checkpoint(bundle.checkpoint, follow(given, bundle.hand_overs))
    if not all(each.is_signed for each in (checkpoint, *noted)):
        raise Unreadable("a checkpoint is not signed by a key that is believed")
    leaves, bad = _read(bundle, step_seconds)
    differs = _compare_hashes(bundle, leaves)
    found = [each for each in (bad, differs) if each]
    trusted = (checkpoint, *noted)
    missing = _hold_against(bundle, leaves, checkpoint.size, trusted)
    # Where the hashes are those that were signed, they tell exactly which record is none of theirs.
    if missing is not None and not (differs and _hold_against(bundle, bundle.hashes, checkpoint.size, trusted) is None):
        raise _find_first(bundle, leaves, keys, trusted, [missing, *found])
    if found:
        raise min(found, key=lambda each: (_end_of(each), each.end is not None))
    cut_off = max((each.size for each in noted if each.size > checkpoint.size), default=None)
    if cut_off is not None:
        raise Bad(f"you noted a checkpoint over {cut_off} records; these are {checkpoint.size}", checkpoint.size)
    return checkpoint, len(leaves)


def _read(bundle: Bundle, step_seconds: int) -> tuple[list[bytes], Bad | None]:
    """Return the hashes of all records, and what is wrong with their order or clocks first.

    Of lines that no position or no hash is for, only one is read: it tells that there are more, and millions of empty
    ones, which take next to nothing in a zip file, would fill the memory.
    """
    leaves, bad, writers, places = [], None, Writers(step_seconds), bundle.places()
    for line in islice(bundle.lines(), min(bundle.positions, len(bundle.hashes)) + 1):
        leaves.append(leaf_hash(line))
        position, run = next(places, (None, 0))
        if bad is None and position is not None:
            try:
                writers.check(position, line, run)
            except Bad as error:
                bad = error
    return leaves, bad


def _compare_hashes(bundle: Bundle, leaves: Sequence[bytes]) -> Bad | None:
    """Return the first record that is not the one whose hash is kept."""
    position = -1
    for number, (position, _) in enumerate(bundle.places()):
        leaf = leaves[number] if number < len(leaves) else None
        kept = bundle.hashes[number] if number < len(bundle.hashes) else None
        if leaf != kept or leaf is None:
            if kept is not None and number + 1 < len(leaves) and leaves[number + 1] == kept:
                return Bad(f"a record was put in at {position}", position)
            if leaf is not None and number + 1 < len(bundle.hashes) and bundle.hashes[number + 1] == leaf:
                return Bad(f"record {position} is gone", position)
            return Bad(f"record {position} is not the one whose hash is kept", position)
    if len(leaves) > bundle.positions:
        return Bad(f"a record was put in at {position + 1}", position + 1)
    return None


def _hold_against(bundle: Bundle, leaves: Sequence[bytes], size: int, trusted: Sequence[Checkpoint]) -> Bad | None:
    """Return what keeps these hashes from leading to the roots of the checkpoints. The first one is over all."""
    roots, missing = compute_roots(bundle, leaves, size, [each.size for each in trusted])
    for each in trusted:
        each.compared = each.size in roots
    if missing is None and bundle.ranges and bundle.ranges[-1][1] > size:
        missing = Bad(f"the checkpoint is over {size} records", size)
    if missing is None and any(roots.get(each.size, each.root) != each.root for each in trusted):
        missing = Bad("the records do not lead to the root that was signed", 0, size)
    return missing


def _find_first(
    bundle: Bundle, leaves: Sequence[bytes], keys: list[Key], trusted: Sequence[Checkpoint], found: Sequence[Bad]
) -> Bad:
    """Return what is wrong first, as exactly as the checkpoints tell that agree, and those that do not.

    Where that cannot be told exactly, it begins at the first position that is not proved: something may be wrong before
    what was found.
    """
    size, noted = trusted[0].size, trusted[1:]
    others = [(each, note) for note in bundle.checkpoints for each in _try(note, ())]
    roots, _ = compute_roots(bundle, leaves, size, [each.size for each, _ in others] + [each.size for each in noted])
    marks: list[tuple[Checkpoint, str | None]] = [(each, None) for each in noted]
    if all(roots.get(each.size, each.root) == each.root for each in noted):  # else somebody else has the key that signs
        marks += [(trusted[0], None), *others]
    marks.sort(key=lambda mark: mark[0].size)
    agree = [mark for mark in marks if roots.get(mark[0].size) == mark[0].root]
    differ = [mark for mark in marks if mark[0].size in roots and roots[mark[0].size] != mark[0].root]
    # Signatures of the bundle's own checkpoints count only here, and take some milliseconds each.
    begin = next((each.size for each, note in reversed(agree) if _is_signed(note, keys)), 0)
    begin = max(begin, bundle.ranges[0][0] if bundle.ranges else 0)
    first = min(found, key=_end_of)
    if _end_of(first) <= begin:
        return first
    signed = next((each.size for each, note in differ if _is_signed(note, keys)), size)
    if begin < signed < _end_of(first):
        first = Bad(f"a checkpoint over {signed} records is over others than these", begin, signed)
    end = _end_of(first)
    return Bad(first.detail, begin, end if end > begin + 1 else None)


def _end_of(bad: Bad) -> int:
    return bad.position + 1 if bad.end is None else bad.end


def _is_signed(note: str | None, keys: list[Key]) -> bool:
    """Tell whether a checkpoint of the bundle is signed by a key that is believed; ``None``: it is one that was."""
    return note is None or any(each.is_signed for each in _try(note, keys))


def _try(note: str, keys: Sequence[Key]) -> list[Checkpoint]:
    """Return the checkpoint; none if it is none, or somebody changed it. It could only have told more."""
    try:
        return [Checkpoint(note, keys)]
    except Unreadable:
        return []


def verify_growth(text: str, keys: list[Key]) -> tuple[Checkpoint, Checkpoint]:
    """Return the two checkpoints of a proof that the records under the first begin those under the second.

    Raises:
        Bad: they do not.
        Unreadable: it is no proof, or nobody who is believed signed the checkpoints.
    """
    try:
        proof = json.loads(text)
        first, second = Checkpoint(proof["first"], keys), Checkpoint(proof["second"], keys)
        hashes = [_decode(each) for each in proof["hashes"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable("this is not a proof between two checkpoints") from None
    if not (first.is_signed and second.is_signed):
        raise Unreadable("a checkpoint is not signed by a key that is believed")
    if first.size > second.size:
        raise Bad(f"the second checkpoint is over {second.size} records only", second.size)
    if not _grew(first, second, hashes):
        raise Bad("the records under the first checkpoint do not begin those under the second", 0, first.size)
    return first, second


def _grew(first: Checkpoint, second: Checkpoint, hashes: list[bytes]) -> bool:
    """Tell whether the proof is right (RFC 9162, 2.1.4.2)."""
    if first.size in (0, second.size):
        return not hashes and (first.size == 0 or first.root == second.root)
    if not first.size & (first.size - 1):
        hashes = [first.root, *hashes]
    if not hashes:
        return False
    index, last = first.size - 1, second.size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and old == first.root and new == second.root


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        description="Verify a bundle of Rambridge's audit log.",
        epilog="Exit code: 0 if all is good, 1 if something is bad, 2 if it cannot be verified.",
    )
    parser.add_argument("bundle", type=Path, nargs="?", help="the folder or zip file")
    parser.add_argument("--grew", type=Path, metavar="FILE", help="verify a proof between two checkpoints")
    parser.add_argument("--key", action="append", default=[], help="the log's public key, as NAME+ID+KEY")
    parser.add_argument("--noted", type=Path, action="append", default=[], help="a file with checkpoints noted earlier")
    step_help = "how far a clock may go back without a record that says so (seconds, %(default)s)"
    parser.add_argument("--clock-step", type=int, default=STEP_SECONDS, metavar="SECONDS", help=step_help)
    options = parser.parse_args(arguments)
    if (options.bundle is None) == (options.grew is None) or (options.grew and not options.key):
        parser.error("name a bundle, or --grew FILE and --key")
    try:
        if options.grew:
            first, second = verify_growth(options.grew.read_text(encoding="utf-8"), [Key(key) for key in options.key])
            say(
                f"GOOD: the {first.size} records of then are the first of the {second.size} records of {_name(second)}."
            )
            return 0
        bundle = Bundle(options.bundle)
        given = [Key(text) for text in options.key or bundle.keys]
        believed = follow(given, bundle.hand_overs, back=True)
        notes = [note for place in options.noted for note in split_notes(place.read_text(encoding="utf-8"))]
        noted = [Checkpoint(note, believed) for note in notes]
        checkpoint, count = verify(bundle, given, noted, options.clock_step)
    except Bad as bad:
        where = f"{bad.position}" if bad.end is None else f"between {bad.position} and {bad.end - 1}"
        say(f"BAD: {bad.detail}\nfirst bad position: {where}")
        return 1
    except (Unreadable, OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, UnicodeError) as error:
        say(f"Cannot be verified: {error}", sys.stderr)
        return 2
    spans = ", ".join(f"{begin}" if end == begin + 1 else f"{begin} to {end - 1}" for begin, end in bundle.ranges[:5])
    more = f" and {len(bundle.ranges) - 5} more ranges" if len(bundle.ranges) > 5 else ""
    what = f"1 record of {_name(checkpoint)}" if count == 1 else f"{count} records of {_name(checkpoint)}"
    say(f"GOOD: {what}, at {spans or 'no position'}{more}: exactly what was recorded.")
    if checkpoint.note.time is not None:
        when = datetime.fromtimestamp(checkpoint.note.time, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        say(f"The log had {checkpoint.size} records when that was signed, {when}.")
    for key in checkpoint.note.signed_by:
        say(f"Signed by {key.text}")
    if noted:
        compared = sum(each.compared for each in noted)
        agreed = ": they agree." if compared else ", which proves nothing of them: the bundle has no hashes of then."
        say(f"{compared} of {len(noted)} checkpoints that you noted could be compared{agreed}")
    if bundle.is_opened:
        say(f"{OPENED} is not proved by this: what it says of people is by whoever made the bundle.")
    if not options.key:
        say("This key came with the bundle. It proves something if it is the one that the operator published.")
    return 0


def say(text: str, file: TextIO | None = None) -> None:
    """Print a text, whatever a stranger put into it: nothing moves the cursor, and any terminal can show it."""
    shown = (each if each == "\n" or (each.isascii() and each.isprintable()) else ascii(each)[1:-1] for each in text)
    print("".join(shown), file=file or sys.stdout)


def _name(checkpoint: Checkpoint) -> str:
    return checkpoint.origin[:LONGEST_NAME]


if __name__ == "__main__":
    sys.exit(main())
