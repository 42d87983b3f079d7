"""Who is asking, and whether the request came from our own page."""

import hmac
import re

from flask import g, request

from bridge.errors import CrossSiteRequest, SessionError, SessionMissing
from bridge.sessions.cookie import BROWSER_COOKIE, SESSION_COOKIE, read_single
from bridge.sessions.session import Session
from bridge.sessions.store import SessionStore

_BROWSER_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def find_browser_cookie() -> str | None:
    """Return the value of the sign-in cookie, None without one that we could have set."""
    value = read_single(request.headers.get("Cookie", ""), BROWSER_COOKIE)
    return value if value and _BROWSER_COOKIE_VALUE.fullmatch(value) else None


class Access:
    """The guards that views call first."""

    def __init__(self, sessions: SessionStore, public_origin: str) -> None:
        """Take the sessions and our own origin (scheme and host of the public address)."""
        self._sessions = sessions
        self._origin = public_origin

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
        if not hmac.compare_digest(request.form.get("csrf_token", "").encode(), session.csrf_token.encode()):
            raise CrossSiteRequest("the form has another session's token")
        return session
