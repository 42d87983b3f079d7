"""The overview: figures over time as pictures, and the questions that auditors ask most. It names nobody."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, request
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit.alerts.board import AlertBoard, ShownAlert
from bridge.audit.reader import database_errors
from bridge.audit.record import to_microseconds
from bridge.audit.search.overview import Count as NamedCount
from bridge.audit.search.overview import Overview, SeenNetwork, Slot, UnusualRole
from bridge.audit.search.query import Search
from bridge.audit.search.questions import QUESTIONS, Question
from bridge.audit.search.search import AuditSearch
from bridge.clock import Clock
from bridge.language import mark, translate, translate_number
from bridge.web.auditor.addresses import find_record, find_records
from bridge.web.auditor.auditing import Auditing
from bridge.web.auditor.charts import Bar, Columns, Count, draw_bars, draw_columns
from bridge.web.auditor.figures import Figure, show_moment
from bridge.web.days import write_day_in_row, write_day_shortly, write_month_shortly

SPANS = (
    (1, mark("24 hours")),
    (7, mark("7 days")),
    (30, mark("30 days")),
    (90, mark("90 days")),
    (364, mark("A year")),
)
_USUAL_DAYS = 30
_ALERTS = 5
_MOST_ALERTS = 100
_GRAVE = frozenset({"break_glass", "strays", "verification_failed"})
_IN_THE_RECORD = frozenset({"event", "reference"})
_FACTS: Mapping[str, str] = {
    "account": mark("account %(value)s"),
    "code": mark("code %(value)s"),
    "node": mark("machine %(value)s"),
    "provider": mark("provider %(value)s"),
    "role": mark("role %(value)s"),
    "rule": mark("rule %(value)s"),
    "version": mark("version %(value)s"),
    "first_bad": mark("first bad record %(value)s"),
    "previous": mark("before it %(value)s"),
    "seconds": mark("%(value)s seconds"),
}
"""What the facts of an alert are called; any other speaks for itself."""
_HINTS = {
    "person": mark("Name"),
    "access_key_id": "STS.…",
    "session_name": "lin.wei@example.com",
    "role": mark("Role name"),
    "reference": "0000-0000-0000",
    "address": "203.0.113.7",
}
"""How what a question asks for looks."""
_VERSION = 12
"""Characters of a version's digest, as everywhere on pages."""
_FACT = 120
"""Characters of one fact."""
_ROWS = 8
"""Rows of one picture: more than that nobody compares."""
_MOST_NETWORKS = 50
_WEEKS_FROM_DAYS = 120
"""From so many days on a column is a week."""


@dataclass(frozen=True)
class Shown:
    """An alert that goes on; of those that are not grave, the newest of its kind."""

    title: str
    facts: tuple[str, ...]
    more: int
    """How many others of its kind go on."""
    href: str
    grave: bool


@dataclass(frozen=True)
class Asked:
    """A question that can be asked as it is, with its figure."""

    title: str
    explanation: str
    href: str
    figure: str


class OverviewPage:
    """The first page of auditors."""

    def __init__(
        self,
        auditing: Auditing,
        search: AuditSearch,
        alerts: AlertBoard,
        clock: Clock,
        *,
        provider_titles: Mapping[str, str],
        account_titles: Mapping[str, str],
    ) -> None:
        """Take the frame, what counts, the alerts, the clock, and the parties' titles by name."""
        self._auditing = auditing
        self._search = search
        self._alerts = alerts
        self._clock = clock
        self._provider_titles = provider_titles
        self._account_titles = account_titles

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("audit_overview", __name__, url_prefix="/audit")
        routes.add_url_rule("", "show", self.show)
        return routes

    def show(self) -> AnyResponse:
        """Draw the last ``?days=``."""
        days = request.args.get("days", _USUAL_DAYS, type=int)
        if days not in dict(SPANS):
            days = _USUAL_DAYS
        now = self._clock.now()
        until = _next_hour(now)
        since = until - timedelta(days=days) if days == 1 else _midnight(until) - timedelta(days=days - 1)
        overview = self._search.overview(since, until)
        alerts = self._read_alerts()
        slots = _sum_up(overview.slots, 7 if days >= _WEEKS_FROM_DAYS else 1)
        first_day = _midnight(since)  # what is not counted by the hour is by the day, and that of whole days
        return self._auditing.render(
            "audit_overview.html",
            days=days,
            spans=[(each, translate(title)) for each, title in SPANS],
            alerts=alerts[:_ALERTS],
            more_alerts=max(0, len(alerts) - _ALERTS),
            figures=list(self._count(overview, since, first_day)),
            first_day=first_day.date().isoformat() if first_day != since else "",
            accepted=self._draw(slots, "sign_ins", event="sign_in.accepted"),
            refused=self._draw(slots, "refusals", outcome="refused"),
            by_provider=self._draw_providers(overview, first_day),
            by_code=self._draw_codes(overview.refusals_by_code, first_day),
            new_networks=_draw_networks(overview.new_networks),
            unusual_roles=self._draw_roles(overview.unusual_roles, first_day),
            questions=[self._ask(each, now) for each in QUESTIONS.values() if not each.asks_for],
            forms=[
                (each.name, translate(each.words), translate(_HINTS[each.asks_for]))
                for each in QUESTIONS.values()
                if each.asks_for
            ],
            records=sum(each.records for each in overview.slots),
        )

    def _read_alerts(self) -> list[Shown]:
        with database_errors():
            going_on = self._alerts.latest(_MOST_ALERTS, open_only=True)
        alike = Counter(each.kind for each in going_on)
        newest = {each.kind: each.number for each in reversed(going_on)}
        return [
            Shown(
                title=translate("%(sentence)s.", sentence=translate(each.summary)),
                facts=tuple(_describe_alert(each)),
                more=0 if each.kind in _GRAVE else alike[each.kind] - 1,
                href=find_record(each.position) if each.position is not None else "",
                grave=each.kind in _GRAVE,
            )
            for each in sorted(going_on, key=lambda each: each.kind not in _GRAVE)
            if each.kind in _GRAVE or each.number == newest[each.kind]
        ]

    def _count(self, overview: Overview, since: datetime, first_day: datetime) -> Iterable[Figure]:
        sign_ins, refusals = (sum(getattr(each, name) for each in overview.slots) for name in ("sign_ins", "refusals"))
        share = ""
        if refusals and sign_ins:
            share = translate("%(number)s per 100 sign-ins", number=format(100 * refusals / sign_ins, ".1f"))
        weak = overview.privileged_uses_without_mfa
        yield Figure(translate("Sign-ins"), sign_ins, _find(since, event="sign_in.accepted"))
        yield Figure(translate("Refusals"), refusals, _find(since, outcome="refused"), note=share)
        issued = sum(each.issued for each in overview.slots)
        yield Figure(translate("Credentials issued"), issued, _find(since, outcome="accepted", event="exchange"))
        yield Figure(translate("Privileged uses"), overview.privileged_uses, _find(first_day, privileged="yes"))
        yield Figure(
            translate("Privileged, no MFA"),
            weak,
            _find(first_day, privileged="yes", mfa="no"),
            tone="bad" if weak else "",
        )
        new = len(overview.new_networks)
        yield Figure(translate("New networks"), new, note=translate("or more") if new >= _MOST_NETWORKS else "")

    def _draw(self, slots: Sequence[tuple[Slot, timedelta]], name: str, **filters: str) -> Columns:
        return draw_columns(
            [
                Count(
                    _name_slot(slot.begins, length),
                    getattr(slot, name),
                    _find(slot.begins, slot.begins + length, **filters),
                    _name_shortly(slot.begins, length),
                )
                for slot, length in slots
            ]
        )

    def _draw_providers(self, overview: Overview, since: datetime) -> tuple[Bar, ...]:
        refused = {each.name: each.count for each in overview.refusals_by_provider}
        accepted = {each.name: each.count for each in overview.sign_ins_by_provider}
        names = sorted(accepted.keys() | refused.keys(), key=lambda name: -accepted.get(name, 0))[:_ROWS]
        names = [name for name in names if name]
        counts = [
            Count(self._provider_titles.get(name, name), accepted.get(name, 0), _find(since, provider=name))
            for name in names
        ]
        return draw_bars(counts, [refused.get(name, 0) for name in names])

    def _draw_codes(self, counts: Sequence[NamedCount], since: datetime) -> tuple[Bar, ...]:
        return draw_bars(
            [
                Count(
                    each.name or translate("without a code"),
                    each.count,
                    _find(since, code=each.name) if each.name else "",
                )
                for each in counts[:_ROWS]
            ]
        )

    def _draw_roles(self, roles: Sequence[UnusualRole], since: datetime) -> tuple[Bar, ...]:
        counts = []
        for each in roles[:_ROWS]:
            name = each.entitlement.removeprefix("role ")
            account = self._account_titles.get(each.account, each.account)
            counts.append(
                Count(
                    translate("%(role)s in %(account)s", role=name, account=account),
                    each.count,
                    _find(since, account=each.account, role=each.entitlement),
                    _describe_before(each),
                )
            )
        return draw_bars(counts)

    def _ask(self, question: Question, now: datetime) -> Asked:
        search = question.build(now, "")
        found = self._search.find(search, count=1)
        if found.total is not None:
            figure = f"{found.total:,}"
        else:
            last = show_moment(to_microseconds(found.records[0]["time"])) if found.records else ""
            figure = translate("Last: %(time)s UTC", time=last) if last else translate("None")
        query = search.to_query() | ({"by": question.counts} if question.counts else {})
        return Asked(translate(question.words), translate(question.explanation), find_records(query), figure)


def _describe_before(role: UnusualRole) -> str:
    if role.first_ever:
        return translate("for the first time")
    if not role.before:
        return translate("never in the 90 days before")
    return translate_number("once in the 90 days before", "%(number)s times in the 90 days before", role.before)


def _describe_alert(alert: ShownAlert) -> Iterator[str]:
    """Yield since when, and what there is to say that its record does not say better."""
    yield translate("Since %(time)s UTC", time=show_moment(alert.first))
    if alert.count > 1:
        yield translate("%(count)s times", count=format(alert.count, ","))
    for name, text in alert.facts.items():
        if name not in _IN_THE_RECORD:
            shown = _shorten(name, text)
            yield translate(_FACTS[name], value=shown) if name in _FACTS else shown


def _shorten(name: str, text: str) -> str:
    if name in {"version", "previous"}:
        return text[:_VERSION]
    return text if len(text) <= _FACT else f"{text[:_FACT]} …"


def _draw_networks(networks: Sequence[SeenNetwork]) -> tuple[Bar, ...]:
    return draw_bars(
        [
            Count(
                each.network,
                each.count,
                find_records({"address": each.network}),
                translate("since %(time)s", time=format(each.first_time, "%Y-%m-%d %H:%M")),
            )
            for each in networks[:_ROWS]
        ]
    )


def _find(since: datetime, until: datetime | None = None, **filters: str) -> str:
    """Return the address of a search."""
    search, _ = Search.parse(filters)
    query = search.to_query() | {"since": _write(since)} | ({"until": _write(until)} if until else {})
    return find_records(query)


def _write(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _next_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _sum_up(slots: Sequence[Slot], days: int) -> list[tuple[Slot, timedelta]]:
    """Return slots with their length; ``days`` of them as one where that is more than 1."""
    length = slots[1].begins - slots[0].begins if len(slots) > 1 else timedelta(days=1)
    if days == 1:
        return [(slot, length) for slot in slots]
    parts = [slots[start : start + days] for start in range(0, len(slots), days)]
    return [
        (
            Slot(
                part[0].begins,
                *(sum(getattr(each, name) for each in part) for name in ("sign_ins", "refusals", "issued", "records")),
            ),
            length * len(part),
        )
        for part in parts
    ]


def _name_slot(begins: datetime, length: timedelta) -> str:
    if length < timedelta(days=1):
        return begins.strftime("%Y-%m-%d %H:%M")
    day = write_day_in_row(begins.date())
    return day if length == timedelta(days=1) else translate("%(days)s days from %(day)s", days=length.days, day=day)


def _name_shortly(begins: datetime, length: timedelta) -> str:
    if length > timedelta(days=1):
        return write_month_shortly(begins.date())
    return begins.strftime("%H:%M") if length < timedelta(days=1) else write_day_shortly(begins.date())
