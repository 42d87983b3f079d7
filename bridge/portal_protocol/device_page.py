"""The page on which a signed-in person lets a terminal in, or says that it is not theirs.

The danger is a terminal of somebody else, whose code or address is sent to a person who clicks. So nothing happens by
opening an address: the page says what the terminal will be able to do, from where it asked, and which code it must
show, and waits for a click.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from bridge.audit import events
from bridge.audit.log import AuditLog
from bridge.clock import format_utc
from bridge.errors import UserCodeUnknown
from bridge.identity.guesses import GuessLimit
from bridge.identity.providers import Provider
from bridge.portal_protocol.devices import Devices, Waiting, show_user_code
from bridge.sessions.session import Session
from bridge.web.access import Access
from bridge.web.origin import current_origin
from bridge.web.people import describe_person

TRIES_PER_MINUTE = 20
"""Codes that one person may try in a minute, right or wrong. At that pace the 20⁸ codes last for 2,400 years."""
OFFICE_TRIES_PER_MINUTE = 120
"""The same for all persons behind one address."""


class DevicePage:
    """The questions of this page, for the session of the request."""

    def __init__(
        self,
        access: Access,
        devices: Devices,
        guesses: GuessLimit,
        audit: AuditLog,
        providers: Mapping[str, Provider],
    ) -> None:
        """Take the guards, the terminals that wait, what counts guesses, the log, and the providers' titles."""
        self._access = access
        self._devices = devices
        self._guesses = guesses
        self._audit = audit
        self._titles = {name: provider.title for name, provider in providers.items()}

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("devices", __name__, url_prefix="/device")
        routes.add_url_rule("", "ask", self.ask)
        routes.add_url_rule("/allow", "allow", self.allow, methods=["POST"])
        routes.add_url_rule("/refuse", "refuse", self.refuse, methods=["POST"])
        return routes

    def ask(self) -> Response:
        """Ask for the code; with one in the address, describe the terminal and ask whether it may."""
        session = self._access.require_session()
        code = request.args.get("user_code", "")
        if not code:
            return self._answer(session, typed="")
        self._count(session)
        try:
            waiting = self._devices.find(code)
        except UserCodeUnknown:
            response = self._answer(session, typed=code[:40], unknown=True)
            response.status_code = 404
            return response
        return self._answer(
            session,
            code=show_user_code(code),
            waiting=waiting,
            ends=format_utc(waiting.expires_at),
            elsewhere=waiting.requested_from != current_origin().source_address,
        )

    def allow(self) -> Response:
        """Let the terminal in; record it before."""
        return self._decide(events.DeviceAuthorized, self._let_in, "allowed")

    def refuse(self) -> Response:
        """Turn the terminal away."""
        return self._decide(events.DeviceRefused, self._devices.refuse, "refused")

    def _decide(
        self,
        event: type[events.DeviceAuthorized | events.DeviceRefused],
        act: Callable[[Waiting], None],
        decision: str,
    ) -> Response:
        session = self._access.require_session_post()
        self._count(session)
        waiting = self._devices.take(request.form.get("user_code", ""))
        identity = session.identity
        self._audit.append(
            current_origin(),
            event(
                **identity.as_recorded(),
                client=waiting.client,
                requested_from=waiting.requested_from,
            ),
        )
        act(waiting)
        return self._answer(session, decision=decision)

    def _let_in(self, waiting: Waiting) -> None:
        self._devices.allow(waiting, self._access.browser_key())

    def _count(self, session: Session) -> None:
        identity = session.identity
        self._guesses.count("user-code", current_origin().source_address, OFFICE_TRIES_PER_MINUTE)
        self._guesses.count("user-code", f"{identity.issuer} {identity.subject}", TRIES_PER_MINUTE)

    def _answer(self, session: Session, **what: Any) -> Response:
        page = render_template(
            "device.html",
            person=describe_person(session.identity, self._titles),
            session_ends=format_utc(session.ends_at),
            csrf_token=session.csrf_token,
            **what,
        )
        return make_response(page)
