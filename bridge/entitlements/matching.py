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
from bridge.language import Said, mark, phrase

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
    why: Said
    """The words, which are made only where somebody reads them."""
    condition: Condition
    """Which kind of condition was looked at."""
    claims: tuple[str, ...] = ()
    """The claims that it read, by our names for them."""

    @property
    def reason(self) -> str:
        """Return why, as it is recorded: in English."""
        return self.why.english

    @property
    def about_sign_in(self) -> bool:
        """Tell whether another sign-in of the same person could better it."""
        return self.condition in {"strength", "age"}


@dataclass(frozen=True)
class Texts:
    """What can be read of one claim."""

    values: frozenset[str]
    readable: bool = True
    note: Said | None = None
    """Why the claim, or a part of it, cannot be read; None where all of it can."""
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
    """Return why ``text`` must not be compared, in English, or None where it may.

    Stops names that look like another one: written in another Unicode form, or holding characters that nobody
    sees (threat MAP-05, Unicode UTS 39).
    """
    if len(text) > MAX_CHARACTERS:
        return mark("longer than 1024 characters")
    if text.isascii() and text.isprintable():
        return None
    if any(unicodedata.category(letter) in INVISIBLE_CATEGORIES for letter in text):
        return mark("holds a control or invisible character")
    if not INVISIBLE_LETTERS.isdisjoint(text):
        return mark("holds an invisible character")
    return None if unicodedata.is_normalized("NFC", text) else mark("not in Unicode normal form C")


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
    note = phrase("a group is left out: not an ID") if ids else phrase("a group is left out: an ID, not a name")
    return replace(groups, values=kept, note=note)


def read_texts(claims: Mapping[str, Claim], name: str) -> Texts:
    """Return the texts of the claim ``name``: it is one text or a list of texts, anything else is unreadable.

    A claim that the provider keeps elsewhere because it has too many values (``_claim_names``, ``hasgroups``: OIDC
    Core 5.6.2) is unreadable, never empty (threat MAP-06).
    """
    claim = claims.get(name)
    if claim is None:
        elsewhere = claims.get("_claim_names")
        if isinstance(elsewhere, dict) and name in elsewhere:
            return _unreadable(phrase("the provider did not send `%(name)s`: too many values", name=name))
        if name == "groups" and claims.get("hasgroups", False) is not False:
            return _unreadable(phrase("the provider did not send `%(name)s`: too many values", name=name))
        return Texts(frozenset(), absent=True)
    values = [claim] if isinstance(claim, str) else claim
    if not isinstance(values, list) or len(values) > MAX_VALUES:
        return _unreadable(phrase("`%(name)s` is not a list of texts", name=name))
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        return _unreadable(phrase("`%(name)s` holds something other than texts", name=name))
    flaws = {text: flaw for text in texts if (flaw := find_flaw(text))}
    first = next(iter(flaws.values()), None)
    note = phrase("a value of `%(name)s` is left out: %(flaw)s", name=name, flaw=phrase(first)) if first else None
    return Texts(frozenset(text for text in texts if text not in flaws), note=note)


def _unreadable(note: Said) -> Texts:
    return Texts(frozenset(), readable=False, note=note)


def match_any(
    texts: Texts, wanted: frozenset[str], name: str, condition: Literal["groups", "claims"] = "claims"
) -> Finding:
    """Return whether the claim has at least one of the ``wanted`` values. An absent claim has none."""
    if not texts.readable and texts.note is not None:
        return Finding(holds=None, why=texts.note, condition=condition, claims=(name,))
    found = texts.values & wanted
    if found:
        why = phrase("`%(name)s` has %(found)s", name=name, found=found)
        return Finding(holds=True, why=why, condition=condition, claims=(name,))
    why = phrase("`%(name)s` has none of: %(wanted)s", name=name, wanted=wanted) if texts.values else _say_absent(name)
    return Finding(holds=False, why=_add_note(why, texts), condition=condition, claims=(name,))


def match_beginning(texts: Texts, beginnings: Sequence[str], name: str) -> Finding:
    """Return whether the claim has a value that begins with one of these and goes on after it.

    What the claim holds is data: a ``*`` in it is a letter like any other (threat STS-10). Compared exactly.
    """
    if not texts.readable and texts.note is not None:
        return Finding(holds=None, why=texts.note, condition="claims", claims=(name,))
    for text in sorted(texts.values):
        for beginning in beginnings:
            if text.startswith(beginning) and text != beginning:
                why = phrase("`%(name)s` has %(text)s, which is like %(begin)s*", name=name, text=text, begin=beginning)
                return Finding(holds=True, why=why, condition="claims", claims=(name,))
    why = _say_absent(name)
    if texts.values:
        wanted = tuple(f"{beginning}*" for beginning in beginnings)
        why = phrase("`%(name)s` has nothing like: %(wanted)s", name=name, wanted=wanted)
    return Finding(holds=False, why=_add_note(why, texts), condition="claims", claims=(name,))


def match_none(texts: Texts, unwanted: frozenset[str], name: str) -> Finding:
    """Return whether the claim has none of the ``unwanted`` values.

    Having no value must be stated: it cannot be known of a claim that is absent, nor of one of which a value was left
    out. Else the way past this condition would be to send nothing, or something unreadable (threat MAP-06).
    """
    found = texts.values & unwanted
    if found:
        why = phrase("`%(name)s` has %(found)s, which the rule leaves out", name=name, found=found)
        return Finding(holds=False, why=why, condition="not_groups", claims=(name,))
    if texts.note or texts.absent:
        note = texts.note or phrase("`%(name)s` is absent", name=name)
        message = phrase(
            "whether `%(name)s` has none of %(unwanted)s cannot be known: %(note)s",
            name=name,
            unwanted=unwanted,
            note=note,
        )
        return Finding(holds=None, why=message, condition="not_groups", claims=(name,))
    why = phrase("`%(name)s` has none of: %(wanted)s", name=name, wanted=unwanted)
    return Finding(holds=True, why=why, condition="not_groups", claims=(name,))


def _say_absent(name: str) -> Said:
    return phrase("`%(name)s` is absent or empty", name=name)


def _add_note(why: Said, texts: Texts) -> Said:
    return phrase("%(first)s; %(second)s", first=why, second=texts.note) if texts.note else why
