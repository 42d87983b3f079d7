"""Session policies that are partly taken from claims: ``acs:oss:*:*:data/people/${ claims.uid }/*``.

A person's claims decide a part of what the person may do here (threat MAP-03). So a placeholder stands only in
resources and in values of conditions on text, never where a name, an effect or an action is; what it puts in can
neither end a text nor be a pattern; and it never touches a wildcard or another placeholder, since `li*` would be
Lin's too. What comes out is checked as a whole once more.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.entitlements.expressions import Expression, ExpressionInvalid, Variables, compile_text
from bridge.entitlements.ram_policy import (
    PLACEHOLDER,
    Flaw,
    find_policy_flaws,
    find_size_flaw,
    list_texts,
    write_policy,
)
from bridge.language import Said, phrase
from bridge.yaml_documents import Loc

MAX_VALUE_CHARACTERS = 64

_VALUE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}", re.ASCII)
"""No wildcard, separator, quote or placeholder, and not `..` either."""
_SEPARATOR = re.compile(r"[^A-Za-z0-9._@*?-]")
"""What stands between a value and whatever is open beside it: a character that no value can hold."""

Parts = tuple[str | Expression, ...]


class _PlaceholderInvalid(Exception):
    def __init__(self, message: str, column: int, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
        self.fix = fix


@dataclass(frozen=True)
class PolicyTemplate:
    """A checked session policy, and the texts in it that claims complete."""

    text: str
    """As JSON, placeholders as they were written. All the rest is read from it."""
    parts: Mapping[Loc, Parts] = field(repr=False, compare=False)
    """The pieces of each text that holds a placeholder, by its place."""

    def iterate_expressions(self) -> Iterator[Expression]:
        """Yield each expression that it evaluates."""
        for parts in self.parts.values():
            yield from (part for part in parts if isinstance(part, Expression))

    @property
    def is_literal(self) -> bool:
        """Whether the policy is the same for everybody."""
        return not self.parts

    def fill(self, variables: Variables) -> tuple[str | None, Said | None]:
        """Return the policy for these variables as JSON, or None and why there is none."""
        filled = json.loads(self.text)
        for loc, parts in self.parts.items():
            text = ""
            for part in parts:
                if isinstance(part, str):
                    text += part
                    continue
                value, reason = part.read_text(variables)
                place = f"${{{part.text}}}"
                if value is None:
                    return None, phrase(
                        "the session policy has no value for %(place)s: %(reason)s", place=place, reason=reason
                    )
                if not _VALUE.fullmatch(value):
                    return None, phrase(
                        "%(place)s is not a plain value for a session policy: "
                        "letters, digits, `.`, `_`, `@` and `-`, at most %(most)s",
                        place=place,
                        most=MAX_VALUE_CHARACTERS,
                    )
                text += value
            _put(filled, loc, text)
        written = write_policy(filled)
        flaw = next(find_policy_flaws(json.loads(written)), None) or find_size_flaw(written)
        if flaw:
            return None, phrase("the filled session policy is refused: %(flaw)s", flaw=flaw.message)
        return written, None


def compile_policy(policy: object) -> tuple[PolicyTemplate | None, tuple[Flaw, ...]]:
    """Return the checked policy, or None and everything that is wrong with it."""
    flaws = list(find_policy_flaws(policy, template=True))
    if flaws or not isinstance(policy, dict):
        return None, tuple(flaws)
    parts: dict[Loc, Parts] = {}
    longest = copy.deepcopy(policy)
    for loc, text in _iterate_open_texts(policy):
        if "${" in text:
            try:
                parts[loc] = _split(text)
            except _PlaceholderInvalid as error:
                where = f"statement {int(loc[1]) + 1}: "
                flaws.append(Flaw(loc, f"{where}{error.message}", error.fix, place=(1, error.column)))
            _put(longest, loc, PLACEHOLDER.sub("x" * MAX_VALUE_CHARACTERS, text))
    # With the longest values, so that nobody's name decides whether there is a policy.
    too_large = find_size_flaw(write_policy(longest))
    if too_large:
        flaws.append(too_large)
    return (None if flaws else PolicyTemplate(write_policy(policy), parts)), tuple(flaws)


def _iterate_open_texts(policy: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Yield each text that a placeholder may stand in; the policy follows the grammar."""
    for number, statement in enumerate(policy["Statement"]):
        members: dict[Loc, Any] = {
            ("Statement", number, name): statement[name] for name in ("Resource", "NotResource") if name in statement
        }
        for operator, keys in statement.get("Condition", {}).items():
            members |= {("Statement", number, "Condition", operator, key): value for key, value in keys.items()}
        for loc, value in members.items():
            yield from ((at, text) for at, text in list_texts(value, loc) if isinstance(text, str))


def _split(text: str) -> Parts:
    parts: list[str | Expression] = []
    end = 0
    for match in PLACEHOLDER.finditer(text):
        parts.append(_check_literal(text, end, match.start(), after_placeholder=end > 0, before_placeholder=True))
        if match[1].strip().startswith("acs:"):
            message = f"RAM documents no variables, so `{match[0]}` would stand for itself"
            raise _PlaceholderInvalid(message, match.start() + 1, "Take the value from a claim: `${ claims.uid }`.")
        try:
            parts.append(compile_text(match[1]))
        except ExpressionInvalid as error:
            fix = "Correct the expression; config/README.md lists what it can read."
            raise _PlaceholderInvalid(error.message, match.start(1) + error.column, fix) from error
        end = match.end()
    parts.append(_check_literal(text, end, len(text), after_placeholder=end > 0, before_placeholder=False))
    return tuple(part for part in parts if part)


def _check_literal(text: str, start: int, end: int, *, after_placeholder: bool, before_placeholder: bool) -> str:
    """Return what stands between two placeholders, or before the first, or after the last.

    Two people's policies must not overlap because the name of one begins with that of the other.
    """
    piece = text[start:end]
    if "${" in piece:
        at = start + piece.index("${") + 1
        raise _PlaceholderInvalid("this `${` begins no placeholder", at, "Write `${ … }` around an expression.")
    fix = "Put a character between the two that no value has, such as `/`."
    before, *further = re.split(r"[*?]", piece)
    if after_placeholder and (further or before_placeholder) and not _SEPARATOR.search(before):
        message = "this wildcard belongs to the placeholder before it: with `li`, `li*` is also what begins with `li`"
        if not further:
            message = "nothing tells where one placeholder ends and the next one begins"
        raise _PlaceholderInvalid(message, start + len(before) + 1, fix)
    if before_placeholder and further and not _SEPARATOR.search(further[-1]):
        message = "a wildcard belongs to this placeholder: with `li`, `*li` is also what ends with `li`"
        raise _PlaceholderInvalid(message, end + 1, fix)
    return piece


def _put(policy: Any, loc: Loc, text: str) -> None:
    for step in loc[:-1]:
        policy = policy[step]
    policy[loc[-1]] = text
