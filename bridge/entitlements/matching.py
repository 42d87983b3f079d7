"""One condition against one claim.

A claim is compared as it was stated: whole, in its own case, letter for letter. It is *unreadable* when it has a
shape that the comparison cannot be sure about; then nothing is known about it, which is not the same as knowing
that the value is not there. A rule that grants needs to know that its condition holds; a rule that denies applies
until it is known that its condition does not hold.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from bridge.identity.verified import Claim

MAX_CHARACTERS = 1024
"""Longer text is nobody's group, department or number."""
MAX_VALUES = 10_000

Condition: TypeAlias = Literal[
    "provider", "expires", "hours", "networks", "groups", "not_groups", "claims", "when", "strength", "age"
]
"""What a rule can ask for; ``strength`` and ``age`` are the two parts of ``require``."""

ClaimType: TypeAlias = Literal["string", "list", "bool", "int", "map"]
"""What a claim can be declared to be."""
_TYPES: Mapping[ClaimType, type] = {"string": str, "list": list, "bool": bool, "int": int, "map": dict}

_GROUP_ID = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"  # UUID: object ID
    r"|S-1-[0-9]+(?:-[0-9]+){1,15}"  # security identifier
    r"|[A-Za-z][A-Za-z0-9-]*=(?:[^,\\]|\\.)+(?:,[A-Za-z][A-Za-z0-9-]*=(?:[^,\\]|\\.)+)+",  # distinguished name
    re.ASCII,
)
INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
INVISIBLE_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


@dataclass(frozen=True)
class Finding:
    """What one condition came to, and why, in words for the person who wrote the rule."""

    holds: bool | None
    """None: it cannot be known."""
    reason: str
    condition: Condition
    """Which kind of condition was looked at."""
    claims: tuple[str, ...] = ()
    """The claims that it read, by our names for them."""

    @property
    def about_sign_in(self) -> bool:
        """Tell whether another sign-in of the same person could better it."""
        return self.condition in {"strength", "age"}


@dataclass(frozen=True)
class Texts:
    """What can be read of one claim."""

    values: frozenset[str]
    readable: bool = True
    note: str = ""
    """Why the claim, or a part of it, cannot be read; empty where all of it can."""
    absent: bool = False
    """Whether the provider sent no such claim at all, which is less than sending an empty one."""


def fold_case(text: str) -> str:
    """Return ``text`` in lower case, in Unicode normal form C: what ``ignore_case`` compares.

    ``str.lower`` and not ``str.casefold``: that one takes more letters for the same (the long s for ``s``, ``ß``
    for ``ss``), and so lets more names through that only look alike. Only ``A`` to ``Z`` become ASCII letters here.
    """
    return unicodedata.normalize("NFC", text.lower())


@dataclass(frozen=True)
class ClaimSchema:
    """What is known of the claims that one provider sends."""

    group_ids: bool = False
    """Whether its groups are immutable identifiers, and not names."""
    types: Mapping[str, ClaimType] = field(default_factory=dict)
    """The types of some claims; one of another type is unreadable."""
    workload: bool = False
    """Whether it vouches for workloads, anybody's perhaps: only rules that name it grant them anything."""


def find_flaw(text: str) -> str | None:
    """Return why ``text`` must not be compared, or None where it may.

    Stops names that look like another one: written in another Unicode form, or holding characters that nobody
    sees (threat MAP-05, Unicode UTS 39).
    """
    if len(text) > MAX_CHARACTERS:
        return f"longer than {MAX_CHARACTERS} characters"
    if text.isascii() and text.isprintable():
        return None
    if any(unicodedata.category(letter) in INVISIBLE_CATEGORIES for letter in text):
        return "holds a control or invisible character"
    if not INVISIBLE_LETTERS.isdisjoint(text):
        return "holds an invisible character"
    return None if unicodedata.is_normalized("NFC", text) else "not in Unicode normal form C"


def has_type(claim: Claim, declared: ClaimType | None) -> bool:
    """Return whether a claim is of the type that is declared; of an undeclared one every type will do."""
    return declared is None or (
        isinstance(claim, _TYPES[declared]) and (declared == "bool" or not isinstance(claim, bool))
    )


def is_group_id(text: str) -> bool:
    """Return whether a text has the shape of an identifier that nobody can choose: UUID, SID, distinguished name."""
    return bool(_GROUP_ID.fullmatch(text))


def keep_kind(groups: Texts, *, ids: bool) -> Texts:
    """Return the groups without those that are of the other kind: names among identifiers, or the reverse.

    Where people may create groups, one can give a group the name, or the identifier as its name, of another one
    (threat MAP-04).
    """
    kept = frozenset(text for text in groups.values if is_group_id(text) is ids)
    if len(kept) == len(groups.values):
        return groups
    return replace(groups, values=kept, note=f"a group is left out: {'not an ID' if ids else 'an ID, not a name'}")


def read_texts(claims: Mapping[str, Claim], name: str) -> Texts:
    """Return the texts of the claim ``name``: it is one text or a list of texts, anything else is unreadable.

    A claim that the provider keeps elsewhere because it has too many values (``_claim_names``, ``hasgroups``: OIDC
    Core 5.6.2) is unreadable, never empty (threat MAP-06).
    """
    claim = claims.get(name)
    if claim is None:
        elsewhere = claims.get("_claim_names")
        if isinstance(elsewhere, dict) and name in elsewhere:
            return Texts(frozenset(), readable=False, note=f"the provider did not send `{name}`: too many values")
        if name == "groups" and claims.get("hasgroups", False) is not False:
            return Texts(frozenset(), readable=False, note="the provider did not send `groups`: too many values")
        return Texts(frozenset(), absent=True)
    values = [claim] if isinstance(claim, str) else claim
    if not isinstance(values, list) or len(values) > MAX_VALUES:
        return Texts(frozenset(), readable=False, note=f"`{name}` is not a list of texts")
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        return Texts(frozenset(), readable=False, note=f"`{name}` holds something other than texts")
    flaws = {text: flaw for text in texts if (flaw := find_flaw(text))}
    note = f"a value of `{name}` is left out: {next(iter(flaws.values()))}" if flaws else ""
    return Texts(frozenset(text for text in texts if text not in flaws), note=note)


def match_any(
    texts: Texts, wanted: frozenset[str], name: str, condition: Literal["groups", "claims"] = "claims"
) -> Finding:
    """Return whether the claim has at least one of the ``wanted`` values. An absent claim has none."""
    if not texts.readable:
        return Finding(holds=None, reason=texts.note, condition=condition, claims=(name,))
    found = sorted(texts.values & wanted)
    if found:
        return Finding(holds=True, reason=f"`{name}` has {', '.join(found)}", condition=condition, claims=(name,))
    reason = f"`{name}` has none of: {', '.join(sorted(wanted))}" if texts.values else f"`{name}` is absent or empty"
    return Finding(
        holds=False, reason=f"{reason}; {texts.note}" if texts.note else reason, condition=condition, claims=(name,)
    )


def match_beginning(texts: Texts, beginnings: Sequence[str], name: str) -> Finding:
    """Return whether the claim has a value that begins with one of these and goes on after it.

    What the claim holds is data: a ``*`` in it is a letter like any other (threat STS-10). Compared exactly.
    """
    if not texts.readable:
        return Finding(holds=None, reason=texts.note, condition="claims", claims=(name,))
    for text in sorted(texts.values):
        for beginning in beginnings:
            if text.startswith(beginning) and text != beginning:
                reason = f"`{name}` has {text}, which is like {beginning}*"
                return Finding(holds=True, reason=reason, condition="claims", claims=(name,))
    wanted = ", ".join(f"{beginning}*" for beginning in beginnings)
    shown = f"`{name}` has nothing like: {wanted}" if texts.values else f"`{name}` is absent or empty"
    reason = f"{shown}; {texts.note}" if texts.note else shown
    return Finding(holds=False, reason=reason, condition="claims", claims=(name,))


def match_none(texts: Texts, unwanted: frozenset[str], name: str) -> Finding:
    """Return whether the claim has none of the ``unwanted`` values.

    Having no value must be stated: it cannot be known of a claim that is absent, nor of one of which a value was left
    out. Else the way past this condition would be to send nothing, or something unreadable (threat MAP-06).
    """
    found = sorted(texts.values & unwanted)
    if found:
        reason = f"`{name}` has {', '.join(found)}, which the rule leaves out"
        return Finding(holds=False, reason=reason, condition="not_groups", claims=(name,))
    listed = ", ".join(sorted(unwanted))
    if texts.note or texts.absent:
        why = texts.note or f"`{name}` is absent"
        reason = f"whether `{name}` has none of {listed} cannot be known: {why}"
        return Finding(holds=None, reason=reason, condition="not_groups", claims=(name,))
    return Finding(holds=True, reason=f"`{name}` has none of: {listed}", condition="not_groups", claims=(name,))
