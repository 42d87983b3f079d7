"""People: found by part of their name, and what one of them did, as a line through time."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Blueprint, request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit.reader import database_errors
from bridge.audit.record import to_microseconds
from bridge.audit.search.page import Page
from bridge.audit.search.query import Search
from bridge.audit.search.search import AuditSearch
from bridge.audit.trail.threads import Call, Threads, weave
from bridge.errors import NotFound
from bridge.language import translate
from bridge.web.auditor.addresses import find_person
from bridge.web.auditor.auditing import Auditing
from bridge.web.auditor.figures import Figure
from bridge.web.auditor.sentences import Record, Sentences
from bridge.web.auditor.timeline import draw_timeline
from bridge.web.auditor.visits import Visits

_DIGEST = re.compile(r"[0-9a-f]{32}", re.ASCII)
MAX_FOUND = 30
SHOWN = 100
MAX_CALLS = 1_000
"""Calls in the cloud between the records of one page."""


class PeoplePages:
    """The pages about people."""

    def __init__(
        self, auditing: Auditing, search: AuditSearch, threads: Threads, say: Sentences, visits: Visits
    ) -> None:
        """Take the frame, what finds records and calls, puts them into words, and records that they are shown."""
        self._auditing = auditing
        self._search = search
        self._threads = threads
        self._say = say
        self._visits = visits

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("audit_people", __name__, url_prefix="/audit/people")
        routes.add_url_rule("", "ask", self.ask)
        routes.add_url_rule("", "find", self.find, methods=["POST"])
        routes.add_url_rule("/<digest>", "show", self.show)
        return routes

    def ask(self) -> AnyResponse:
        """Ask for a name. It comes by POST, so that it stands in no address."""
        return self._auditing.render("audit_people.html", asked="")

    def find(self) -> AnyResponse:
        """List the people whose name has what was typed in it."""
        text = request.form.get("q", "").strip()
        found = self._search.people(text, count=MAX_FOUND + 1) if text else ()
        if found:
            self._visits.record_search(Search(person=text))
        return self._auditing.render(
            "audit_people.html",
            asked=text,
            people=[self._describe(each.subject_digest, each.name) for each in found[:MAX_FOUND]],
            more=len(found) > MAX_FOUND,
        )

    def show(self, digest: str) -> AnyResponse:
        """Show what somebody did, the latest first; ``?before=`` goes on from there."""
        if not _DIGEST.fullmatch(digest):
            raise NotFound("a person stands in an address by their digest")
        before = request.args.get("before", type=int)
        self._visits.record_person(digest)
        page = self._search.find(Search(person=digest), before=before, count=SHOWN)
        person = self._search.person(digest)
        calls = self._read_calls(digest, page, before)
        return self._auditing.render(
            "audit_person.html",
            digest=digest,
            name=person.name if person else "",
            erased=person is None and bool(page.records),
            detail=_describe_last(page.records),
            figures=list(_count(page.records)),
            counted=0 if before is None and page.older is None else len(page.records),
            days=list(draw_timeline(weave(page.records, calls), self._say.without_links())),
            most_calls=MAX_CALLS if len(calls) == MAX_CALLS else 0,
            older=f"{find_person(digest)}?before={page.older}" if page.older is not None else "",
            newest=find_person(digest) if before is not None else "",
        )

    def _read_calls(self, digest: str, page: Page, before: int | None) -> Sequence[Call]:
        """Return the person's calls in the cloud from the last record of a page until that of the page before it."""
        if not page.records:
            return ()
        since = 0 if page.older is None else to_microseconds(page.records[-1]["time"])
        until = None
        if before is not None:
            newer = self._search.find(Search(person=digest), before=before + 1, count=1).records
            until = to_microseconds(newer[0]["time"])
        with database_errors():
            return self._threads.calls_of_person(digest, count=MAX_CALLS, before=until, since=since)

    def _describe(self, digest: str, name: str) -> dict[str, Any]:
        last = self._search.find(Search(person=digest), count=1).records
        return {
            "name": name,
            "href": find_person(digest),
            "detail": Markup("{} · {}").format(last[0].get("subject", ""), self._say.provider(last[0])) if last else "",
            "last": last[0]["time"][:16].replace("T", " ") if last else "",
        }


def _describe_last(records: Sequence[Record]) -> str:
    """Return how the person's provider names them, from their latest record."""
    latest = next((each for each in records if each.get("subject")), None)
    return f"{latest['subject']} · {latest.get('issuer', '')}" if latest else ""


def _count(records: Sequence[Record]) -> Iterable[Figure]:
    accepted = [each for each in records if each["event"] == "sign_in.accepted"]
    weak = sum(each.get("mfa") is False for each in accepted)
    roles = {
        (each["account"], each["entitlement"]) for each in records if each.get("account") and each.get("entitlement")
    }
    networks = {each["network"] for each in records if each.get("network")}
    yield Figure(translate("Sign-ins"), len(accepted))
    yield Figure(translate("With one factor"), weak, tone="warn" if weak else "")
    yield Figure(translate("Refused"), sum(each["event"].endswith(".refused") for each in records))
    yield Figure(translate("Roles and users"), len(roles))
    yield Figure(translate("Networks"), len(networks))
