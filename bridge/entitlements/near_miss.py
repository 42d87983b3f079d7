"""Why a claim does not have the value that a rule asks for, and how near it came.

This is computed beside the decision and decides nothing: it is asked only after a condition has failed. It compares in
every way in which ``matching.py`` must not, so that a person learns that ``Platform`` was sent where ``platform`` is
wanted.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from bridge.entitlements.lookalikes import describe_differences, find_differences, fold, quote
from bridge.entitlements.matching import read_texts
from bridge.identity.verified import Claim
from bridge.language import list_texts, translate, translate_number

Kind: TypeAlias = Literal[
    "case",
    "blanks",
    "invisible",
    "unicode form",
    "look-alike",
    "path",
    "one text",
    "identifier",
    "spelling",
    "type",
    "overage",
    "claim name",
    "other claim",
    "absent",
    "empty",
    "value",
]
"""In what way it missed; the last three are no near miss."""

MAX_LISTED = 5
MAX_COMPARED = 500
"""How many values of a claim are searched for one that is spelled almost like the wanted one."""
_LEAST_SPELLED, _MOST_SPELLED = 4, 60
_SEPARATORS = re.compile(r"[,;|\s]+")
_SIGNS = re.compile(r"\s*[,;|]\s*")
"""Within a list, a blank may be a part of a name."""
_FIRST_PART_OF_NAME = re.compile(r"\s*[A-Za-z0-9.]+\s*=\s*((?:[^,\\]|\\.)+)")
_IDENTIFIER = re.compile(r"\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?|S-1-[0-9-]+", re.IGNORECASE)


class Miss(NamedTuple):
    """How a claim missed what was wanted."""

    kind: Kind
    claim: str
    """The claim that explains it: the one that was read, or the one that has the value."""
    wanted: str
    """The wanted value that came nearest; empty where none did."""
    text: str
    """What was sent, in words that go on after ``;``."""

    @property
    def is_near(self) -> bool:
        """Tell whether somebody probably meant this value."""
        return self.kind not in {"absent", "empty", "value"}


class Sent:
    """The claims of one identity, read once for all the rules that missed them."""

    def __init__(self, claims: Mapping[str, Claim]) -> None:
        """Take the claims as they were stated."""
        self.claims = claims
        self._folded: dict[str, dict[str, str]] = {}
        self._inner: dict[str, dict[str, tuple[Kind, str]]] = {}
        self._shortened: dict[str, dict[str, list[str]]] = {}
        self._texts: dict[str, list[str]] = {}
        self._readable: dict[str, bool] = {}

    def explain(self, name: str, wanted: Iterable[str]) -> Miss:
        """Return how the claim ``name`` missed each of the wanted values: the nearest of all ways."""
        ordered = sorted(wanted)
        claim = self.claims.get(name)
        if claim is None:
            return self._explain_absent(name, ordered)
        texts = self._list_texts(name)
        for find in (self._find_alike, self._find_inside):
            for value in ordered:
                miss = find(name, value)
                if miss:
                    return miss
        if not self._is_readable(name):
            return self._explain_type(name, claim)
        return (
            self._find_elsewhere(name, ordered)
            or self._find_misspelled(name, ordered)
            or self._explain_other(name, ordered, texts)
        )

    def _find_alike(self, name: str, wanted: str) -> Miss | None:
        sent = self._fold_values(name).get(fold(wanted))
        if sent is None or sent == wanted:
            return None
        differences = describe_differences(sent, wanted)
        text = translate("the provider sent %(sent)s (%(differences)s)", sent=quote(sent), differences=differences)
        return Miss(find_differences(sent, wanted)[0], name, wanted, text)

    def _find_inside(self, name: str, wanted: str) -> Miss | None:
        found = self._split_values(name).get(fold(wanted))
        if found is None:
            return None
        kind, sent = found
        if kind == "one text":
            text = translate("the provider sent one text with several values in it: %(sent)s", sent=quote(sent))
            return Miss(kind, name, wanted, text)
        text = translate("the provider sent %(sent)s, which is a path or full name of it", sent=quote(sent))
        return Miss(kind, name, wanted, text)

    def _explain_type(self, name: str, claim: Claim) -> Miss:
        text = translate("the provider sent %(type)s, which is not a list of texts", type=_describe_type(claim))
        return Miss("type", name, "", text)

    def _explain_absent(self, name: str, wanted: list[str]) -> Miss:
        texts = read_texts(self.claims, name)
        if not texts.readable:
            text = translate("%(note)s, so which ones is unknown", note=texts.note)
            return Miss("overage", name, "", text)
        similar = self._names.get(_fold_name(name))
        if similar is not None:
            text = translate(
                "there is no claim `%(name)s`, but one called %(similar)s", name=name, similar=quote(similar)
            )
            return Miss("claim name", similar, "", text)
        elsewhere = self._find_elsewhere(name, wanted)
        if elsewhere:
            return elsewhere
        return Miss("absent", name, "", translate("the provider sent no `%(name)s`", name=name))

    def _find_elsewhere(self, name: str, wanted: list[str]) -> Miss | None:
        for value in wanted:
            other = next((other for other in self._holders.get(fold(value), ()) if other != name), None)
            if other is not None:
                text = translate("%(other)s has it, and this rule reads `%(name)s`", other=quote(other), name=name)
                return Miss("other claim", other, value, text)
        return None

    def _find_misspelled(self, name: str, wanted: list[str]) -> Miss | None:
        shortened = self._shorten_values(name)
        for value in wanted:
            for short in _shorten(value):
                for sent in shortened.get(short, ()):
                    if _differ_by_a_letter(fold(sent), fold(value)):
                        text = translate("the provider sent %(sent)s (one letter differs)", sent=quote(sent))
                        return Miss("spelling", name, value, text)
        return None

    def _explain_other(self, name: str, wanted: list[str], texts: list[str]) -> Miss:
        if not texts:
            return Miss("empty", name, "", translate("the provider sent an empty `%(name)s`", name=name))
        if all(map(_IDENTIFIER.fullmatch, texts)) and not any(map(_IDENTIFIER.fullmatch, wanted)):
            text = translate("the provider sends identifiers such as %(sent)s, not names", sent=quote(texts[0]))
            return Miss("identifier", name, "", text)
        if len(texts) > MAX_LISTED:
            many = translate_number(
                "the provider sent %(number)s other", "the provider sent %(number)s others", len(texts)
            )
            return Miss("value", name, "", many)
        return Miss("value", name, "", translate("the provider sent %(sent)s", sent=list_texts(map(quote, texts))))

    @cached_property
    def _names(self) -> dict[str, str]:
        return {_fold_name(name): name for name, value in self.claims.items() if value is not None}

    @cached_property
    def _holders(self) -> dict[str, list[str]]:
        holders: dict[str, list[str]] = {}
        for name in self.claims:
            for text in self._list_texts(name):
                holders.setdefault(fold(text), []).append(name)
        return holders

    def _fold_values(self, name: str) -> dict[str, str]:
        if name not in self._folded:
            self._folded[name] = {fold(text): text for text in self._list_texts(name)}
        return self._folded[name]

    def _split_values(self, name: str) -> dict[str, tuple[Kind, str]]:
        if name not in self._inner:
            inner: dict[str, tuple[Kind, str]] = {}
            for text in self._list_texts(name):
                for part in _iterate_names(text):
                    inner.setdefault(fold(part), ("path", text))
                parts = (_SEPARATORS if self.claims[name] == text else _SIGNS).split(text)
                for part in parts if len(parts) > 1 else ():
                    inner.setdefault(fold(part), ("one text", text))
            self._inner[name] = inner
        return self._inner[name]

    def _shorten_values(self, name: str) -> dict[str, list[str]]:
        """Return the values of a claim by each text that is left of them without one letter.

        Two texts that differ by a letter have one of these in common, so nothing is compared with everything.
        """
        if name not in self._shortened:
            found: dict[str, list[str]] = {}
            for text in self._list_texts(name)[:MAX_COMPARED]:
                for short in _shorten(text):
                    found.setdefault(short, []).append(text)
            self._shortened[name] = found
        return self._shortened[name]

    def _list_texts(self, name: str) -> list[str]:
        """Return the texts of a claim, those that must not be compared included."""
        if name not in self._texts:
            claim = self.claims.get(name)
            values = claim if isinstance(claim, list) else [claim]
            self._texts[name] = [value[:_LONGEST] for value in values[:_MOST] if isinstance(value, str)]
        return self._texts[name]

    def _is_readable(self, name: str) -> bool:
        if name not in self._readable:
            self._readable[name] = read_texts(self.claims, name).readable
        return self._readable[name]


_LONGEST, _MOST = 2_000, 10_000


def _iterate_names(text: str) -> Iterator[str]:
    """Yield what stands for a group within its full name: of a path, an account, a distinguished name, an address."""
    distinguished = _FIRST_PART_OF_NAME.match(text)
    if distinguished:
        yield distinguished[1]
    for separator in ("/", "\\", ":"):
        if separator in text:
            yield text.rsplit(separator, 1)[1]
    if "@" in text:
        yield text.split("@", 1)[0]


def _describe_type(claim: Claim) -> str:  # noqa: PLR0911  one for each type
    match claim:
        case bool():
            return f"`{str(claim).lower()}`"
        case int() | float():
            return translate("the number %(number)s", number=str(claim)[:40])
        case dict():
            return translate("an object")
        case list():
            if all(isinstance(value, str) for value in claim):
                return translate("too many values")
            other = next(value for value in claim if not isinstance(value, str))
            return translate("a list that holds %(type)s", type=_describe_type(other))
        case str():
            return translate("a text")
    return "null"


def _fold_name(name: str) -> str:
    """Return a claim's name without what providers spell differently: ``Groups``, ``group`` and ``groups``."""
    plain = fold(name.rsplit("/", 1)[-1]).replace("_", "").replace("-", "")
    return plain.removesuffix("s")


def _shorten(text: str) -> set[str]:
    """Return a text and what is left of it without each of its letters; nothing of one too short or too long."""
    folded = fold(text)
    if not _LEAST_SPELLED <= len(folded) <= _MOST_SPELLED:
        return set()
    return {folded, *(folded[:at] + folded[at + 1 :] for at in range(len(folded)))}


def _differ_by_a_letter(one: str, other: str) -> bool:
    """Return whether one letter is another one, too many, missing or swapped with its neighbour.

    A digit that differs is on purpose: ``team-1`` is not a misspelled ``team-2``.
    """
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, rest_of_other = one[start:], other[start:]
    if any(letter.isdigit() for letter in rest[:1] + rest_of_other[:1]):
        return False
    if len(one) != len(other):
        longer, shorter = sorted((rest, rest_of_other), key=len, reverse=True)
        return longer[1:] == shorter
    swapped = rest[:2] == rest_of_other[1::-1] and rest[2:] == rest_of_other[2:]
    return rest[1:] == rest_of_other[1:] or swapped
