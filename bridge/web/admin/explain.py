"""Why somebody gets these roles and why not the others, for a kept sign-in or for claims that are pasted.

Claims and names come by POST and never stand in an address. Asking changes nothing; that somebody's kept sign-in was
shown is recorded (docs/decisions/0086).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path

from flask import Blueprint, Response, request
from pydantic_core import PydanticCustomError

from bridge.audit.events import EntitlementsResolved, Person, SignInExplained
from bridge.audit.log import AuditLog
from bridge.audit.reader import AuditReader, parse_reference
from bridge.clock import Clock, format_utc
from bridge.entitlements.explanation import (
    Explanation,
    Verdict,
    describe_origin,
    describe_target,
    describe_targets,
    explain,
)
from bridge.entitlements.rules import RulesInForce
from bridge.entitlements.spans import describe_span
from bridge.entitlements.supposed import Supposed, parse_moment, read_supposed
from bridge.errors import SettingsError
from bridge.history.find_people import find_people, find_sign_in
from bridge.history.history import History
from bridge.history.kept_sign_in import KeptSignIn
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.verified import VerifiedIdentity
from bridge.identity.workloads import Workload
from bridge.language import list_texts, mark, translate
from bridge.web.access import Access
from bridge.web.admin.administration import Administration
from bridge.web.origin import current_origin

MAX_LISTED = 100
MAX_CANDIDATES = 20
MAX_PASTED_CHARACTERS = 100_000
_AROUND = timedelta(minutes=2)
_TITLES = (
    ("denies", mark("Denied")),
    ("withheld", mark("Withheld")),
    ("reach", mark("Within reach of another sign-in")),
    ("near", mark("Near misses")),
    ("missed", mark("Did not match")),
)


@dataclass(frozen=True)
class Asked:
    """What the form was filled in with."""

    person: str = ""
    claims: str = ""
    at: str = ""
    address: str = ""
    rule: str = ""


@dataclass(frozen=True)
class Row:
    """One rule, as the page shows it."""

    sentence: str
    name: str
    file: str
    line: int
    looked_at: tuple[tuple[str, str, str], ...]
    """Each condition: what came of it, which, and why."""
    further: tuple[str, ...]
    caution: str


@dataclass(frozen=True)
class Section:
    """Rules of which the same became."""

    standing: str
    title: str
    rows: tuple[Row, ...]
    left_out: int


class Fault(Exception):
    """The form cannot be answered as it is; the text says why."""

    def __init__(self, text: str, detail: str = "") -> None:
        """Take why, and what our reader of settings says of it, which is English."""
        super().__init__(text)
        self.detail = detail


class Explain:
    """The page that explains."""

    def __init__(
        self,
        administration: Administration,
        *,
        access: Access,
        audit: AuditLog,
        rules: RulesInForce,
        history: History,
        records: AuditReader,
        providers: Mapping[str, SAMLProvider | OIDCProvider | Workload],
        clock: Clock,
    ) -> None:
        """Take the frame and the guards, the log, what decides, and where people and their sign-ins are found."""
        self._administration = administration
        self._access = access
        self._audit = audit
        self._rules = rules
        self._history = history
        self._records = records
        self._providers = providers
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("admin_explain", __name__, url_prefix="/admin")
        routes.add_url_rule("/explain", "form", self.form)
        routes.add_url_rule("/explain", "answer", self.answer, methods=["POST"])
        return routes

    def form(self) -> Response:
        """Ask whom to explain; with ``?reference=``, explain the sign-in of that reference.

        ``?rule=`` fills in the name of a rule.
        """
        given, rule = request.args.get("reference", ""), request.args.get("rule", "")
        if not given:
            return self._render(Asked(rule=rule))
        try:
            kept = self._find_by_reference(given)
        except Fault as fault:
            return self._render(Asked(rule=rule), fault)
        return self._explain_kept(Asked(person=kept.identity.subject, rule=rule), kept)

    def answer(self) -> Response:
        """Explain whom the form names."""
        asked = Asked(**{name: request.form.get(name, "").strip() for name in Asked.__dataclass_fields__})
        try:
            at, address = _read_time(asked.at, self._clock), _read_address(asked.address)
            if asked.claims:
                return self._explain_claims(asked, at, address)
            found = self._find_people(asked.person)
        except Fault as fault:
            return self._render(asked, fault)
        if len(found) > 1:
            candidates = [(each.identity.subject, each.label, format_utc(each.at)) for each in found[:MAX_CANDIDATES]]
            return self._render(asked, candidates=candidates, more=len(found) - len(candidates))
        return self._explain_kept(asked, found[0], at, address)

    def _explain_kept(
        self, asked: Asked, kept: KeptSignIn, at: datetime | None = None, address: str | None = None
    ) -> Response:
        self._record(kept)
        source = translate(
            "Sign-in of %(time)s UTC, with the claims that may be kept: others cannot be seen any more",
            time=_show_time(kept.at),
        )
        at, address = at or kept.at, address or kept.source_address
        return self._show(asked, kept.identity, kept.label, source, at, address)

    def _record(self, kept: KeptSignIn) -> None:
        """Record whose sign-in is about to be shown, and to whom. Raises AuditUnavailable."""
        asking = self._access.require_administrator().identity
        event = SignInExplained(
            **asking.as_recorded(),
            of=Person(kept.identity.issuer, kept.identity.subject, kept.label),
            of_time=format_utc(kept.at),
        )
        self._audit.append(current_origin(), event)

    def _explain_claims(self, asked: Asked, at: datetime | None, address: str | None) -> Response:
        supposed = _read_claims(asked.claims)
        providers = self._providers
        name = supposed.provider or (next(iter(providers)) if len(providers) == 1 else "")
        if name not in providers:
            raise Fault(translate("Write `provider` with one of %(providers)s.", providers=list_texts(providers)))
        at = at or supposed.find_time() or self._clock.now()
        provider = providers[name]
        issuer = provider.entity_id if isinstance(provider, SAMLProvider) else provider.issuer
        identity = supposed.build(name, provider.protocol, issuer, at)
        if isinstance(provider, Workload):
            identity = replace(identity, claims={"sub": identity.subject, **identity.claims})
        source = translate("Pasted claims, made up: nobody vouches for them")
        return self._show(asked, identity, identity.name, source, at, address or supposed.source_address)

    def _show(  # noqa: PLR0917  what is known of one person
        self, asked: Asked, identity: VerifiedIdentity, label: str, source: str, at: datetime, address: str | None
    ) -> Response:
        explanation = explain(identity, self._rules.current, at, address or None)
        gets = [
            (
                describe_target(each.kind, each.account, each.name),
                describe_span(each.duration_seconds),
                _describe(explanation.find_giver(each.id)),
            )
            for each in explanation.resolution.entitlements
        ]
        return self._render(
            asked,
            explanation=explanation,
            label=label,
            source=source,
            at=_show_time(at),
            notes=[_write_sentence(note) for note in explanation.notes],
            gets=gets,
            sections=list(_group(explanation, asked.rule)),
        )

    def _render(self, asked: Asked, fault: Fault | None = None, **values: object) -> Response:
        page = self._administration.render(
            "admin_explain.html", asked=asked, fault=fault, keep_days=self._history.keep_days, **values
        )
        if fault:
            page.status_code = HTTPStatus.BAD_REQUEST
        return page

    def _find_people(self, text: str) -> tuple[KeptSignIn, ...]:
        if not text:
            raise Fault(translate("Write a name, an e-mail address or a subject, or paste claims."))
        now = self._clock.now()
        kept = self._history.read(now - timedelta(days=self._history.keep_days), now + _AROUND)
        found = find_people(kept, text, self._records.names())
        if not found:
            raise Fault(translate("No sign-in of anybody called “%(name)s” is kept.", name=text[:80]))
        return found

    def _find_by_reference(self, given: str) -> KeptSignIn:
        """Return the kept sign-in that a reference belongs to. The page stands at its address without any name."""
        reference = parse_reference(given)
        records = [] if reference is None else self._records.find(reference)
        record = next((each for each in records if each["event"] == EntitlementsResolved.name), None)
        if record is None:
            raise Fault(translate("No sign-in has this reference."))
        at = parse_moment(record["time"])
        self._history.flush(1.0)
        kept = find_sign_in(self._history.read(at - _AROUND, at + _AROUND), record["issuer"], record["subject"])
        if kept is None:
            raise Fault(translate("That sign-in is not kept: not any more, or not yet."))
        return replace(kept, label=record["person"])


def _group(explanation: Explanation, rule: str) -> Iterator[Section]:
    """Yield what became of the rules that grant nothing now, those first that somebody will ask about.

    ``rule`` is a part of the names of the rules to list. Without it the rules that could not concern the person are
    only counted.
    """
    for standing, title in _TITLES:
        verdicts = [each for each in explanation.verdicts if each.standing == standing]
        wanted = [
            each for each in verdicts if (rule in each.rule.id if rule else each.concerns or standing != "missed")
        ]
        if verdicts if not rule else wanted:
            rows = tuple(map(_describe, wanted[:MAX_LISTED]))
            yield Section(standing, translate(title), rows, 0 if rule else len(verdicts) - len(rows))


def _describe(verdict: Verdict) -> Row:
    marks = {True: "holds", False: "fails", None: "unknown"}
    further = [
        translate("%(what)s: %(reason)s", what=each.what, reason=each.reason.text)
        if each.outcome.entitlement
        else each.reason.text
        for each in verdict.given
        if each.reason.text
    ]
    if verdict.standing == "reach":
        granted = (each.what for each in verdict.given if each.outcome.entitlement)
        further = [translate("%(what)s would be granted", what=what) for what in granted]
    if verdict.rule.denials:
        further.append(translate("It denies %(what)s.", what=describe_targets(verdict.rule.denials)))
    further += describe_origin(verdict.rule)
    return Row(
        sentence=verdict.sentence[:1].upper() + verdict.sentence[1:],
        name=verdict.name,
        file=verdict.rule.id.partition(":")[0],
        line=verdict.rule.line,
        looked_at=tuple((marks[each.holds], each.condition, str(each.why)) for each in verdict.outcome.findings),
        further=tuple(further),
        caution=_write_sentence(verdict.caution) if verdict.caution else "",
    )


def _write_sentence(text: str) -> str:
    return translate("%(text)s.", text=text[:1].upper() + text[1:])


def _read_claims(text: str) -> Supposed:
    if len(text) > MAX_PASTED_CHARACTERS:
        raise Fault(translate("This is longer than %(most)s characters.", most=format(MAX_PASTED_CHARACTERS, ",")))
    try:
        return read_supposed(Path("the claims"), text.encode(errors="replace"))
    except SettingsError as error:
        raise Fault(translate("These claims cannot be read."), _join(error)) from error


def _join(error: SettingsError) -> str:
    problems: Iterable[str] = (f"Line {each.line}: {each.message}. {each.fix}" for each in error.problems[:3])
    return " ".join(problems)


def _read_time(text: str, clock: Clock) -> datetime | None:
    if not text:
        return None
    if text == "now":
        return clock.now()
    try:
        return parse_moment(text)
    except PydanticCustomError as error:
        fault = translate("“%(text)s” is not a time: write, for example, 2026-11-24 09:00.", text=text[:60])
        raise Fault(fault) from error


def _read_address(text: str) -> str | None:
    if not text:
        return None
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise Fault(translate("“%(text)s” is not an address.", text=text[:60])) from error


def _show_time(moment: datetime) -> str:
    return format_utc(moment)[:19].replace("T", " ")
