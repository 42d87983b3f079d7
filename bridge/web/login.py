"""Sign in: start, SAML assertion consumer service, OIDC callback, confirmation.

The ACS is reached by a cross-site POST, which carries no session cookie (it is ``SameSite=Lax``). What ties an answer
to its browser is a cookie of its own, ``SameSite=None``, that holds no authority. A session that the browser already
has is known from the question, and is replaced silently only for the same person.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NoReturn
from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from bridge.errors import ConfirmationUnknown, TooLarge, UnknownProvider
from bridge.exchange.accounts import Account
from bridge.federation import Answer, Federation
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.pending import LIFETIME_SECONDS, UnconfirmedSignIns
from bridge.identity.providers import Provider
from bridge.identity.saml.request import PostForm
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.sign_in import FinishedSignIn, SignInDesk
from bridge.identity.verified import VerifiedIdentity
from bridge.sessions.cookie import (
    BROWSER_COOKIE,
    BROWSER_COOKIE_OPTIONS,
    SESSION_COOKIE,
    SESSION_COOKIE_OPTIONS,
    browser_digest,
    new_browser_cookie,
)
from bridge.sessions.store import SessionStore, session_key
from bridge.web.access import Access, find_browser_cookie
from bridge.web.console import open_console
from bridge.web.headers import allow_form_action
from bridge.web.origin import current_origin
from bridge.web.people import describe_person
from bridge.web.return_path import local_path, local_target


class Login:
    """The pages of signing in."""

    def __init__(
        self,
        *,
        federation: Federation,
        desk: SignInDesk,
        sessions: SessionStore,
        unconfirmed: UnconfirmedSignIns,
        access: Access,
        providers: Mapping[str, Provider],
        accounts: Mapping[str, Account],
    ) -> None:
        """Take what the pages use."""
        self._federation = federation
        self._desk = desk
        self._sessions = sessions
        self._unconfirmed = unconfirmed
        self._access = access
        self._providers = providers
        self._accounts = accounts

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("login", __name__)
        routes.add_url_rule("/sign-in", "choose", self.choose)
        routes.add_url_rule("/sign-in/<provider>", "start", self.start)
        routes.add_url_rule("/saml/<provider>/acs", "acs", self.receive_saml, methods=["POST"])
        routes.add_url_rule("/oidc/<provider>/callback", "callback", self.receive_oidc)
        routes.add_url_rule("/oidc/<provider>/initiate", "initiate", self.initiate, methods=["GET", "POST"])
        routes.add_url_rule("/sign-in/confirm", "confirm", self.confirm, methods=["POST"])
        return routes

    def choose(self) -> AnyResponse:
        """Offer the providers; with only one there is nothing to choose."""
        return_to = local_path(request.args.get("return_to", "/"))
        if len(self._providers) == 1:
            return redirect(url_for("login.start", provider=next(iter(self._providers)), return_to=return_to), 303)
        providers = [
            {
                "name": provider.name,
                "title": provider.title,
                "protocol": provider.protocol,
                "url": url_for("login.start", provider=provider.name, return_to=return_to),
            }
            for provider in self._providers.values()
        ]
        return make_response(render_template("sign_in.html", providers=providers, return_to=return_to))

    def start(self, provider: str) -> AnyResponse:
        """Send the browser to the provider."""
        return self._begin(provider, return_to=local_path(request.args.get("return_to", "/")))

    def initiate(self, provider: str) -> AnyResponse:
        """Start a sign-in that the provider asks for (OIDC Core 4): its tile was clicked."""
        self._desk.check_initiator(provider, request.values.get("iss", ""))
        return self._begin(
            provider,
            return_to=local_target(request.values.get("target_link_uri", ""), request.host),
            login_hint=request.values.get("login_hint"),
        )

    def receive_saml(self, provider: str) -> AnyResponse:
        """Assertion consumer service, POST binding (SAML Bindings 3.5)."""
        try:
            form = list(request.form.items(multi=True))
        except RequestEntityTooLarge:
            return self._finish(Answer(provider, "saml", digest=""), _refuse_size)
        message = next((value for name, value in form if name == "SAMLResponse"), "")
        answer = Answer(provider, "saml", _digest(message), trace := SAMLTrace(provider))
        return self._finish(answer, lambda: self._desk.finish_saml(provider, form, self._find_browser(), trace))

    def receive_oidc(self, provider: str) -> AnyResponse:
        """Receive an authorization response (OIDC Core 3.1.2.5)."""
        query = list(request.args.items(multi=True))
        message = request.query_string.decode("latin-1")
        answer = Answer(provider, "oidc", _digest(message), trace := OIDCTrace(provider))
        return self._finish(answer, lambda: self._desk.finish_oidc(provider, query, self._find_browser(), trace))

    def confirm(self) -> AnyResponse:
        """Sign in as the person on the confirmation page that this browser was shown."""
        self._access.check_same_origin()
        browser = self._find_browser()
        identity = self._unconfirmed.take(request.form.get("token", ""), browser) if browser else None
        if identity is None:
            raise ConfirmationUnknown("the confirmation is unknown, used, too old, or of another browser")
        cookie = self._access.find_cookie()
        finished = FinishedSignIn(identity, solicited=False, replaces_session=session_key(cookie) if cookie else None)
        return self._open_session(finished)

    def _begin(self, provider: str, *, return_to: str, login_hint: str | None = None) -> AnyResponse:
        if provider not in self._providers:
            raise UnknownProvider(f"no provider is called {provider[:64]!r}")
        cookie = find_browser_cookie() or new_browser_cookie()
        session_cookie = self._access.find_cookie()
        destination = self._desk.begin(
            provider,
            browser=browser_digest(cookie),
            return_to=return_to,
            replaces_session=session_key(session_cookie) if session_cookie else None,
            login_hint=login_hint,
        )
        response: AnyResponse
        if isinstance(destination, PostForm):
            target = urlsplit(destination.url)
            allow_form_action([f"{target.scheme}://{target.netloc}"])
            title = self._providers[provider].title
            page = render_template("hand_over.html", action=destination.url, fields=destination.fields, what=title)
            response = make_response(page)
        else:
            response = redirect(destination.url, 303)
        response.set_cookie(BROWSER_COOKIE, cookie, max_age=LIFETIME_SECONDS, **BROWSER_COOKIE_OPTIONS)
        return response

    def _finish(self, answer: Answer, verify: Callable[[], FinishedSignIn]) -> AnyResponse:
        def verify_here() -> FinishedSignIn:
            cookie = self._access.find_cookie()
            finished = verify()
            # A callback comes with the session's cookie; the question may not have, when another site's form began it.
            return replace(finished, replaces_session=session_key(cookie)) if cookie else finished

        finished = self._federation.sign_in(current_origin(), answer, verify_here)
        current = self._find_current(finished)
        if finished.solicited and (current is None or _same_person(current, finished.identity)):
            return self._open_session(finished)
        return self._ask(finished.identity, current)

    def _find_current(self, finished: FinishedSignIn) -> VerifiedIdentity | None:
        if finished.replaces_session is None:
            return None
        session = self._sessions.find(finished.replaces_session)
        return session.identity if session else None

    def _ask(self, identity: VerifiedIdentity, current: VerifiedIdentity | None) -> AnyResponse:
        """Show who would be signed in: a stranger's own answer, posted from a stranger's page, ends here."""
        titles = {name: provider.title for name, provider in self._providers.items()}
        token = secrets.token_urlsafe(32)
        cookie = find_browser_cookie() or new_browser_cookie()
        self._unconfirmed.save(token, browser_digest(cookie), identity)
        page = render_template(
            "confirm.html",
            person=describe_person(identity, titles),
            current=describe_person(current, titles) if current else None,
            token=token,
            action_url=url_for("login.confirm"),
        )
        allow_form_action(self._console_origins())
        response = make_response(page)
        response.set_cookie(BROWSER_COOKIE, cookie, max_age=LIFETIME_SECONDS, **BROWSER_COOKIE_OPTIONS)
        return response

    def _open_session(self, finished: FinishedSignIn) -> AnyResponse:
        identity = finished.identity
        entitlements = self._federation.entitlements(current_origin(), identity)
        cookie, _ = self._sessions.create(identity, finished.replaces_session)
        response: AnyResponse
        if len(entitlements) == 1 and finished.return_to == "/":
            response = open_console(self._federation, self._accounts, identity, entitlements[0].id)
        else:
            response = redirect(finished.return_to, 303)
        response.set_cookie(SESSION_COOKIE, cookie, **SESSION_COOKIE_OPTIONS)
        return response

    def _console_origins(self) -> list[str]:
        # A confirmation can lead straight to the console, and browsers hold a form to its own page's policy.
        return sorted({source for account in self._accounts.values() for source in account.console.form_action})

    def _find_browser(self) -> str | None:
        cookie = find_browser_cookie()
        return browser_digest(cookie) if cookie else None


def _refuse_size() -> NoReturn:
    raise TooLarge("the posted form")


def _same_person(first: VerifiedIdentity, second: VerifiedIdentity) -> bool:
    return (first.issuer, first.subject) == (second.issuer, second.subject)


def _digest(message: str) -> str:
    return hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest()
