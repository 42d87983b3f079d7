"""Providers say here that a session of theirs is over, and what came from it ends.

Nobody is asked and no cookie counts: the message alone says, and proves, what ends. Sessions end before that is
recorded, unlike everything else: an audit log that is down must not keep anybody signed in.
"""

import hashlib
from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from bridge.audit import events
from bridge.audit.log import AuditLog
from bridge.errors import BridgeError, TooLarge
from bridge.identity.ended import EndedAtProvider
from bridge.identity.sign_out import SignOutDesk
from bridge.identity.verified import VerifiedIdentity
from bridge.sessions.store import SessionStore
from bridge.web.origin import current_origin

MAX_LOGOUT_BYTES = 64_000
"""A logout token of 20,000 characters, and room for what a provider may send beside it."""


class Logout:
    """The addresses that providers call when a person signs out there."""

    def __init__(self, *, desk: SignOutDesk, sessions: SessionStore, audit: AuditLog) -> None:
        """Take what decides about a message, what it ends, and the log."""
        self._desk = desk
        self._sessions = sessions
        self._audit = audit

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("logout", __name__)
        routes.add_url_rule("/oidc/<provider>/backchannel-logout", "backchannel", self.receive_oidc, methods=["POST"])
        return routes

    def receive_oidc(self, provider: str) -> Response:
        """Back-channel logout: the provider's server calls. 200 or 400 and never a page (Back-Channel Logout 2.8).

        Whatever keeps the sessions from ending is 400, an outage of ours included, since the standard has no other
        word for a logout that failed.
        """
        try:
            self._end(provider, "oidc", self._verify_oidc(provider))
        except BridgeError as error:
            response = jsonify(error="invalid_request", code=error.code, reference=current_origin().reference)
            response.status_code = HTTPStatus.BAD_REQUEST
            return response
        return Response(status=HTTPStatus.OK, mimetype="application/json")

    def _verify_oidc(self, provider: str) -> tuple[str, Callable[[], EndedAtProvider]]:
        request.max_content_length = MAX_LOGOUT_BYTES
        try:
            form = list(request.form.items(multi=True))
        except RequestEntityTooLarge:
            return "", _refuse_size
        token = next((value for name, value in form if name == "logout_token"), "")
        return _digest(token), lambda: self._desk.receive_oidc(provider, form)

    def _end(self, provider: str, protocol: str, message: tuple[str, Callable[[], EndedAtProvider]]) -> EndedAtProvider:
        """Verify a message, end what it says is over, and record it, or the refusal."""
        digest, verify = message
        try:
            over = verify()
            identities = self._end_sessions(over)
        except Exception as failure:
            refusal = failure if isinstance(failure, BridgeError) else BridgeError(type(failure).__name__)
            self._audit.append(
                current_origin(),
                events.LogoutRefused(
                    provider=provider,
                    protocol=protocol,
                    code=refusal.code,
                    detail=refusal.detail,
                    message_digest=digest,
                ),
            )
            raise
        self._audit.append(
            current_origin(),
            events.LogoutAccepted(
                provider=provider,
                protocol=protocol,
                issuer=over.issuer,
                message_id=over.message_id,
                subject=over.subject,
                session_indexes=over.session_indexes,
                ended=len(identities),
            ),
        )
        for identity in identities:
            self._audit.append(current_origin(), session_ended(identity, "signed_out_at_provider"))
        return over

    def _end_sessions(self, over: EndedAtProvider) -> list[VerifiedIdentity]:
        if over.session_indexes:
            return [
                identity
                for index in over.session_indexes
                for identity in self._sessions.end_by_session_index(over.issuer, index, over.subject)
            ]
        return [] if over.subject is None else list(self._sessions.end_all(over.issuer, over.subject))


def session_ended(identity: VerifiedIdentity, reason: str) -> events.SessionEnded:
    """Return the record of the end of a person's session."""
    return events.SessionEnded(
        provider=identity.provider,
        issuer=identity.issuer,
        subject=identity.subject,
        person=identity.name,
        reason=reason,
    )


def _refuse_size() -> EndedAtProvider:
    raise TooLarge("the posted form")


def _digest(message: str) -> str:
    return hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest()
