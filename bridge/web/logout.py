"""Sign out: a person does so here, or a provider says that a session of its own is over and what came from it ends.

When a provider says so, nobody is asked and no cookie counts: the message alone says, and proves, what ends. (Only the
front channel of OpenID Connect proves nothing: decision 51.) Sessions end before that is recorded, unlike everything
else: an audit log that is down must not keep anybody signed in.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit import events
from bridge.audit.log import AuditLog
from bridge.errors import BridgeError, TooLarge
from bridge.exchange.cache import CredentialsCache
from bridge.identity.ended import EndedAtProvider
from bridge.identity.guesses import GuessLimit
from bridge.identity.pending import LIFETIME_SECONDS, UnconfirmedSignIns
from bridge.identity.providers import OIDCProvider, Provider
from bridge.identity.saml.logout_binding import read_form, read_query
from bridge.identity.saml.request import PostForm, Redirect
from bridge.identity.sign_out import ReceivedLogout, SignOutDesk
from bridge.identity.verified import VerifiedIdentity
from bridge.sessions.cookie import (
    BROWSER_COOKIE,
    BROWSER_COOKIE_OPTIONS,
    SESSION_COOKIE,
    SESSION_COOKIE_OPTIONS,
    browser_digest,
    new_browser_cookie,
)
from bridge.sessions.store import SessionStore
from bridge.web.access import Access, find_browser_cookie
from bridge.web.headers import allow_form_action, allow_framing
from bridge.web.origin import current_origin

MAX_LOGOUT_BYTES = 64_000
"""A logout token of 20,000 characters, and room for what a provider may send beside it."""


class Logout:
    """The page that signs out, and the addresses that providers call when a person signs out there."""

    def __init__(
        self,
        *,
        desk: SignOutDesk,
        sessions: SessionStore,
        terminals: SessionStore,
        unconfirmed: UnconfirmedSignIns,
        guesses: GuessLimit,
        access: Access,
        audit: AuditLog,
        credentials: CredentialsCache,
        providers: Mapping[str, Provider],
    ) -> None:
        """Take what decides about a message, what it ends, the guards, the log, what is kept, and the titles."""
        self._desk = desk
        self._sessions = sessions
        self._terminals = terminals
        self._unconfirmed = unconfirmed
        self._guesses = guesses
        self._access = access
        self._audit = audit
        self._credentials = credentials
        self._providers = providers

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("logout", __name__)
        routes.add_url_rule("/sign-out", "end", self.end, methods=["POST"])
        routes.add_url_rule("/signed-out", "signed_out", self.signed_out)
        routes.add_url_rule("/saml/<provider>/slo", "slo", self.receive_saml, methods=["GET", "POST"])
        routes.add_url_rule("/oidc/<provider>/backchannel-logout", "backchannel", self.receive_oidc, methods=["POST"])
        routes.add_url_rule("/oidc/<provider>/frontchannel-logout", "frontchannel", self.receive_front_channel)
        return routes

    def end(self) -> AnyResponse:
        """Sign out here, and in all terminals; then, where the provider's settings say so, go on to sign out there.

        With ``everywhere`` in the form, all other browsers are signed out as well.
        """
        session = self._access.require_session_post()
        cookie = self._access.find_cookie()
        if cookie:
            self._sessions.end(cookie)
        issuer, subject = session.identity.issuer, session.identity.subject
        everywhere = request.form.get("everywhere") == "yes"
        others = self._sessions.end_all(issuer, subject) if everywhere else self._terminals.end_own(issuer, subject)
        ended = (session.identity, *others)
        self._audit.append(current_origin(), *(_session_ended(identity, "signed_out_here") for identity in ended))
        self._credentials.forget(session.identity.issuer, session.identity.subject)
        browser = find_browser_cookie() or new_browser_cookie()
        onward = self._desk.leave(session.identity, browser_digest(browser))
        if onward is None:
            response: AnyResponse = redirect(url_for("logout.signed_out"), 303)
        else:
            response = self._go_on(onward, session.identity.provider)
            response.set_cookie(BROWSER_COOKIE, browser, max_age=LIFETIME_SECONDS, **BROWSER_COOKIE_OPTIONS)
        response.set_cookie(SESSION_COOKIE, "", max_age=0, **SESSION_COOKIE_OPTIONS)
        return response

    def signed_out(self) -> AnyResponse:
        """Say that it is done. Whoever comes back from a provider ends here too; what they bring counts for nothing."""
        return make_response(render_template("signed_out.html", this_page=url_for("logout.signed_out")))

    def receive_saml(self, provider: str) -> AnyResponse:
        """Single logout by Redirect and POST: the provider's request, or its answer to ours (SAML Profiles 4.4)."""
        cookie = find_browser_cookie()
        browser = browser_digest(cookie) if cookie else None
        if request.method == "POST":
            digest, form = self._read_form(("SAMLRequest", "SAMLResponse"))
            received = self._record(
                provider, "saml", digest, lambda: self._desk.receive_saml(provider, read_form(form()), browser)
            )
        else:
            query = request.query_string
            received = self._record(
                provider,
                "saml",
                hashlib.sha256(query).hexdigest(),
                lambda: self._desk.receive_saml(provider, read_query(query), browser),
            )
        if isinstance(received.answer, PostForm):
            return self._hand_over(received.answer, provider)
        # No form of ours led here, so no policy of ours holds back a redirect.
        return redirect(url_for("logout.signed_out") if received.answer is None else received.answer.url, 303)

    def receive_oidc(self, provider: str) -> Response:
        """Back-channel logout: the provider's server calls. 200 or 400 and never a page (Back-Channel Logout 2.8).

        Whatever keeps the sessions from ending is 400, an outage of ours included, since the standard has no other
        word for a logout that failed.
        """
        request.max_content_length = MAX_LOGOUT_BYTES
        digest, form = self._read_form(("logout_token",))
        try:
            self._record(
                provider, "oidc", digest, lambda: ReceivedLogout(self._desk.receive_oidc(provider, form()), answer=None)
            )
        except BridgeError as error:
            response = jsonify(error="invalid_request", code=error.code, reference=current_origin().reference)
            response.status_code = HTTPStatus.BAD_REQUEST
            return response
        return Response(status=HTTPStatus.OK, mimetype="application/json")

    def receive_front_channel(self, provider: str) -> Response:
        """Front-channel logout: a frame on the provider's page says which session there is over (1.0, 2 and 3).

        Nothing proves it but the name of the session, which is the provider's secret and long. So it is off unless
        the settings allow it, each address may guess only so often, and the answer to a guess is that to a hit.
        """
        if request.method != "GET":
            raise MethodNotAllowed(["GET"])
        settings = self._providers.get(provider)
        if isinstance(settings, OIDCProvider) and settings.frontchannel_logout:
            issuer = urlsplit(settings.issuer)
            allow_framing(f"{issuer.scheme}://{issuer.netloc}")
            self._guesses.count(provider, current_origin().source_address)
        query = list(request.args.items(multi=True))
        self._record(
            provider,
            "oidc",
            hashlib.sha256(request.query_string).hexdigest(),
            lambda: ReceivedLogout(self._desk.receive_front_channel(provider, query), answer=None),
        )
        return Response("<!doctype html><title>Rambridge</title>", mimetype="text/html")

    def _go_on(self, onward: Redirect | PostForm, provider: str) -> AnyResponse:
        if isinstance(onward, PostForm):
            return self._hand_over(onward, provider)
        # NOTE: not a redirect. The page with the button allows its forms to lead to ourselves alone, and browsers hold
        # the redirects that follow to that as well.
        return make_response(render_template("leave.html", url=onward.url, what=self._providers[provider].title))

    def _hand_over(self, form: PostForm, provider: str) -> AnyResponse:
        target = urlsplit(form.url)
        allow_form_action([f"{target.scheme}://{target.netloc}"])
        title = self._providers[provider].title
        return make_response(render_template("hand_over.html", action=form.url, fields=form.fields, what=title))

    def _read_form(self, names: Sequence[str]) -> tuple[str, Callable[[], Sequence[tuple[str, str]]]]:
        """Return the digest of the message in a posted form, and what gives the form or refuses it."""
        try:
            form = list(request.form.items(multi=True))
        except RequestEntityTooLarge:
            return "", _refuse_size
        message = next((value for name, value in form if name in names), "")
        return hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest(), lambda: form

    def _record(
        self, provider: str, protocol: str, digest: str, verify: Callable[[], ReceivedLogout]
    ) -> ReceivedLogout:
        """Verify a message, end what it says is over, and record it, or the refusal."""
        try:
            received = verify()
            identities = self._end_sessions(received.over) if received.over else []
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
        if received.over is not None:
            self._audit.append(
                current_origin(),
                events.LogoutAccepted(
                    provider=provider,
                    protocol=protocol,
                    issuer=received.over.issuer,
                    message_id=received.over.message_id,
                    subject=received.over.subject,
                    session_indexes=received.over.session_indexes,
                    ended=len(identities),
                ),
            )
        for identity in identities:
            self._audit.append(current_origin(), _session_ended(identity, "signed_out_at_provider"))
        for issuer, subject in {(identity.issuer, identity.subject) for identity in identities}:
            self._credentials.forget(issuer, subject)
        return received

    def _end_sessions(self, over: EndedAtProvider) -> list[VerifiedIdentity]:
        self._unconfirmed.end(over)
        if over.session_indexes:
            return [
                identity
                for index in over.session_indexes
                for identity in self._sessions.end_by_session_index(over.issuer, index, over.subject)
            ]
        return [] if over.subject is None else list(self._sessions.end_all(over.issuer, over.subject))


def _session_ended(identity: VerifiedIdentity, reason: str) -> events.SessionEnded:
    return events.SessionEnded(
        **identity.as_recorded(),
        reason=reason,
    )


def _refuse_size() -> NoReturn:
    raise TooLarge("the posted form")
