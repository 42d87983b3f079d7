"""Search the records: one box that understands what is pasted, filters, pages by position.

What is typed comes by POST and leads to an address that holds no name: people stand in it by the log's own digest of
them. So a search can be kept, sent and read in a proxy's log without saying of whom it is.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit.search.page import Page
from bridge.audit.search.query import Search
from bridge.audit.search.questions import QUESTIONS
from bridge.audit.search.saved import SavedSearches
from bridge.audit.search.search import AuditSearch
from bridge.clock import Clock
from bridge.errors import NotFound
from bridge.language import mark, translate, translate_number
from bridge.web.auditor.addresses import find_export, find_records
from bridge.web.auditor.auditing import Auditing
from bridge.web.auditor.charts import Bar, Count, draw_bars
from bridge.web.auditor.event_names import name_event
from bridge.web.auditor.figures import show_moment
from bridge.web.auditor.filter_words import TITLES, describe_value
from bridge.web.auditor.lines import write_lines
from bridge.web.auditor.pasted import understand
from bridge.web.auditor.search_export import FORMS, MAX_EXPORTED
from bridge.web.auditor.sentences import Sentences
from bridge.web.auditor.visits import Visits

_IN_THE_FORM = ("since", "until", "outcome", "event", "provider", "account", "role", "code", "privileged", "mfa")
_FURTHER = frozenset({"provider", "account", "role", "code", "privileged", "mfa"})
_COUNTED = {"code": mark("By code"), "provider": mark("By provider"), "event": mark("By event")}
"""What can be counted, and what the picture of it is called."""
_IN_A_COUNT = frozenset({"since", "until", "outcome"})
"""What counts by day know; with any other filter they would be those of more records than are listed."""


class SearchPage:
    """The page that finds records."""

    def __init__(  # noqa: PLR0917
        self,
        auditing: Auditing,
        search: AuditSearch,
        saved: SavedSearches,
        say: Sentences,
        visits: Visits,
        clock: Clock,
        *,
        provider_titles: Mapping[str, str],
        account_titles: Mapping[str, str],
    ) -> None:
        """Take the frame, what finds and keeps, what puts records into words, what records that, and the clock."""
        self._auditing = auditing
        self._search = search
        self._saved = saved
        self._say = say
        self._visits = visits
        self._clock = clock
        self._titles = {"provider": provider_titles, "account": account_titles}

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("audit_records", __name__, url_prefix="/audit")
        routes.add_url_rule("/records", "latest", self.latest)
        routes.add_url_rule("/search", "search", self.search, methods=["POST"])
        routes.add_url_rule("/ask/<name>", "ask", self.ask, methods=["POST"])
        return routes

    def latest(self) -> AnyResponse:
        """List what the address asks for, newest first; ``?before=`` goes on from there."""
        search, problems = Search.parse(request.args)
        before = request.args.get("before", type=int)
        return self._show(search, next(iter(problems.values()), ""), before=before)

    def search(self) -> AnyResponse:
        """Understand what was typed, and lead to the address of what it means."""
        typed = dict(request.form)
        text = typed.pop("q", "").strip()
        pasted = understand(text, frozenset(self._search.values("event")))
        if pasted.field == "name" and pasted.value:
            return self._look_up(pasted.value, typed)
        if pasted.field == "day":
            typed |= {"since": pasted.value, "until": pasted.value}
        elif pasted.value:
            typed[pasted.field] = pasted.value
        search, problems = Search.parse(typed)
        if problems:
            return self._show(search, next(iter(problems.values())), text=text)
        return _lead_to(search)

    def ask(self, name: str) -> AnyResponse:
        """Lead to the answer of one of the usual questions, about whoever or whatever was typed."""
        question = QUESTIONS.get(name)
        if question is None:
            raise NotFound(f"there is no question {name}")
        search = question.build(self._clock.now(), request.form.get("q", "").strip())
        if search.person:
            return self._look_up(search.person, replace(search, person="").to_query())
        return _lead_to(search)

    def _look_up(self, text: str, typed: dict[str, str]) -> AnyResponse:
        """Lead to the person of this name, or to the people, the session or the words."""
        found = self._search.people(text, count=2)
        if len(found) > 1:
            return redirect(url_for("audit_people.find"), 307)  # by POST as well: the name stays out of the address
        if found:
            typed["person"] = found[0].subject_digest
        else:
            by_session = Search(session_name=text)
            known = " " not in text and bool(self._search.find(by_session, count=1).records)
            typed["session_name" if known else "text"] = text
        search, problems = Search.parse(typed)
        return self._show(search, next(iter(problems.values())), text=text) if problems else _lead_to(search)

    def _show(self, search: Search, fault: str = "", *, before: int | None = None, text: str = "") -> AnyResponse:
        asks = not search.is_empty
        if not fault:
            self._visits.record_search(search)
        # What could not be understood is left out of ``search``: what that finds is not what was asked for.
        page = Page(()) if fault else self._search.find(search, before=before)
        query = search.to_query()
        by = request.args.get("by", "")
        by = by if by in _COUNTED else ""
        return self._auditing.render(
            "audit_records.html",
            lines=write_lines(page.records, self._say),
            found=_count(page.total, len(page.records), first=before is None, complete=page.older is None, asks=asks),
            searched_to=show_moment(page.searched_to),
            older=find_records({**query, "before": page.older}) if page.older is not None else "",
            newest=find_records(query) if before is not None else "",
            by=translate(_COUNTED[by]) if by else "",
            by_what=translate(TITLES[by]) if by else "",
            counted=self._count_by(by, search) if by else (),
            chips=[self._describe(name, value, query) for name, value in query.items()],
            asked={**_fill_in(search), "text": text},
            kept=[(name, value) for name, value in query.items() if name not in _IN_THE_FORM],
            more_filters=bool(_FURTHER & query.keys()),
            query=query,
            fault=fault,
            saved=self._list_saved(),
            exports=[(title, find_export({**query, "format": form})) for title, form in FORMS],
            most_exported=MAX_EXPORTED,
            events=[(each, f"{name_event(each)} ({each})") for each in self._search.values("event")],
            providers=self._offer("provider"),
            accounts=self._offer("account"),
        )

    def _count_by(self, field: str, search: Search) -> tuple[Bar, ...]:
        """Return how often each value of a field is among the records of whole days; nothing if it is not asked for."""
        if search.since is None or search.until is None:
            return ()
        if search.to_query().keys() - _IN_A_COUNT:
            return ()
        refused = {"refused": True, "accepted": False}.get(search.outcome)
        counts = self._search.counts(field, search.since, search.until, refused=refused)
        return draw_bars(
            [
                Count(
                    describe_value(field, self._titles.get(field, {}).get(each.name, each.name)),
                    each.count,
                    find_records({**search.to_query(), field: each.name}),
                )
                for each in counts
                if each.name
            ]
        )

    def _list_saved(self) -> list[dict[str, Any]]:
        owner = self._auditing.find_owner()
        return [
            {
                "number": each.number,
                "name": each.name,
                "href": find_records(each.search.to_query()),
            }
            for each in self._saved.list(owner)
        ]

    def _offer(self, field: str) -> list[tuple[str, str]]:
        return [(name, self._titles[field].get(name, name)) for name in self._search.values(field)]

    def _describe(self, name: str, value: str, query: Mapping[str, str]) -> dict[str, str]:
        text = self._titles.get(name, {}).get(value) or describe_value(name, value)
        if name == "person":
            text = self._name(value)
        without = {other: text for other, text in query.items() if other != name}
        return {
            "title": translate(TITLES[name]),
            "text": text,
            "without": find_records(without),
        }

    def _name(self, digest: str) -> str:
        person = self._search.person(digest)
        return person.name if person else translate("erased, or unknown")


def _lead_to(search: Search) -> AnyResponse:
    return redirect(find_records(search.to_query()), 303)


def _fill_in(search: Search) -> dict[str, str]:
    """Return what stands in the form; a day for a moment that is the beginning or the end of one."""
    query = search.to_query()
    filled = {field.name: query.get(field.name, "") for field in fields(Search)}
    if search.since:
        filled["since"] = search.since.date().isoformat()
    if search.until:
        filled["until"] = datetime.fromtimestamp(search.until.timestamp() - 1, UTC).date().isoformat()
    return filled


def _count(total: int | None, shown: int, *, first: bool, complete: bool, asks: bool) -> str:
    if total is not None or (first and complete):
        count = shown if total is None else total
        return translate_number("1 record", "%(count)s records", count, count=format(count, ","))
    if not first:
        return translate("%(count)s more", count=shown)
    return (
        translate("The newest %(count)s", count=shown)
        if asks
        else translate("The newest %(count)s of all", count=shown)
    )
