"""The OpenID Connect addresses: discovery, keys, authorization, token."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from joserfc.jwk import RSAKey
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from bridge.clock import Clock
from bridge.sandbox.idp.browser_checks import check_same_origin
from bridge.sandbox.idp.oidc.authorization import (
    AuthorizationRequest,
    RefusedToClient,
    verify_authorization_request,
)
from bridge.sandbox.idp.oidc.client_authentication import verify_client
from bridge.sandbox.idp.oidc.code import Codes, Grant, redeem_code
from bridge.sandbox.idp.oidc.discovery import build_discovery, build_jwks
from bridge.sandbox.idp.oidc.id_token import LIFETIME, issue_id_token
from bridge.sandbox.idp.oidc.token_errors import TokenRefused
from bridge.sandbox.idp.pending import Pending, PendingQuestions
from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.sessions import Session, Sessions
from bridge.sandbox.idp.state import IdPState

_log = logging.getLogger(__name__)


def build_oidc(views: "OIDCViews") -> Blueprint:
    """Return the OpenID Connect part of the provider."""
    blueprint = Blueprint("oidc", __name__)
    blueprint.get("/.well-known/openid-configuration")(views.show_discovery)
    blueprint.get("/oidc/jwks")(views.show_jwks)
    blueprint.get("/oidc/authorize")(views.receive_get)
    blueprint.post("/oidc/authorize")(views.receive_post)
    blueprint.get("/oidc/answer/<handle>")(views.answer)
    blueprint.post("/oidc/decline/<handle>")(views.decline)
    blueprint.post("/oidc/token")(views.issue_tokens)
    blueprint.register_error_handler(RefusedToClient, views.tell_client)
    blueprint.register_error_handler(TokenRefused, _refuse_token)
    return blueprint


@dataclass(frozen=True)
class OIDCViews:
    """The views, and what they work with."""

    state: IdPState
    key: RSAKey
    client_secrets: Mapping[str, str]
    """Client ID: secret."""
    clock: Clock
    sessions: Sessions
    pending: PendingQuestions
    codes: Codes

    def show_discovery(self) -> Response:
        """Publish our metadata."""
        return jsonify(build_discovery(self.state.url))

    def show_jwks(self) -> Response:
        """Publish the key of our ID tokens."""
        return jsonify(build_jwks(self.key))

    def receive_get(self) -> BaseResponse:
        """Receive an authorization request in the query string."""
        return self.answer(self._remember(request.args))

    def receive_post(self) -> BaseResponse:
        """Receive an authorization request in a form.

        Another site's POST comes without our Lax cookie. The GET that we redirect to brings it.
        """
        return redirect(url_for("oidc.answer", handle=self._remember(request.form)), code=303)

    def answer(self, handle: str) -> BaseResponse:
        """Answer the question now, or let the person sign in first."""
        pending, asked = self._load(handle)
        session = self.sessions.find_current()
        if session is None or not pending.is_answered_by(session, self.clock.now()):
            if "none" in asked.prompts:
                raise self._refuse(handle, "login_required", "The person has to sign in.")
            return redirect(url_for("pages.show_sign_in", request=handle))
        if self._could_be_stronger(asked, session) and session.authenticated_at < pending.asked_at:
            return redirect(url_for("pages.show_sign_in", request=handle))
        self._use_up(handle)
        code = self.codes.put(Grant(asked, session))
        return _send_to(asked.redirect_uri, code=code, state=asked.state, iss=self.state.url)

    @staticmethod
    def _could_be_stronger(asked: AuthorizationRequest, session: Session) -> bool:
        """``acr_values`` is a wish (OpenID Connect Core 5.5.1.1): a new sign-in may fulfil it, and need not."""
        return bool(asked.acr_values) and "none" not in asked.prompts and session.method.acr not in asked.acr_values

    def decline(self, handle: str) -> BaseResponse:
        """Tell the application that the person did not want to sign in."""
        check_same_origin(self.state.url)
        raise self._refuse(handle, "access_denied", "The person did not sign in.")

    def issue_tokens(self) -> Response:
        """Trade a code for an ID token."""
        fields = _read_form()
        client = verify_client(request.headers.get("Authorization"), fields, self.state, self.client_secrets)
        if fields.get("grant_type") != "authorization_code":
            raise TokenRefused("unsupported_grant_type", "Only authorization_code is supported.")
        code, redirect_uri, verifier = (fields.get(name, "") for name in ("code", "redirect_uri", "code_verifier"))
        grant = redeem_code(self.codes, code, client, redirect_uri, verifier)
        # The answer must hold an access token (RFC 6749 5.1). No address here accepts it.
        access_token = secrets.token_urlsafe(32)
        return _answer_token(
            {
                "access_token": access_token,
                "token_type": "Bearer",
                "expires_in": int(LIFETIME.total_seconds()),
                "scope": " ".join(sorted(grant.request.scopes)),
                "id_token": issue_id_token(grant, self.state.url, self.key, access_token, self.clock.now()),
            }
        )

    def tell_client(self, refusal: RefusedToClient) -> BaseResponse:
        """Send the person back to the application with an error (RFC 6749 4.1.2.1)."""
        _log.info("authorization request refused: %s", refusal)
        return _send_to(
            refusal.redirect_uri,
            error=refusal.error,
            error_description=refusal.description,
            state=refusal.state,
            iss=self.state.url,
        )

    def _remember(self, parameters: MultiDict[str, str]) -> str:
        asked = verify_authorization_request(parameters, self.state)
        hint = parameters.get("login_hint", "")
        return self.pending.put(Pending(asked, asked.client.title, hint, self.clock.now()))

    def _load(self, handle: str) -> tuple[Pending, AuthorizationRequest]:
        pending = self.pending.find(handle)
        if pending is None or not isinstance(pending.question, AuthorizationRequest):
            raise Refused("idp_question_over", "This sign-in took too long, or was finished before. Start again.")
        return pending, pending.question

    def _use_up(self, handle: str) -> None:
        if self.pending.take(handle) is None:
            raise Refused("idp_question_over", "This sign-in was finished before. Start again.")

    def _refuse(self, handle: str, error: str, description: str) -> RefusedToClient:
        _, asked = self._load(handle)
        self._use_up(handle)
        return RefusedToClient(asked.redirect_uri, asked.state, error, description)


def _read_form() -> dict[str, str]:
    if any(len(values) > 1 for _, values in request.form.lists()):
        raise TokenRefused("invalid_request", "A parameter came twice.")
    return request.form.to_dict()


def _send_to(redirect_uri: str, **parameters: str | None) -> BaseResponse:
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    # A registered redirect URI has no query of its own (``state.URL``).
    return redirect(f"{redirect_uri}?{query}", code=303)


def _refuse_token(refusal: TokenRefused) -> Response:
    _log.info("token request refused: %s", refusal)
    answer = _answer_token({"error": refusal.error, "error_description": refusal.description}, refusal.status)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Basic realm="token"'
    return answer


def _answer_token(body: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Pragma"] = "no-cache"
    return answer
