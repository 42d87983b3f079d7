"""Conditions in CEL, the Common Expression Language; the only module that knows its runtime.

An expression reads ``claims`` (a map of JSON values), ``identity`` (``provider``, ``protocol``, ``issuer``,
``subject``, ``acr``, ``amr``, ``authenticated_at``) and ``request`` (``source_address``, ``time``). It has no side
effects, is checked when rules are loaded, and its evaluation ends: the runtime stops after 10,000 iterations, and
regular expressions are RE2's, which take linear time (threats MAP-01 and MAP-02). We add bounds on what goes in, and
on how much longer it can become.

What is absent is left out, so that reading it is an error; an error means that the condition cannot be decided.
Loaded are the ``strings`` and ``optional`` extensions only: ``bindings`` would let an expression double its memory
again and again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from bridge.entitlements.checked_ast import Reads, find_reads, find_required
from bridge.entitlements.conjuncts import split_conjunction
from bridge.entitlements.matching import ClaimSchema, ClaimType, Finding, find_flaw, has_type
from bridge.identity.verified import Claim, VerifiedIdentity
from bridge.language import Said, chain, phrase

MAX_EXPRESSION_CHARACTERS = 2000
MAX_CLAIM_NODES = 5_000
MAX_LISTED_NODES = 1_500
"""The values of a claim that an expression may read which makes lists, at a cost of the square of their number."""
MAX_CLAIM_DEPTH = 8
MAX_INTEGER = 2**63 - 1
MAX_GROWTH = 50
"""How many times longer than a claim a text or list may become on the way. What doubles it can be written in a row."""

_MULTIPLYING = frozenset({"join", "format"})
_LENGTHENING = frozenset({"replace", "join", "format", "strings.quote"})
_STRING, _TIMESTAMP = cel.Type.STRING, cel.Type.TIMESTAMP
_VARIABLES = {
    "claims": cel.Type.Map(_STRING, cel.Type.DYN),
    "identity.provider": _STRING,
    "identity.protocol": _STRING,
    "identity.issuer": _STRING,
    "identity.subject": _STRING,
    "identity.acr": _STRING,
    "identity.amr": cel.Type.List(_STRING),
    "identity.authenticated_at": _TIMESTAMP,
    "request.source_address": _STRING,
    "request.time": _TIMESTAMP,
}
_EXTENSIONS = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
_ENVIRONMENT = cel.NewEnv(variables=_VARIABLES, extensions=_EXTENSIONS)
_TYPES: Mapping[ClaimType, Any] = {
    "string": _STRING,
    "list": cel.Type.List(cel.Type.DYN),
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "map": cel.Type.Map(_STRING, cel.Type.DYN),
}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_HAS_CLAIM = re.compile(r"\bhas\(\s*claims\.[A-Za-z0-9_]+\s*\)", re.ASCII)
_PATTERN_PROBE = _ENVIRONMENT.compile('"".matches(claims.pattern)')
_LITERALS = re.compile(r"\\.|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]", re.DOTALL)
"""What stands for one character in a pattern: an escape, or a class."""
_PLACE = re.compile(r"<input>:([0-9]+):([0-9]+): ([^\n]*)")


class ExpressionInvalid(Exception):
    """The text is not an expression that a rule may hold; ``line`` and ``column`` count from 1 in the text."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        """Take what is wrong and where."""
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Variables:
    """What every expression of one evaluation reads; built once and shared by all of them."""

    activation: Any = field(repr=False)
    note: Said | None = None
    """Why a part of the claims was left out; None where nothing was."""
    of_short_claims: "Variables | None" = None
    """The same without long claims, for expressions that make lists; None where no claim is long."""


_NOTHING = Variables(_ENVIRONMENT.Activation(data={}))
"""Every read of anything is an error."""


@dataclass(frozen=True)
class Expression:
    """A checked condition or text."""

    text: str
    paths: frozenset[tuple[str, ...]]
    """What it reads, such as ``("claims", "address", "city")``; ``("claims",)`` alone: any of them."""
    required: tuple[tuple[str, frozenset[str]], ...]
    """Claims that must be, or hold, one of these texts for it to be true."""
    makes_lists: bool
    """Whether it makes lists, so that it may read short claims only."""
    _compiled: Any = field(repr=False, compare=False)

    @cached_property
    def claims(self) -> tuple[str, ...]:
        """Return the names of the claims that it reads by name."""
        return tuple(sorted({path[1] for path in self.paths if path[0] == "claims" and len(path) > 1}))

    @cached_property
    def constant(self) -> bool | None:
        """Return what the condition comes to for everybody, or None where that depends on something."""
        result, _ = self._run(_NOTHING)
        return result if isinstance(result, bool) else None

    def evaluate(self, variables: Variables) -> Finding:
        """Return whether the condition holds; an error, or a result that is not true or false, decides nothing."""
        result, reason = self._run(variables)
        if isinstance(result, bool):
            return Finding(
                result, phrase("`when` is true") if result else phrase("`when` is false"), "when", self.claims
            )
        return Finding(None, phrase("`when` cannot be decided: %(reason)s", reason=reason), "when", self.claims)

    def read_text(self, variables: Variables) -> tuple[str | None, Said | None]:
        """Return the text that the expression comes to, or None and why there is none."""
        result, reason = self._run(variables)
        return (result, None) if isinstance(result, str) else (None, reason)

    def split(self) -> tuple["Expression", ...]:
        """Return the conditions that it joins by ``&&``, in order; a copy of itself if it joins none."""
        parts = split_conjunction(self._compiled.serialize(), len(self.text))
        return tuple(
            _describe(
                _trim(self.text[part.start : part.end]),
                find_reads(part.serialized),
                part.serialized,
                _ENVIRONMENT.deserialize(part.serialized),
            )
            for part in parts
        )

    def _run(self, variables: Variables) -> tuple[bool | str | None, Said | None]:
        if self.makes_lists and variables.of_short_claims is not None:
            variables = variables.of_short_claims
        try:
            value = self._compiled.eval(activation=variables.activation)
        except RuntimeError as error:
            return None, _say_error(_first_line(error))
        kind = value.type()
        if kind == cel.Type.BOOL or kind == _STRING:  # noqa: PLR1714 - a Type has no hash
            return value.plain_value(), None
        is_error = kind == cel.Type.ERROR
        reason = _say_error(str(value.value())) if is_error else phrase("it comes to %(type)s", type=kind.name())
        return None, chain((reason, variables.note)) if variables.note else reason


def _say_error(error: str) -> Said:
    # For translators: what the CEL runtime says, always in English.
    return phrase("%(error)s", error=error)


def compile_expression(text: str) -> Expression:
    """Return the checked condition.

    Raises:
        ExpressionInvalid: it is too long, does not parse, reads what does not exist, does not come to true or
            false, or holds a regular expression that does not cover the whole text.
    """
    compiled = _compile(text)
    if compiled.return_type() == cel.Type.DYN:
        raise ExpressionInvalid("this could come to anything; compare it, such as with `== true`")
    if compiled.return_type() != cel.Type.BOOL:
        raise ExpressionInvalid(f"this comes to {compiled.return_type().name()}, not to true or false")
    return _check_reads(text, compiled)


def compile_text(text: str) -> Expression:
    """Return the checked expression for a ``${ … }`` in a text.

    Raises:
        ExpressionInvalid: as for a condition, but the result must be able to be text.
    """
    compiled = _compile(text)
    if compiled.return_type() not in (_STRING, cel.Type.DYN):
        raise ExpressionInvalid(f"this comes to {compiled.return_type().name()}, not to text")
    return _check_reads(text, compiled)


def check_types(text: str, types: Mapping[str, ClaimType]) -> None:
    """A valid condition uses the claims that it names, as ``claims.NAME``, according to their types.

    Raises:
        ExpressionInvalid: it compares an ``int`` with text, say.
    """
    environment = _make_typed_environment(tuple(sorted(types.items())))
    # The checker would take `has(claims.x)` for the typed variable itself. What it says of places stays right.
    _compile(_HAS_CLAIM.sub(lambda match: "true".ljust(len(match[0])), text), environment)


@lru_cache(maxsize=32)
def _make_typed_environment(types: tuple[tuple[str, ClaimType], ...]) -> Any:
    """Return an environment for checks, in which ``claims.level`` is a variable of its own, which has a type."""
    typed = {f"claims.{name}": _TYPES[declared] for name, declared in types if _IDENTIFIER.fullmatch(name)}
    return cel.NewEnv(variables=_VARIABLES | typed, extensions=_EXTENSIONS)


def bind_variables(
    identity: VerifiedIdentity,
    now: datetime,
    source_address: str | None,
    read: frozenset[str] | None = None,
    schema: ClaimSchema = ClaimSchema(),  # noqa: B008 - it cannot be changed
) -> Variables:
    """Return what expressions read about this identity at this moment; what is absent or unfit is left out.

    ``read`` names the claims that they read, where that is known: others are not looked at, whatever they hold.
    """
    bound = identity.claims if read is None else {name: identity.claims[name] for name in read & identity.claims.keys()}
    claims, note = _clean_claims(bound, schema)
    data: dict[str, Any] = {
        "identity.provider": identity.provider,
        "identity.protocol": identity.protocol,
        "identity.issuer": identity.issuer,
        "identity.subject": identity.subject,
        "identity.acr": identity.acr,
        "identity.amr": [method for method in identity.amr if not find_flaw(method)],
        "identity.authenticated_at": identity.authenticated_at,
        "request.source_address": source_address,
        "request.time": now,
    }
    present = {
        name: value
        for name, value in data.items()
        if value is not None and not (isinstance(value, str) and find_flaw(value))
    }
    everything = Variables(_ENVIRONMENT.Activation(data=present | {"claims": claims}), note)
    long = {name for name, value in claims.items() if _count_nodes(value, 0) > MAX_LISTED_NODES}
    if not long:
        return everything
    short = {name: value for name, value in claims.items() if name not in long}
    note = phrase(
        "`%(name)s` has more than %(most)s values, too many to make lists of", name=min(long), most=MAX_LISTED_NODES
    )
    of_short_claims = Variables(_ENVIRONMENT.Activation(data=present | {"claims": short}), note)
    return replace(everything, of_short_claims=of_short_claims)


def _compile(text: str, environment: Any = _ENVIRONMENT) -> Any:
    if len(text) > MAX_EXPRESSION_CHARACTERS:
        raise ExpressionInvalid(f"this is longer than {MAX_EXPRESSION_CHARACTERS} characters")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ExpressionInvalid("this holds half of a character")
    try:
        return environment.compile(text)
    except RuntimeError as error:
        place = _PLACE.search(str(error))
        if place is None:
            raise ExpressionInvalid(_first_line(error)) from error
        raise ExpressionInvalid(place[3], int(place[1]), int(place[2])) from error


def _check_reads(text: str, compiled: Any) -> Expression:
    serialized = compiled.serialize()
    reads = find_reads(serialized)
    multiplying = sorted(reads.repeated & _MULTIPLYING)
    if multiplying:
        raise ExpressionInvalid(f"`{multiplying[0]}` within a macro could make one list as long as its square")
    if reads.growth > MAX_GROWTH:
        raise ExpressionInvalid(
            f"this could make a text or list more than {MAX_GROWTH} times as long: write out what `replace` and `join` "
            "put in, and use fewer of them and of `map`"
        )
    for pattern in reads.patterns:
        _check_pattern(pattern)
    joined = "_+_" in reads.called_for_macros
    if reads.makes_lists and (joined or ("split" in reads.called_for_macros and reads.called & _LENGTHENING)):
        raise ExpressionInvalid("`map` and `filter` of something put together could take for ever: use them on claims")
    return _describe(text, reads, serialized, compiled)


def _describe(text: str, reads: Reads, serialized: bytes, compiled: Any) -> Expression:
    return Expression(text, frozenset(reads.paths), find_required(serialized), reads.makes_lists, compiled)


def _check_pattern(pattern: str | None) -> None:
    """A regular expression is written out, valid, and covers the whole text.

    CEL's ``matches`` looks for the pattern anywhere, so that ``matches("admin")`` is true for ``not-admin``, and in
    ``^a|b$`` each anchor belongs to one alternative only (threat MAP-01, CWE-777).
    """
    if pattern is None:
        raise ExpressionInvalid("the pattern of `matches` must be written out, so that it can be checked")
    if not _is_pattern(pattern):
        raise ExpressionInvalid("the pattern of `matches` is not a valid RE2 expression, or is too large")
    if not _covers_whole_text(pattern):
        raise ExpressionInvalid("the pattern of `matches` must cover the whole text: write ^…$, or ^(?:…|…)$")


def _covers_whole_text(pattern: str) -> bool:
    """Return whether a valid pattern begins and ends with an anchor that belongs to all of it."""
    if not pattern.startswith("^") or pattern[1:2] in {"*", "+", "?", "{"} or "\\Q" in pattern:
        return False
    depth = 0
    operators = _LITERALS.sub(" ", pattern)
    for operator in operators:
        depth += {"(": 1, ")": -1}.get(operator, 0)
        if operator == "|" and not depth:
            return False
    return operators.endswith("$")


def _is_pattern(pattern: str) -> bool:
    try:
        result = _PATTERN_PROBE.eval(data={"claims": {"pattern": pattern}})
    except RuntimeError:
        return False
    return bool(result.type() == cel.Type.BOOL)


def _clean_claims(claims: Mapping[str, Claim], schema: ClaimSchema) -> tuple[dict[str, Claim], Said | None]:
    """Return the claims that an expression may read, and why others are left out.

    The runtime knows 64-bit integers and well-formed Unicode only; beyond that hold the rules of
    :mod:`bridge.entitlements.matching`: text that must not be compared is left out of a list, and a claim that has
    it anywhere else is left out as a whole. Each claim is judged alone: no claim takes another one away.
    """
    clean: dict[str, Claim] = {}
    notes: list[Said] = []
    for name, value in claims.items():
        if _count_nodes(value) > MAX_CLAIM_NODES:
            notes.append(
                phrase("`%(name)s` has more than %(most)s values and is left out", name=name, most=MAX_CLAIM_NODES)
            )
            continue
        kept = _drop_flawed(value) if isinstance(value, list) else value
        if kept != value:
            notes.append(phrase("a value of `%(name)s` is left out", name=name))
        if not has_type(value, schema.types.get(name)):
            notes.append(phrase("`%(name)s` is not of the type %(type)s", name=name, type=schema.types[name]))
        elif find_flaw(name) or not _is_fit(kept, 0):
            notes.append(phrase("`%(name)s` is left out", name=name))
        else:
            clean[name] = kept
    return clean, chain(notes[:3])


def _drop_flawed(values: list[Claim]) -> list[Claim]:
    return [value for value in values if not (isinstance(value, str) and find_flaw(value))]


def _is_fit(value: Claim, depth: int) -> bool:
    if depth > MAX_CLAIM_DEPTH:
        return False
    if isinstance(value, str):
        return not find_flaw(value)
    if isinstance(value, list):
        return all(_is_fit(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return all(not find_flaw(name) and _is_fit(item, depth + 1) for name, item in value.items())
    if isinstance(value, int):
        return -MAX_INTEGER <= value <= MAX_INTEGER
    return value is None or isinstance(value, float)


def _count_nodes(value: Claim, depth: int = 0) -> int:
    """Return how much of ``MAX_CLAIM_NODES`` a claim takes; what lies too deep is one."""
    if depth > MAX_CLAIM_DEPTH:
        return 1
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_count_nodes(child, depth + 1) for child in children)


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def _trim(text: str) -> str:
    """Return a part of an expression for people, without the brackets whose other half stands in another part."""
    text = text.strip()
    while text.startswith("(") and text.count("(") > text.count(")"):
        text = text[1:].lstrip()
    while text.endswith(")") and text.count(")") > text.count("("):
        text = text[:-1].rstrip()
    return text
