"""``/my/sessions``: where one is signed in, how to end that, and what was handed out and still lives."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.clock import Clock, format_utc
from bridge.errors import AuditUnavailable
from bridge.exchange.cache import LONGEST
from bridge.identity.verified import VerifiedIdentity
from bridge.language import write_length
from bridge.sessions.cookie import SESSION_COOKIE, SESSION_COOKIE_OPTIONS
from bridge.web.access import Access
from bridge.web.handed_out import MOST_RECORDS, HandedOut, HandedOutList
from bridge.web.people import describe_signed_in
from bridge.web.session_list import OwnSession, SessionList

_LOG = logging.getLogger(__name__)


class OwnSessions:
    """The page of the signed-in person's sessions, and its buttons."""

    def __init__(
        self,
        access: Access,
        session_list: SessionList,
        handed_out: HandedOutList,
        *,
        provider_titles: Mapping[str, str],
        account_titles: Mapping[str, str],
        idle_seconds: int,
        clock: Clock,
    ) -> None:
        """Take the guards, both lists, titles by name, when an idle browser is signed out, and the clock."""
        self._access = access
        self._list = session_list
        self._handed_out = handed_out
        self._titles = provider_titles
        self._accounts = account_titles
        self._idle_seconds = idle_seconds
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("own_sessions", __name__)
        routes.add_url_rule("/my/sessions", "show", self.show)
        routes.add_url_rule("/my/sessions/end-others", "end_others", self.end_others, methods=["POST"])
        routes.add_url_rule("/my/sessions/<id>/end", "end", self.end, methods=["POST"])
        return routes

    def show(self) -> Response:
        """List the sessions and what was handed out. Looking at one's own leaves no record."""
        session = self._access.require_session()
        identity, current = session.identity, self._access.browser_key()
        own = sorted(self._list.list(identity, current), key=lambda each: not each.current)
        handed_out, complete = self._find_handed_out(identity)
        page = render_template(
            "own_sessions.html",
            **describe_signed_in(self._access, self._titles),
            sessions=[_describe_session(each) for each in own],
            handed_out=None if handed_out is None else [self._describe_handed_out(each) for each in handed_out],
            complete=complete,
            most_records=MOST_RECORDS,
            looked_back=write_length(LONGEST.total_seconds()),
            idle_minutes=self._idle_seconds // 60,
            extend_url=url_for("login.start", provider=identity.provider, return_to=url_for("own_sessions.show")),
            server_time=format_utc(self._clock.now()),
        )
        return make_response(page)

    def end(self, id: str) -> AnyResponse:  # noqa: A002  as the address calls it
        """End one session of the person's own; of anybody else's it knows nothing."""
        identity = self._access.require_session_post().identity
        ended = self._list.end(identity, self._access.browser_key(), id)
        if not ended.current:
            return redirect(url_for("own_sessions.show"), 303)
        response: AnyResponse = redirect(url_for("logout.signed_out"), 303)
        response.set_cookie(SESSION_COOKIE, "", max_age=0, **SESSION_COOKIE_OPTIONS)
        return response

    def end_others(self) -> AnyResponse:
        """End every session but this one."""
        identity = self._access.require_session_post().identity
        self._list.end_others(identity, self._access.browser_key())
        return redirect(url_for("own_sessions.show"), 303)

    def _find_handed_out(self, identity: VerifiedIdentity) -> tuple[list[HandedOut] | None, bool]:
        """Return it, and whether it is all; None if the log does not answer: that must keep nobody from ending one."""
        try:
            return self._handed_out.find(identity)
        except AuditUnavailable as error:
            _LOG.warning("what was handed out cannot be looked up: %s", error.detail)
            return None, False

    def _describe_handed_out(self, each: HandedOut) -> dict[str, Any]:
        return {
            "kind": each.kind,
            "account": self._accounts.get(each.account, each.account),
            "name": each.name,
            "at": _show(datetime.fromisoformat(each.at)),
            "ends_at": format_utc(each.ends_at),
            "address": each.address,
            "reference": each.reference,
            "access_key_id": each.access_key_id,
            "times": each.times,
        }


def _describe_session(each: OwnSession) -> dict[str, Any]:
    session = each.session
    return {
        "id": each.id,
        "kind": each.kind,
        "current": each.current,
        "program": session.program,
        "address": session.opened_from,
        "since": _show(session.created_at),
        "last_seen": _show(session.last_seen_at),
        "ends_at": format_utc(session.ends_at),
    }


def _show(moment: datetime) -> str:
    """Return a moment for people, UTC, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M}"
