"""The endpoints that programs call: metadata (RFC 8414) and tokens (RFC 6749 3.2)."""

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import HTTPException

from bridge.addresses import find_customer
from bridge.audit import events
from bridge.audit.log import AuditLog
from bridge.authorization.answers import refuse, refuse_http
from bridge.authorization.client import check_client, check_resource
from bridge.authorization.codes import Codes, ShownCode
from bridge.authorization.parameters import read_form
from bridge.errors import BridgeError, CodeRefused, CodeReused, DeviceOver, GrantTypeUnsupported, RefreshTokenReused
from bridge.identity.guesses import GuessLimit
from bridge.identity.verified import VerifiedIdentity
from bridge.portal_protocol.opening import TerminalOpening
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
        grants: Grants,
        opening: TerminalOpening,
        sessions: SessionStore,
        terminals: SessionStore,
        guesses: GuessLimit,
        audit: AuditLog,
        issuer: str,
        resource: str,
    ) -> None:
        """Take the codes, the grants, what opens terminals' sessions, those of both kinds, the log, and who we are."""
        self._codes = codes
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
        }

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("oauth", __name__)
        routes.add_url_rule("/.well-known/oauth-authorization-server", "metadata", self.metadata)
        routes.add_url_rule("/oauth/token", "token", self.token, methods=["POST"])
        routes.register_error_handler(BridgeError, refuse)
        routes.register_error_handler(HTTPException, refuse_http)
        return routes

    def metadata(self) -> Response:
        """Say what there is, and where (RFC 8414)."""
        return jsonify(
            issuer=self._issuer,
            authorization_endpoint=f"{self._issuer}/oauth/authorize",
            token_endpoint=f"{self._issuer}/oauth/token",
            response_types_supported=["code"],
            response_modes_supported=["query"],
            grant_types_supported=list(self._grant_types),
            token_endpoint_auth_methods_supported=["none"],
            code_challenge_methods_supported=["S256"],
            authorization_response_iss_parameter_supported=True,
            protected_resources=[self._resource],
        )

    def token(self) -> Response:
        """Give tokens for what the program shows."""
        self._guesses.count("oauth-token", current_origin().source_address, TOKENS_PER_MINUTE)
        form = read_form()
        check_client(form.get("client_id", ""))
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
                provider=identity.provider,
                issuer=identity.issuer,
                subject=identity.subject,
                person=identity.name,
                acr=identity.acr,
                amr=identity.amr,
                code=refusal.code,
                detail=refusal.detail,
            ),
        )
