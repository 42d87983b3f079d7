"""Who is asking, whether they may, and whether the request came from our own page."""

import hmac
import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from flask import Flask, g, request

from bridge.audit.events import Origin
from bridge.errors import AccessTokenUnknown, BadParameter, CrossSiteRequest, NotFound, SessionError, SessionMissing
from bridge.federation import Federation
from bridge.identity.guesses import GuessLimit
from bridge.identity.verified import VerifiedIdentity
from bridge.sessions.cookie import BROWSER_COOKIE, SESSION_COOKIE, read_single
from bridge.sessions.grants import Grants
from bridge.sessions.session import Session
from bridge.sessions.store import SessionStore, session_key
from bridge.web.origin import current_origin

Level: TypeAlias = Literal["public", "session", "caller", "administrator", "auditor"]
"""``caller``: a program by its access token, or a page of ours by its session."""

LEVELS: Mapping[str, Level] = {
    "static": "public",
    "health.live": "public",
    "health.ready": "public",
    "published.saml_sp": "public",
    "published.saml_idp": "public",
    "published.discovery": "public",
    "published.jwks": "public",
    "published.client_jwks": "public",
    "languages.choose": "public",
    "login.choose": "public",
    "login.lead": "public",
    "login.start": "public",
    "login.step_up": "session",
    "login.acs": "public",
    "login.callback": "public",
    "login.initiate": "public",
    "login.confirm": "public",
    "logout.end": "session",
    "logout.signed_out": "public",
    "logout.slo": "public",
    "logout.backchannel": "public",
    "logout.frontchannel": "public",
    "portal.show": "session",
    "portal.console": "session",
    "portal.credentials": "session",
    "portal.favourite": "session",
    "links.open_role": "session",
    "links.open_account": "session",
    "links.follow": "session",
    "links.ask": "session",
    "links.make": "session",
    "find.ask": "session",
    "find.answer": "session",
    "api.session": "caller",
    "api.credentials": "caller",
    "api.links": "caller",
    "api.sessions": "caller",
    "api.end_session": "caller",
    "api.handed_out": "caller",
    "api.logout": "caller",
    "api.openapi": "public",
    "consent.ask": "session",
    "consent.allow": "session",
    "consent.refuse": "session",
    "oauth.metadata": "public",
    "oauth.push": "public",
    "oauth.authorize_device": "public",
    "oauth.token": "public",
    "oauth.revoke": "public",
    "devices.ask": "session",
    "devices.allow": "session",
    "devices.refuse": "session",
    "portal_protocol.authorize_device": "public",
    "portal_protocol.create_token": "public",
    "portal_protocol.list_accounts": "public",  # this and the next two: by the token of a terminal, not by a cookie
    "portal_protocol.list_configurations": "public",
    "portal_protocol.create_credentials": "public",
    "admin_sign_ins.start": "administrator",
    "admin_sign_ins.latest": "administrator",
    "admin_sign_ins.show": "administrator",
    "admin_explain.form": "administrator",
    "admin_explain.answer": "administrator",
    "admin_providers.overview": "administrator",
    "admin_rules.overview": "administrator",
    "admin_preview.choose": "administrator",
    "admin_preview.start": "administrator",
    "admin_preview.show": "administrator",
    "admin_preview.progress": "administrator",
    "admin_versions.overview": "administrator",
    "admin_versions.draft": "administrator",
    "admin_versions.promote": "administrator",
    "admin_versions.request": "administrator",
    "admin_versions.confirm": "administrator",
    "admin_versions.reject": "administrator",
    "admin_versions.show": "administrator",
    "admin_versions.ask": "administrator",
    "admin_versions.roll_back": "administrator",
    "audit_overview.show": "auditor",
    "audit_records.latest": "auditor",
    "audit_records.search": "auditor",
    "audit_records.ask": "auditor",
    "audit_export.download": "auditor",
    "audit_record.show": "auditor",
    "audit_record.prove": "auditor",
    "audit_trail.overview": "auditor",
    "audit_trail.show": "auditor",
    "audit_people.find": "auditor",
    "audit_people.ask": "auditor",
    "audit_people.show": "auditor",
    "audit_saved.keep": "auditor",
    "audit_saved.forget": "auditor",
    "own_sign_ins.show": "session",
    "own_sessions.show": "session",
    "own_sessions.end": "session",
    "own_sessions.end_others": "session",
}
"""Who may ask for what, by endpoint. What has no row here is open to nobody (threat WEB-16)."""

FORMS_PER_MINUTE = 120
CALLS_PER_MINUTE = 600
PER_MINUTE: Mapping[str, int] = {
    "find.answer": FORMS_PER_MINUTE,
    "links.make": FORMS_PER_MINUTE,
    "admin_explain.answer": FORMS_PER_MINUTE,
    "admin_preview.start": FORMS_PER_MINUTE,
    "api.session": CALLS_PER_MINUTE,
    "api.credentials": CALLS_PER_MINUTE,
    "api.links": CALLS_PER_MINUTE,
    "api.handed_out": CALLS_PER_MINUTE,
}
"""How often one person may ask for what costs processor time, by endpoint: forms far more often than anybody types,
programs as often as a shell's loop does (threat WEB-21)."""

CSRF_HEADER = "X-CSRF-Token"
"""Where a script of our own pages puts the session's token, which forms have in ``csrf_token``."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_BROWSER_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def find_browser_cookie() -> str | None:
    """Return the value of the sign-in cookie, None without one that we could have set."""
    value = read_single(request.headers.get("Cookie", ""), BROWSER_COOKIE)
    return value if value and _BROWSER_COOKIE_VALUE.fullmatch(value) else None


class Access:
    """The guards that views call first."""

    def __init__(
        self,
        sessions: SessionStore,
        grants: Grants,
        federation: Federation,
        guesses: GuessLimit,
        public_origin: str,
    ) -> None:
        """Take the sessions, the programs' grants, what knows the administrators, what counts, and our origin."""
        self._sessions = sessions
        self._grants = grants
        self._federation = federation
        self._guesses = guesses
        self._origin = public_origin

    def install(self, app: Flask) -> None:
        """Let nobody through to a view of ``app`` for whom ``LEVELS`` does not open it."""

        @app.before_request
        def admit() -> None:
            endpoint = request.endpoint
            if endpoint is None:
                return  # there is no such page
            self._admit(endpoint)
            session = self.find_known()
            if endpoint in PER_MINUTE and session is not None:
                self._guesses.count_person(endpoint, session.identity, PER_MINUTE[endpoint])

    def _admit(self, endpoint: str) -> None:
        level = LEVELS.get(endpoint)
        if level is None:
            raise NotFound(f"nobody may ask for {endpoint}")
        if level == "public":
            return
        if level == "caller":
            self.require_caller()
            return
        if request.method == "POST":
            self.require_session_post()
        if level == "administrator":
            self.require_administrator()
        elif level == "auditor":
            self.require_auditor()
        else:
            self.require_session()

    def require_session(self) -> Session:
        """Return the session of this request.

        Raises:
            SessionMissing: there is none.
            SessionExpired: it has ended.
            StoreUnavailable: it cannot be looked up.
        """
        if "session" not in g:
            cookie = self.find_cookie()
            if cookie is None:
                raise SessionMissing("no session cookie")
            g.session = self._sessions.load(cookie)
        return g.session  # type: ignore[no-any-return]

    def require_caller(self) -> Session:
        """Return the session of a program's access token (RFC 6750 2.1), or else that of one of our own pages.

        Raises:
            BadParameter: a token stands in the address, where logs and neighbours see it (RFC 9700 4.3.2).
            AccessTokenUnknown: the token opens nothing.
            SessionError: there is neither.
            CrossSiteRequest: there is a session, and what would change something does not come from its page.
        """
        if "access_token" in request.args:
            raise BadParameter("an access token in the query")
        if self.has_bearer():
            # NOTE: kept apart from the cookie's session, which somebody may have looked up before: a token that opens
            # nothing must not fall back to it.
            if "program_session" not in g:
                g.program_session = self._grants.load(self.require_bearer())
            return g.program_session  # type: ignore[no-any-return]
        session = self.require_session()
        if request.method not in _READING:
            self.check_same_origin()
            self._check_token(session, request.headers.get(CSRF_HEADER, ""))
        return session

    @staticmethod
    def has_bearer() -> bool:
        """Tell whether a program asks, by a token, and not a page."""
        return "Authorization" in request.headers

    def caller_key(self) -> str:
        """Return under which name the session of this caller is kept. Raises SessionError without one."""
        return self._grants.find_key(self.require_bearer()) if self.has_bearer() else self.browser_key()

    def browser_key(self) -> str:
        """Return under which name this browser's session is kept, whatever else it sends. Raises SessionMissing."""
        cookie = self.find_cookie()
        if cookie is None:
            raise SessionMissing("no session cookie")
        return session_key(cookie)

    def require_bearer(self) -> str:
        """Return the access token of this request. Raises AccessTokenUnknown without one."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise AccessTokenUnknown("no bearer token")
        return token

    def require_administrator(self) -> Session:
        """Return the session of this request; its person is an administrator at this moment.

        Raises:
            SessionError: there is no session.
            NotAdministrator: the person is none. Recorded.
            StoreUnavailable: the session cannot be looked up.
            AuditUnavailable: the refusal cannot be recorded.
        """
        return self._require("administrator", Federation.check_administrator)

    def require_auditor(self) -> Session:
        """Return the session of this request; its person is an auditor at this moment.

        Raises:
            SessionError: there is no session.
            NotAuditor: the person is none. Recorded.
            StoreUnavailable: the session cannot be looked up.
            AuditUnavailable: the refusal cannot be recorded.
        """
        return self._require("auditor", Federation.check_auditor)

    def _require(self, level: Level, check: Callable[[Federation, Origin, VerifiedIdentity, str], None]) -> Session:
        """Return the session of this request, whose person ``check`` lets through; it is asked once a request."""
        session = self.require_session()
        if level not in g:
            check(self._federation, current_origin(), session.identity, request.path)
            setattr(g, level, True)
        return session

    def is_administrator(self) -> bool:
        """Tell whether the person of this request is an administrator: for links to pages that would open."""
        session = self.require_session()
        return "administrator" in g or self._federation.is_administrator(
            session.identity, current_origin().source_address
        )

    def is_auditor(self) -> bool:
        """Tell whether the person of this request is an auditor: for links to pages that would open."""
        session = self.require_session()
        return "auditor" in g or self._federation.is_auditor(session.identity, current_origin().source_address)

    @staticmethod
    def find_known() -> Session | None:
        """Return the session that was looked up for this request already, of a program or a page; None without one."""
        return g.get("program_session") or g.get("session")  # type: ignore[no-any-return]

    def find_session(self) -> Session | None:
        """Return the session of this request, or None where there is none that can be used."""
        try:
            return self.require_session()
        except SessionError:
            return None

    def find_cookie(self) -> str | None:
        """Return the value of the session cookie, None without one."""
        return read_single(request.headers.get("Cookie", ""), SESSION_COOKIE)

    def check_same_origin(self) -> None:
        """The request was sent by one of our own pages (threat WEB-11).

        Browsers say so in ``Sec-Fetch-Site``; those that do not, say in ``Origin`` where the page came from.

        Raises:
            CrossSiteRequest: it was not, or nothing says so.
        """
        site = request.headers.get("Sec-Fetch-Site")
        same = site == "same-origin" if site is not None else request.headers.get("Origin") == self._origin
        if not same:
            raise CrossSiteRequest(f"Sec-Fetch-Site is {site!r}")

    def require_session_post(self) -> Session:
        """Return the session of a form that one of our own pages sent for it.

        Raises:
            CrossSiteRequest: it was sent from elsewhere, or without the session's token.
            SessionError: there is no session.
        """
        self.check_same_origin()
        session = self.require_session()
        self._check_token(session, request.form.get("csrf_token", ""))
        return session

    @staticmethod
    def _check_token(session: Session, token: str) -> None:
        if not hmac.compare_digest(token.encode(), session.csrf_token.encode()):
            raise CrossSiteRequest("the form has another session's token")
