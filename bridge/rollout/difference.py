"""What differs between two versions, as a unified diff that costs little to make, however long the files are."""

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bridge.entitlements.rules import RuleFiles

CONTEXT = 3
LONGEST = 4_000
"""Lines of which two texts are compared one by one, their common beginning and end left out; beyond, as a whole."""


@dataclass(frozen=True)
class Difference:
    """The lines of a unified diff, without line ends."""

    lines: tuple[str, ...]
    added: int
    """How many lines the second version has that the first has not."""
    removed: int

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
    lines: list[str] = []
    added = removed = 0
    for name in sorted({*old, *after.texts}):
        if old.get(name) != after.texts.get(name):
            head, names, *hunks = _compare(name, _split(old.get(name)), _split(after.texts.get(name)))
            lines += (head, names, *hunks)
            added += sum(line.startswith("+") for line in hunks)
            removed += sum(line.startswith("-") for line in hunks)
    return Difference(tuple(lines), added, removed)


def _split(content: bytes | None) -> list[str] | None:
    if content is None:
        return None
    text = content.decode("utf-8", "backslashreplace")
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], lines[-1] + "\\ no line end"]


def _compare(name: str, before: list[str] | None, after: list[str] | None) -> Iterator[str]:
    yield f"--- {'/dev/null' if before is None else f'a/{name}'}"
    yield f"+++ {'/dev/null' if after is None else f'b/{name}'}"
    old, new = before or [], after or []
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
