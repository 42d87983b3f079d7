"""The endpoints that programs call.

Metadata (RFC 8414), pushed requests (RFC 9126), waiting terminals (RFC 8628, with PKCE: a device code that was seen is
worth nothing), tokens (RFC 6749 3.2) and their end (RFC 7009).
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import HTTPException

from bridge.addresses import find_customer
from bridge.audit import events
from bridge.audit.log import AuditLog
from bridge.authorization.answers import refuse, refuse_http
from bridge.authorization.client import CLIENT_ID, check_client, check_resource
from bridge.authorization.codes import Codes, ShownCode
from bridge.authorization.parameters import read_form
from bridge.authorization.pushed import LIFETIME_SECONDS as PUSHED_SECONDS
from bridge.authorization.pushed import PushedRequests
from bridge.authorization.requests import PARAMETERS, check_request, read_receiver
from bridge.errors import (
    BadParameter,
    BridgeError,
    CodeRefused,
    CodeReused,
    DeviceOver,
    GrantTypeUnsupported,
    PKCEMissing,
    RefreshTokenReused,
)
from bridge.identity.guesses import GuessLimit
from bridge.identity.verified import VerifiedIdentity
from bridge.portal_protocol.devices import INTERVAL_SECONDS, Devices
from bridge.portal_protocol.devices import LIFETIME_SECONDS as WAIT_SECONDS
from bridge.portal_protocol.opening import TerminalOpening
from bridge.portal_protocol.protocol import GRANT_TYPE, STARTS_PER_MINUTE
from bridge.sessions.grants import Grants, IssuedTokens
from bridge.sessions.store import SessionStore, session_key
from bridge.web.origin import current_origin

TOKENS_PER_MINUTE = 1_200
"""What one address may ask of the token endpoint in a minute: a large office's waiting terminals, and few guesses."""


class Endpoints:
    """What a program asks without a browser."""

    def __init__(
        self,
        *,
        codes: Codes,
        pushed: PushedRequests,
        devices: Devices,
        grants: Grants,
        opening: TerminalOpening,
        sessions: SessionStore,
        terminals: SessionStore,
        guesses: GuessLimit,
        audit: AuditLog,
        issuer: str,
        resource: str,
    ) -> None:
        """Take what waits for a person, the grants, what opens terminals, the sessions, the log, and who we are."""
        self._codes = codes
        self._pushed = pushed
        self._devices = devices
        self._grants = grants
        self._opening = opening
        self._sessions = sessions
        self._terminals = terminals
        self._guesses = guesses
        self._audit = audit
        self._issuer = issuer
        self._resource = resource
        self._grant_types: Mapping[str, Callable[[Mapping[str, str]], IssuedTokens]] = {
            "authorization_code": self._redeem_code,
            "refresh_token": self._refresh,
            GRANT_TYPE: self._redeem_device,
        }

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("oauth", __name__)
        routes.add_url_rule("/.well-known/oauth-authorization-server", "metadata", self.metadata)
        routes.add_url_rule("/oauth/par", "push", self.push, methods=["POST"])
        routes.add_url_rule("/oauth/device_authorization", "authorize_device", self.authorize_device, methods=["POST"])
        routes.add_url_rule("/oauth/token", "token", self.token, methods=["POST"])
        routes.add_url_rule("/oauth/revoke", "revoke", self.revoke, methods=["POST"])
        routes.register_error_handler(BridgeError, refuse)
        routes.register_error_handler(HTTPException, refuse_http)
        return routes

    def metadata(self) -> Response:
        """Say what there is, and where (RFC 8414)."""
        return jsonify(
            issuer=self._issuer,
            authorization_endpoint=f"{self._issuer}/oauth/authorize",
            pushed_authorization_request_endpoint=f"{self._issuer}/oauth/par",
            device_authorization_endpoint=f"{self._issuer}/oauth/device_authorization",
            token_endpoint=f"{self._issuer}/oauth/token",
            revocation_endpoint=f"{self._issuer}/oauth/revoke",
            response_types_supported=["code"],
            response_modes_supported=["query"],
            grant_types_supported=list(self._grant_types),
            token_endpoint_auth_methods_supported=["none"],
            revocation_endpoint_auth_methods_supported=["none"],
            code_challenge_methods_supported=["S256"],
            authorization_response_iss_parameter_supported=True,
            protected_resources=[self._resource],
        )

    def push(self) -> Response:
        """Keep a request that may be put to a person, and give a reference to it."""
        form = self._read_form("oauth-par", STARTS_PER_MINUTE)
        if "request_uri" in form:
            raise BadParameter("a reference is pushed")
        check_request(form, read_receiver(form), self._resource)
        # Whoever pushes long ones that mean nothing must not fill the memory: nobody has signed in yet.
        kept = {name: value for name, value in form.items() if name in PARAMETERS}
        response = jsonify(request_uri=self._pushed.keep(kept), expires_in=PUSHED_SECONDS)
        response.status_code = HTTPStatus.CREATED
        return response

    def authorize_device(self) -> Response:
        """Let a terminal wait, and tell it the code that its person compares."""
        form = self._read_form("device-authorization", STARTS_PER_MINUTE)
        check_resource(form.get("resource", ""), self._resource)
        if form.get("code_challenge_method") != "S256":
            raise PKCEMissing("the method is not S256")
        source_address = current_origin().source_address
        started = self._devices.start(form.get("code_challenge", ""), CLIENT_ID, source_address)
        page = f"{self._issuer}/device"
        return jsonify(
            device_code=started.device_code,
            user_code=started.user_code,
            verification_uri=page,
            verification_uri_complete=f"{page}?user_code={started.user_code}",
            expires_in=WAIT_SECONDS,
            interval=INTERVAL_SECONDS,
        )

    def revoke(self) -> Response:
        """End the grant of a token. What is no token is none any more, so the answer is the same (RFC 7009 2.2)."""
        form = self._read_form("oauth-revoke", STARTS_PER_MINUTE)
        owner = self._grants.end(form.get("token", ""))
        if owner is not None:
            ended = events.SessionEnded(**owner.as_recorded(), reason="signed_out_terminal")
            self._audit.append(current_origin(), ended)
        return Response(status=HTTPStatus.OK)

    def _read_form(self, what: str, limit: int) -> dict[str, str]:
        """Return the form of our client, counted for its address."""
        self._guesses.count(what, current_origin().source_address, limit)
        form = read_form()
        check_client(form.get("client_id", ""))
        return form

    def token(self) -> Response:
        """Give tokens for what the program shows."""
        form = self._read_form("oauth-token", TOKENS_PER_MINUTE)
        check_resource(form.get("resource", ""), self._resource)
        give = self._grant_types.get(form.get("grant_type", ""))
        if give is None:
            raise GrantTypeUnsupported("a grant type that the metadata does not name")
        tokens = give(form)
        return jsonify(
            access_token=tokens.access_token,
            token_type="Bearer",  # noqa: S106  the type's name
            expires_in=tokens.expires_in,
            refresh_token=tokens.refresh_token,
        )

    def _redeem_code(self, form: Mapping[str, str]) -> IssuedTokens:
        shown = self._codes.take(form.get("code", ""))
        if shown.shown_again:
            self._end_shown_again(shown)
        client = form.get("client_id", "")
        try:
            self._codes.check(shown, client, form.get("redirect_uri", ""), form.get("code_verifier", ""))
        except CodeRefused as refusal:
            self._record(shown.browser, refusal)
            raise
        try:
            terminal, session = self._opening.open(shown.browser, client, shown.terminal)
        except DeviceOver as error:
            raise CodeRefused(error.detail) from error
        if self._codes.is_over(shown):
            self._end_shown_again(shown)
        return self._grants.issue(terminal, session)

    def _end_shown_again(self, shown: ShownCode) -> None:
        """End what the code gave, record it, and refuse."""
        refusal = CodeReused("shown again")
        opened = self._terminals.find(session_key(shown.terminal, "terminal"))
        if opened is None:
            self._record(shown.browser, refusal)
        else:
            self._opening.close(shown.terminal, opened.identity, "shown_again")
            self._append(opened.identity, refusal)
        raise refusal

    def _redeem_device(self, form: Mapping[str, str]) -> IssuedTokens:
        client = form.get("client_id", "")
        key = self._devices.redeem(form.get("device_code", ""), form.get("code_verifier", ""), client)
        return self._grants.issue(*self._opening.open(key, client))

    def _refresh(self, form: Mapping[str, str]) -> IssuedTokens:
        asked_from = find_customer(current_origin().source_address)
        refreshed = self._grants.refresh(form.get("refresh_token", ""), asked_from)
        if refreshed.tokens is None:
            refusal = RefreshTokenReused("shown again")
            self._opening.close(refreshed.terminal, refreshed.session.identity, "shown_again")
            self._append(refreshed.session.identity, refusal)
            raise refusal
        return refreshed.tokens

    def _record(self, browser: str, refusal: BridgeError) -> None:
        """Record a refusal of what was given in this session, whose person is known as long as it stands."""
        session = self._sessions.find(browser)
        if session is not None:
            self._append(session.identity, refusal)

    def _append(self, identity: VerifiedIdentity, refusal: BridgeError) -> None:
        self._audit.append(
            current_origin(),
            events.GrantRefused(
                **identity.as_recorded(),
                code=refusal.code,
                detail=refusal.detail,
            ),
        )
