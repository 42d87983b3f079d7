"""The whole story behind a record, in plain words.

How somebody authenticated, which rule decided and why, what they asked for, what limited the duration, what was issued,
and what became of it. A story is told from several records: those of the same request, the sign-in before it, and those
of the same credentials. Each chapter names the record that says so.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup

from bridge.advice import find_advice
from bridge.entitlements.spans import describe_span
from bridge.identity.checks import Line, explain_checks
from bridge.identity.recorded_words import read_recorded
from bridge.language import mark, translate
from bridge.web.auditor.sentences import (
    Record,
    Sentences,
    bold,
    code,
    name_limit,
    name_protocol,
    name_purpose,
    show_time,
)
from bridge.web.auditor.strength import describe_methods
from bridge.web.markup import translate_markup

_LONG_AGO_SECONDS = 120
"""Within that time, when somebody authenticated and when they signed in is the same to a reader."""


@dataclass(frozen=True)
class Chapter:
    """One answer."""

    title: str
    sentences: tuple[Markup, ...]
    position: int | None = None
    """The record that says so; None where there is none."""
    failed: bool = False
    checks: tuple[Line, ...] = ()
    """Those that were made."""
    not_reached: int = 0


@dataclass(frozen=True)
class Related:
    """What else belongs to a record. Each is an opened record."""

    same_request: Sequence[Record] = ()
    """Oldest first, the record itself among them."""
    sign_in: Record | None = None
    """The person's last accepted sign-in before the record."""
    resolved: Record | None = None
    """What the rules said at that sign-in."""
    same_key: Sequence[Record] = ()
    """Of the same AccessKeyId, oldest first."""


@dataclass
class _Cast:
    """The records of a story by the part that they play."""

    sign_in: Record | None = None
    resolved: Record | None = None
    choice: Record | None = None
    issue: Record | None = None
    reuse: Record | None = None
    console: Record | None = None
    refusal: Record | None = None
    after: list[Record] = field(default_factory=list)


def tell_story(record: Record, related: Related, say: Sentences) -> tuple[Chapter, ...]:
    """Return the chapters of the story that a record is part of; one at least."""
    cast = _cast(record, related)
    chapters: list[Chapter] = []
    if cast.refusal is not None and cast.refusal["event"] in {"sign_in.refused", "logout.refused", "call.refused"}:
        return (_tell_refusal(cast.refusal, record, say),)
    if cast.sign_in is not None:
        chapters.append(_tell_sign_in(cast.sign_in, say))
    if cast.resolved is not None or cast.choice is not None:
        chapters.append(_tell_rule(cast, say))
    if cast.choice is not None:
        chapters.append(_tell_asked(cast.choice, say))
    if cast.refusal is not None:
        chapters.append(_tell_refusal(cast.refusal, record, say))
    limited = cast.console or cast.issue
    if limited is not None and limited.get("decided_by"):
        chapters.append(_tell_limit(limited))
    if cast.issue is not None or cast.reuse is not None:
        chapters.append(_tell_issued(cast, say))
    if cast.console is not None or cast.after:
        chapters.append(_tell_after(cast, say))
    told = {chapter.position for chapter in chapters}
    if record["position"] not in told and all(each["position"] != record["position"] for each in cast.after):
        chapters.append(
            Chapter(translate("What happened"), (say.tell(record), *_tell_rest(record)), record.get("position"))
        )
    return tuple(chapters)


def _cast(record: Record, related: Related) -> _Cast:
    here = {each["event"]: each for each in related.same_request}
    with_key = {each["event"]: each for each in related.same_key}
    return _Cast(
        sign_in=here.get("sign_in.accepted", related.sign_in),
        resolved=here.get("entitlements.resolved", related.resolved),
        choice=here.get("choice.made"),
        issue=with_key.get("exchange.issued", here.get("exchange.issued")),
        reuse=here.get("exchange.reused"),
        console=here.get("delivery.console"),
        refusal=next((each for name, each in here.items() if name.endswith(".refused")), None),
        after=[
            each
            for each in _merge(related)
            if each["event"] == "delivery.credentials"
            or (each["event"] == "exchange.reused" and each["reference"] != record["reference"])
        ],
    )


def _merge(related: Related) -> list[Record]:
    """Return the records of the request and those of the credentials, each once, oldest first."""
    by_position = {each["position"]: each for each in (*related.same_request, *related.same_key)}
    return [by_position[position] for position in sorted(by_position)]


_BY_METHODS: Mapping[bool | None, str] = {
    None: mark(
        "%(person)s signed in at %(provider)s by %(protocol)s with %(methods)s; "
        "the provider does not say how many factors that is."
    ),
    True: mark("%(person)s signed in at %(provider)s by %(protocol)s with %(methods)s, which is more than one factor."),
    False: mark("%(person)s signed in at %(provider)s by %(protocol)s with %(methods)s, which is one factor."),
}


def _tell_sign_in(record: Record, say: Sentences) -> Chapter:
    methods = describe_methods(record.get("amr") or ())
    sentences = [
        translate_markup(
            _BY_METHODS[record.get("mfa")],
            person=say.person(record),
            provider=say.provider(record),
            protocol=name_protocol(record),
            methods=methods,
        )
        if methods
        else say.tell(record),
        _tell_when(record),
    ]
    if record.get("source_address"):
        sentences.append(translate_markup("They came from %(address)s.", address=code(record["source_address"])))
    elif record.get("network"):
        sentences.append(translate_markup("They came from the network %(network)s.", network=code(record["network"])))
    if record.get("acr"):
        sentences.append(translate_markup("The provider calls this %(name)s.", name=code(record["acr"])))
    if record.get("solicited") is False:
        sentences.append(translate_markup("The sign-in was started at the provider, not here."))
    return Chapter(translate("How they authenticated"), tuple(sentences), record.get("position"))


def _tell_when(record: Record) -> Markup:
    time = show_time(record["time"])
    seconds = _find_seconds_since(record)
    if seconds <= _LONG_AGO_SECONDS:
        return translate_markup("That was at %(time)s UTC.", time=time)
    return translate_markup(
        "That was at %(time)s UTC, %(span)s after the provider had authenticated them.",
        time=time,
        span=describe_span(seconds),
    )


def _find_seconds_since(record: Record) -> int:
    """Return how long before the sign-in the person had authenticated; 0 where that is not known."""
    try:
        gap = datetime.fromisoformat(record["time"]) - datetime.fromisoformat(record["authenticated_at"])
    except (KeyError, ValueError):
        return 0
    return int(gap.total_seconds())


_ALONE: Mapping[str, str] = {
    "grants": mark("The rule %(rule)s grants something."),
    "denies": mark("The rule %(rule)s denies something."),
    "withheld": mark("The rule %(rule)s applied and gave nothing."),
}
_ALONE_BECAUSE: Mapping[str, str] = {
    "grants": mark("The rule %(rule)s grants something, because of: %(because)s."),
    "denies": mark("The rule %(rule)s denies something, because of: %(because)s."),
    "withheld": mark("The rule %(rule)s applied and gave nothing, because of: %(because)s."),
}
_BESIDE: Mapping[str, str] = {**_ALONE, "grants": mark("The rule %(rule)s also grants something else.")}
_BESIDE_BECAUSE: Mapping[str, str] = {
    **_ALONE_BECAUSE,
    "grants": mark("The rule %(rule)s also grants something else, because of: %(because)s."),
}


def _tell_rule(cast: _Cast, say: Sentences) -> Chapter:
    choice, resolved = cast.choice, cast.resolved
    sentences: list[Markup] = []
    rule = str(choice.get("rule", "")) if choice else ""
    rules = list(_iterate_rules(resolved)) if resolved else []
    if rule:
        because = next((why for _, name, why in rules if name == rule), "")
        sentences.append(_tell_granting(rule, say.target(choice or {}), because))
    others = [each for each in rules if each[1] != rule]
    if resolved is not None and not rule:
        sentences.append(say.tell(resolved))
    for effect, name, why in others:
        told = (_BESIDE_BECAUSE if why else _BESIDE) if rule else (_ALONE_BECAUSE if why else _ALONE)
        sentences.append(
            translate_markup(told.get(effect, told["withheld"]), rule=code(name), **({"because": why} if why else {}))
        )
    if resolved is not None and resolved.get("left_out"):
        sentences.append(translate_markup("%(count)s more rules applied.", count=resolved["left_out"]))
    version = (choice or resolved or {}).get("rules_version")
    if version:
        sentences.append(
            translate_markup("These are the rules of version %(version)s.", version=code(str(version)[:12]))
        )
    return Chapter(
        translate("Which rule decided, and why"), tuple(sentences), (resolved or choice or {}).get("position")
    )


def _tell_granting(rule: str, target: Markup, because: str) -> Markup:
    if not because:
        return translate_markup("The rule %(rule)s grants %(target)s.", rule=code(rule), target=target)
    return translate_markup(
        "The rule %(rule)s grants %(target)s, because of: %(because)s.",
        rule=code(rule),
        target=target,
        because=because,
    )


def _iterate_rules(resolved: Record) -> Iterator[tuple[str, str, str]]:
    """Yield effect, rule and reason of each rule that applied."""
    because = resolved.get("because") or ()
    for number, line in enumerate(resolved.get("rules") or ()):
        effect, _, name = str(line).partition(" ")
        yield effect, name, _read_reasons(str(because[number])) if number < len(because) else ""


_CONDITIONS: Mapping[str, tuple[str, str]] = {
    "provider": (mark("the identity provider"), ""),
    "expires": (mark("the rule has not expired"), ""),
    "hours": (mark("the time of day"), ""),
    "networks": (mark("the network"), ""),
    "not_groups": (mark("not in an excluded group"), mark("not in an excluded group (%(claims)s)")),
    "when": (mark("an expression"), mark("an expression on %(claims)s")),
    "strength": (mark("the strength of the sign-in"), ""),
    "age": (mark("how recent the sign-in is"), ""),
}
"""What a rule can ask for, in words: alone, and with the claims that it reads."""
_CONDITION = re.compile(r"(\w+)(?: \(([^;()]+)\))?")


def _read_reasons(because: str) -> str:
    """Return what is recorded of a rule's conditions in words: `bridge.entitlements.recorded` wrote it."""
    told = []
    for reason in because.split("; "):
        found = _CONDITION.fullmatch(reason)
        alone, reading = _CONDITIONS.get(found[1], ("", "")) if found else ("", "")
        if found and found[2] and reading:
            told.append(translate(reading, claims=found[2]))
        elif alone:
            told.append(translate(alone))
        else:
            told.append(read_recorded(reason).replace("`", ""))
    return translate("; ").join(told)


def _tell_asked(choice: Record, say: Sentences) -> Chapter:
    sentence = translate_markup(
        "%(person)s asked for %(target)s %(purpose)s, at %(time)s UTC.",
        person=say.person(choice),
        target=say.target(choice),
        purpose=name_purpose(choice),
        time=show_time(choice["time"]),
    )
    return Chapter(translate("What was asked"), (sentence,), choice.get("position"))


def _tell_limit(record: Record) -> Chapter:
    sentence = translate_markup(
        "It lasts %(span)s: the shortest limit was %(limit)s.",
        span=bold(describe_span(record.get("duration_seconds", 0))),
        limit=name_limit(record),
    )
    return Chapter(translate("What limited the duration"), (sentence,), record.get("position"))


def _tell_issued(cast: _Cast, say: Sentences) -> Chapter:
    issue = cast.issue or cast.reuse or {}
    sentences: list[Markup] = []
    if cast.reuse is not None:
        first = code(cast.reuse.get("original_reference", ""))
        sentences.append(say.tell(cast.reuse))
        sentences.append(translate_markup("They were first issued in the request %(reference)s.", reference=first))
    if cast.issue is not None:
        sentences.append(say.tell(cast.issue))
    if issue.get("expires_at"):
        sentences.append(translate_markup("They end at %(time)s UTC.", time=show_time(issue["expires_at"])))
    for name, sentence in _OF_AN_ISSUE.items():
        if issue.get(name):
            sentences.append(translate_markup(sentence, value=code(issue[name][: _CHARACTERS.get(name)])))
    return Chapter(translate("What was issued"), tuple(sentences), issue.get("position"))


_OF_AN_ISSUE: Mapping[str, str] = {
    "role_session_name": mark("In ActionTrail the session is called %(value)s."),
    "source_identity": mark("The source identity is %(value)s."),
    "session_policy_digest": mark("A session policy narrows the role; its SHA-256 begins with %(value)s."),
    "sts_request_id": mark("The RequestId of STS is %(value)s."),
}
_CHARACTERS = {"session_policy_digest": 16}


def _tell_after(cast: _Cast, say: Sentences) -> Chapter:
    records = ([cast.console] if cast.console else []) + cast.after
    sentences = [
        translate_markup("%(time)s UTC: %(what)s", time=show_time(each["time"]), what=say.tell(each))
        for each in records
    ]
    if cast.console is not None and cast.console.get("destination"):
        sentences.append(translate_markup("A link led to the page %(page)s.", page=code(cast.console["destination"])))
    return Chapter(translate("What became of it"), tuple(sentences), records[0].get("position"))


def _tell_refusal(record: Record, shown: Record, say: Sentences) -> Chapter:
    advice = find_advice(record.get("code", ""))
    is_headline = record["position"] == shown["position"]
    sentences = [] if is_headline else [say.tell(record)]
    if record.get("detail"):
        sentences.append(_tell_detail(record))
    if record.get("sts_code"):
        sentences.append(translate_markup("STS said %(code)s.", code=code(record["sts_code"])))
    if record.get("claimed_issuer"):
        sentences.append(
            translate_markup(
                "The message claims to be from %(issuer)s; nothing in it is believed.",
                issuer=code(record["claimed_issuer"]),
            )
        )
    if record.get("source_address"):
        sentences.append(_tell_address(record))
    if advice:
        sentences.append(translate_markup("<strong>What to do:</strong> %(remedy)s", remedy=advice.remedy))
    lines = explain_checks(record.get("protocol", ""), record.get("checks") or ()) if record.get("checks") else ()
    made = tuple(line for line in lines if line.outcome != "not reached")
    return Chapter(
        translate("Why it was refused"),
        tuple(sentences) or (say.tell(record),),
        record.get("position"),
        failed=True,
        checks=made,
        not_reached=len(lines) - len(made),
    )


def _tell_rest(record: Record) -> Iterator[Markup]:
    """Yield what only some events have, for records that are no part of a sign-in."""
    if record.get("source_address"):
        yield _tell_address(record)
    if record.get("changed") is not None and record.get("people") is not None:
        yield translate_markup(
            "It changes something for %(changed)s of %(people)s people.",
            changed=record["changed"],
            people=record["people"],
        )
    if record.get("previous"):
        version = code(str(record["previous"])[:12])
        yield translate_markup("Before, the rules %(version)s were in force.", version=version)
    if record["event"].endswith(".refused") and record.get("detail"):
        yield _tell_detail(record)


def _tell_address(record: Record) -> Markup:
    return translate_markup("It came from %(address)s.", address=code(record["source_address"]))


def _tell_detail(record: Record) -> Markup:
    return translate_markup("In detail: %(detail)s.", detail=code(str(record["detail"]).rstrip(".")))
