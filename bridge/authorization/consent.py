"""The page on which a signed-in person lets a program in that asks through their browser (RFC 6749 4.1.1, RFC 8252).

As on the page for terminals, opening an address decides nothing: any program, and any page, can open one. What was
asked comes back with the form, sealed for this session, so that what was shown is what is decided about.
"""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from bridge.audit import events
from bridge.audit.log import AuditLog
from bridge.authorization.answers import name_error
from bridge.authorization.client import CLIENT_ID, check_client
from bridge.authorization.codes import Codes
from bridge.authorization.parameters import read_query
from bridge.authorization.pushed import PushedRequests
from bridge.authorization.requests import AuthorizationRequest, Receiver, check_request, read_receiver
from bridge.clock import Clock, format_utc
from bridge.errors import BadParameter, RequestError, Unsealable
from bridge.identity.providers import Provider
from bridge.sessions.tickets import Tickets
from bridge.web.access import Access
from bridge.web.headers import allow_form_action
from bridge.web.origin import current_origin
from bridge.web.people import describe_person

DECISION_SECONDS = 600


class ConsentPage:
    """The question to the person, and the way back to the program."""

    def __init__(
        self,
        *,
        access: Access,
        codes: Codes,
        tickets: Tickets,
        pushed: PushedRequests,
        audit: AuditLog,
        providers: Mapping[str, Provider],
        issuer: str,
        resource: str,
        clock: Clock,
    ) -> None:
        """Take the guards, codes, tickets and pushed requests, the log, the providers' titles, and who we are."""
        self._access = access
        self._codes = codes
        self._tickets = tickets
        self._pushed = pushed
        self._audit = audit
        self._titles = {name: provider.title for name, provider in providers.items()}
        self._issuer = issuer
        self._resource = resource
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("consent", __name__, url_prefix="/oauth")
        routes.add_url_rule("/authorize", "ask", self.ask)
        routes.add_url_rule("/allow", "allow", self.allow, methods=["POST"])
        routes.add_url_rule("/refuse", "refuse", self.refuse, methods=["POST"])
        return routes

    def ask(self) -> Response:
        """Describe the program and ask whether it may; a request that may not be put goes back to it."""
        session = self._access.require_session()
        parameters, pushed = self._find_pushed(read_query())
        receiver = read_receiver(parameters)
        try:
            asked = check_request(parameters, receiver, self._resource)
        except RequestError as error:
            return self._send_back(receiver, error=name_error(error), error_description=error.public)
        values = [self._access.browser_key(), receiver.redirect_uri, receiver.state, asked.challenge, pushed]
        ends_at = self._clock.now() + timedelta(seconds=DECISION_SECONDS)
        address = urlsplit(receiver.redirect_uri)
        # Browsers hold the redirect that follows the form to this as well. No source names an address of IPv6 (CSP 3).
        allow_form_action(["http:" if address.hostname == "::1" else f"http://{address.netloc}"])
        page = render_template(
            "consent.html",
            person=describe_person(session.identity, self._titles),
            program_address=address.netloc,
            browser_address=current_origin().source_address,
            session_ends=format_utc(session.ends_at),
            csrf_token=session.csrf_token,
            asked=self._tickets.write("consent", values, ends_at),
        )
        return make_response(page)

    def allow(self) -> Response:
        """Give the program a code; record it before."""
        asked = self._read_decided(events.AuthorizationGranted)
        return self._send_back(asked.receiver, code=self._codes.give(asked, self._access.browser_key()))

    def refuse(self) -> Response:
        """Tell the program that it may not."""
        asked = self._read_decided(events.AuthorizationRefused)
        return self._send_back(asked.receiver, error="access_denied")

    def _read_decided(
        self, event: type[events.AuthorizationGranted | events.AuthorizationRefused]
    ) -> AuthorizationRequest:
        """Return what the form is about, after recording what the person decided."""
        identity = self._access.require_session_post().identity
        asked = self._read_asked(request.form.get("asked", ""))
        self._audit.append(
            current_origin(),
            event(
                **identity.as_recorded(),
                client=CLIENT_ID,
                redirect_uri=asked.receiver.redirect_uri,
            ),
        )
        return asked

    def _find_pushed(self, parameters: dict[str, str]) -> tuple[dict[str, str], str]:
        """Return the request itself, and the reference by which it was found, if it was pushed (RFC 9126 4)."""
        reference = parameters.get("request_uri", "")
        if not reference:
            return parameters, ""
        check_client(parameters.get("client_id", ""))
        return self._pushed.find(reference), reference

    def _read_asked(self, text: str) -> AuthorizationRequest:
        try:
            ticket = self._tickets.read("consent", text, parts=5)
        except Unsealable as error:
            raise BadParameter(error.detail) from error
        key, redirect_uri, state, challenge, pushed = ticket.values
        if key != self._access.browser_key() or self._clock.now() >= ticket.ends_at:
            raise BadParameter("shown in another session, or too long ago")
        if pushed:
            self._pushed.use_up(pushed)
        return AuthorizationRequest(Receiver(redirect_uri, state), challenge)

    def _send_back(self, receiver: Receiver, **answer: str) -> Response:
        """Lead the browser back to the program, and say who answers, lest it be mixed up (RFC 9207)."""
        if receiver.state:
            answer["state"] = receiver.state
        return redirect(f"{receiver.redirect_uri}?{urlencode(answer | {'iss': self._issuer})}", 303)
