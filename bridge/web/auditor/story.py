"""The whole story behind a record, in plain words.

How somebody authenticated, which rule decided and why, what they asked for, what limited the duration, what was issued,
and what became of it. A story is told from several records: those of the same request, the sign-in before it, and those
of the same credentials. Each chapter names the record that says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup

from bridge.advice import find_advice
from bridge.entitlements.spans import describe_span
from bridge.identity.checks import Line, explain_checks
from bridge.web.auditor.sentences import (
    DECIDED_BY,
    PROTOCOLS,
    PURPOSES,
    Record,
    Sentences,
    bold,
    code,
    show_time,
)
from bridge.web.auditor.strength import describe_methods, describe_strength

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
        chapters.append(Chapter("What happened", (say.tell(record), *_tell_rest(record)), record.get("position")))
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


def _tell_sign_in(record: Record, say: Sentences) -> Chapter:
    strength = describe_strength(several_factors=record.get("mfa"))
    methods = describe_methods(record.get("amr") or ())
    protocol = PROTOCOLS.get(record.get("protocol", ""), record.get("protocol", ""))
    how = (
        Markup("{} with {}, which is {}").format(protocol, methods, strength.removeprefix("with "))
        if methods
        else Markup("{}, {}").format(protocol, strength)
    )
    sentences = [
        Markup("{} signed in at {} by {}.").format(say.person(record), say.provider(record), how),
        Markup("That was at {} UTC{}.").format(show_time(record["time"]), _since(record)),
    ]
    if record.get("source_address"):
        sentences.append(Markup("They came from {}.").format(code(record["source_address"])))
    elif record.get("network"):
        sentences.append(Markup("They came from the network {}.").format(code(record["network"])))
    if record.get("acr"):
        sentences.append(Markup("The provider calls this {}.").format(code(record["acr"])))
    if record.get("solicited") is False:
        sentences.append(Markup("The sign-in was started at the provider, not here."))
    return Chapter("How they authenticated", tuple(sentences), record.get("position"))


def _since(record: Record) -> str:
    try:
        gap = datetime.fromisoformat(record["time"]) - datetime.fromisoformat(record["authenticated_at"])
    except (KeyError, ValueError):
        return ""
    seconds = int(gap.total_seconds())
    return (
        f", {describe_span(seconds)} after the provider had authenticated them" if seconds > _LONG_AGO_SECONDS else ""
    )


def _tell_rule(cast: _Cast, say: Sentences) -> Chapter:
    choice, resolved = cast.choice, cast.resolved
    sentences: list[Markup] = []
    rule = str(choice.get("rule", "")) if choice else ""
    rules = list(_iterate_rules(resolved)) if resolved else []
    if rule:
        because = next((why for _, name, why in rules if name == rule), "")
        sentences.append(
            Markup("The rule {} grants {}{}.").format(
                code(rule), say.target(choice or {}), Markup(", because of: {}").format(because) if because else ""
            )
        )
    others = [each for each in rules if each[1] != rule]
    if resolved is not None and not rule:
        sentences.append(say.tell(resolved))
    for effect, name, why in others:
        verb = {
            "grants": "also grants something else" if rule else "grants something",
            "denies": "denies something",
        }.get(effect, "applied and gave nothing")
        sentences.append(
            Markup("The rule {} {}{}.").format(code(name), verb, Markup(", because of: {}").format(why) if why else "")
        )
    if resolved is not None and resolved.get("left_out"):
        sentences.append(Markup("{} more rules applied.").format(resolved["left_out"]))
    version = (choice or resolved or {}).get("rules_version")
    if version:
        sentences.append(Markup("These are the rules of version {}.").format(code(str(version)[:12])))
    return Chapter("Which rule decided, and why", tuple(sentences), (resolved or choice or {}).get("position"))


def _iterate_rules(resolved: Record) -> Iterator[tuple[str, str, str]]:
    """Yield effect, rule and reason of each rule that applied."""
    because = resolved.get("because") or ()
    for number, line in enumerate(resolved.get("rules") or ()):
        effect, _, name = str(line).partition(" ")
        yield effect, name, str(because[number]).replace("`", "") if number < len(because) else ""


def _tell_asked(choice: Record, say: Sentences) -> Chapter:
    purpose = choice.get("purpose", "")
    sentence = Markup("{} asked for {} {}, at {} UTC.").format(
        say.person(choice), say.target(choice), PURPOSES.get(purpose, purpose), show_time(choice["time"])
    )
    return Chapter("What was asked", (sentence,), choice.get("position"))


def _tell_limit(record: Record) -> Chapter:
    decided_by = record["decided_by"]
    sentence = Markup("It lasts {}: the shortest limit was {}.").format(
        bold(describe_span(record.get("duration_seconds", 0))), DECIDED_BY.get(decided_by, decided_by)
    )
    return Chapter("What limited the duration", (sentence,), record.get("position"))


def _tell_issued(cast: _Cast, say: Sentences) -> Chapter:
    issue = cast.issue or cast.reuse or {}
    sentences: list[Markup] = []
    if cast.reuse is not None:
        sentences.append(say.tell(cast.reuse))
        sentences.append(
            Markup("They were first issued in the request {}.").format(code(cast.reuse.get("original_reference", "")))
        )
    if cast.issue is not None:
        sentences.append(say.tell(cast.issue))
    if issue.get("expires_at"):
        sentences.append(Markup("They end at {} UTC.").format(show_time(issue["expires_at"])))
    if issue.get("role_session_name"):
        sentences.append(Markup("In ActionTrail the session is called {}.").format(code(issue["role_session_name"])))
    if issue.get("source_identity"):
        sentences.append(Markup("The source identity is {}.").format(code(issue["source_identity"])))
    if issue.get("session_policy_digest"):
        sentences.append(
            Markup("A session policy narrows the role; its SHA-256 begins with {}.").format(
                code(issue["session_policy_digest"][:16])
            )
        )
    if issue.get("sts_request_id"):
        sentences.append(Markup("The RequestId of STS is {}.").format(code(issue["sts_request_id"])))
    return Chapter("What was issued", tuple(sentences), issue.get("position"))


def _tell_after(cast: _Cast, say: Sentences) -> Chapter:
    records = ([cast.console] if cast.console else []) + cast.after
    sentences = [
        Markup("{} {}").format(Markup("{} UTC:").format(show_time(each["time"])), say.tell(each)) for each in records
    ]
    if cast.console is not None and cast.console.get("destination"):
        sentences.append(Markup("A link led to the page {}.").format(code(cast.console["destination"])))
    return Chapter("What became of it", tuple(sentences), records[0].get("position"))


def _tell_refusal(record: Record, shown: Record, say: Sentences) -> Chapter:
    advice = find_advice(record.get("code", ""))
    is_headline = record["position"] == shown["position"]
    sentences = [] if is_headline else [say.tell(record)]
    if record.get("detail"):
        sentences.append(Markup("In detail: {}.").format(code(str(record["detail"]).rstrip("."))))
    if record.get("sts_code"):
        sentences.append(Markup("STS said {}.").format(code(record["sts_code"])))
    if record.get("claimed_issuer"):
        sentences.append(
            Markup("The message claims to be from {}; nothing in it is believed.").format(
                code(record["claimed_issuer"])
            )
        )
    if record.get("source_address"):
        sentences.append(Markup("It came from {}.").format(code(record["source_address"])))
    if advice:
        sentences.append(Markup("<strong>What to do:</strong> {}").format(advice.remedy))
    lines = explain_checks(record.get("protocol", ""), record.get("checks") or ()) if record.get("checks") else ()
    made = tuple(line for line in lines if line.outcome != "not reached")
    return Chapter(
        "Why it was refused",
        tuple(sentences) or (say.tell(record),),
        record.get("position"),
        failed=True,
        checks=made,
        not_reached=len(lines) - len(made),
    )


def _tell_rest(record: Record) -> Iterator[Markup]:
    """Yield what only some events have, for records that are no part of a sign-in."""
    if record.get("source_address"):
        yield Markup("It came from {}.").format(code(record["source_address"]))
    if record.get("changed") is not None and record.get("people") is not None:
        yield Markup("It changes something for {} of {} people.").format(record["changed"], record["people"])
    if record.get("previous"):
        yield Markup("Before, the rules {} were in force.").format(code(str(record["previous"])[:12]))
    if record["event"].endswith(".refused") and record.get("detail"):
        yield Markup("In detail: {}.").format(code(record["detail"]))
