"""What differs between two versions, as a unified diff that costs little to make, however long the files are."""

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bridge.entitlements.rules import RuleFiles

CONTEXT = 3
LONGEST = 4_000
"""Lines of which two texts are compared one by one, their common beginning and end left out; beyond, as a whole."""


@dataclass(frozen=True)
class FileDifference:
    """What differs in one file."""

    name: str
    kind: Literal["added", "removed", "changed"]
    lines: tuple[str, ...]
    """Of its hunks, without line ends; the first character says what a line is."""

    @property
    def added(self) -> int:
        """Return how many lines there are now that were not."""
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        """Return how many lines there were that are not now."""
        return sum(line.startswith("-") for line in self.lines)


@dataclass(frozen=True)
class Difference:
    """What differs in all files, by name."""

    files: tuple[FileDifference, ...]

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Return the lines of a unified diff, without line ends."""
        return tuple(line for file in self.files for line in _write_file(file))

    @property
    def added(self) -> int:
        """Return how many lines there are now that were not."""
        return sum(file.added for file in self.files)

    @property
    def removed(self) -> int:
        """Return how many lines there were that are not now."""
        return sum(file.removed for file in self.files)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 (hex) of the whole diff."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()

    def bound(self, characters: int) -> tuple[str, ...]:
        """Return the first lines, at most so many characters of them; the last one says if there are more."""
        kept: list[str] = []
        for number, line in enumerate(self.lines):
            characters -= len(line) + 1
            if characters < 0:
                return (*kept, f"… {len(self.lines) - number} more lines")
            kept.append(line)
        return tuple(kept)


def compare_files(before: RuleFiles | None, after: RuleFiles) -> Difference:
    """Return what differs; None before: everything is new."""
    old: Mapping[str, bytes] = {} if before is None else before.texts
    names = sorted({*old, *after.texts})
    return Difference(
        tuple(
            _compare(name, old.get(name), after.texts.get(name))
            for name in names
            if old.get(name) != after.texts.get(name)
        )
    )


def _write_file(file: FileDifference) -> Iterator[str]:
    yield f"--- {'/dev/null' if file.kind == 'added' else f'a/{file.name}'}"
    yield f"+++ {'/dev/null' if file.kind == 'removed' else f'b/{file.name}'}"
    yield from file.lines


def _split(content: bytes | None) -> list[str]:
    lines = (content or b"").decode("utf-8", "backslashreplace").split("\n")
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], f"{lines[-1]} (no line end)"]


def _compare(name: str, before: bytes | None, after: bytes | None) -> FileDifference:
    kind: Literal["added", "removed", "changed"] = "changed"
    if before is None or after is None:
        kind = "added" if before is None else "removed"
    return FileDifference(name, kind, tuple(_write_hunks(_split(before), _split(after))))


def _write_hunks(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    head = _count_common(old, new)
    tail = _count_common(old[head:][::-1], new[head:][::-1])
    start = max(head - CONTEXT, 0)
    old_part = old[start : len(old) - max(tail - CONTEXT, 0)]
    new_part = new[start : len(new) - max(tail - CONTEXT, 0)]
    if max(len(old_part), len(new_part)) > LONGEST:
        groups = [[("replace", 0, len(old_part), 0, len(new_part))]]
    else:
        matcher = difflib.SequenceMatcher(None, old_part, new_part)
        groups = [list(group) for group in matcher.get_grouped_opcodes(CONTEXT)]
    for group in groups:
        yield from _write_hunk(group, old_part, new_part, start)


def _write_hunk(
    group: Sequence[tuple[str, int, int, int, int]], old: Sequence[str], new: Sequence[str], start: int
) -> Iterator[str]:
    first, last = group[0], group[-1]
    yield f"@@ -{_range(first[1], last[2], start)} +{_range(first[3], last[4], start)} @@"
    for tag, old_from, old_to, new_from, new_to in group:
        if tag == "equal":
            yield from (f" {line}" for line in old[old_from:old_to])
        else:
            yield from (f"-{line}" for line in old[old_from:old_to])
            yield from (f"+{line}" for line in new[new_from:new_to])


def _range(first: int, last: int, start: int) -> str:
    """Write a range of lines as unified diffs do: an empty one names the line before it."""
    length = last - first
    return f"{start + first + (1 if length else 0)},{length}"


def _count_common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
