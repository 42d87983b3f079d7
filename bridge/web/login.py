"""Sign in: choose a provider, start, SAML assertion consumer service, OIDC callback, confirmation.

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

from bridge.delivery.console import find_way
from bridge.entitlements.resolve import Resolution
from bridge.errors import (
    ConfirmationUnknown,
    CrossSiteRequest,
    NotEntitled,
    SessionEndsTooSoon,
    StepUpNotMet,
    TooLarge,
    UnknownProvider,
    Wanted,
)
from bridge.exchange.accounts import Account
from bridge.federation import Answer, Federation
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.pending import LIFETIME_SECONDS, UnconfirmedSignIns
from bridge.identity.providers import Provider
from bridge.identity.saml.request import PostForm
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.sign_in import FinishedSignIn, SignInDesk
from bridge.identity.step_up import StepUp, plan_step_up
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
from bridge.web.portal import find_card
from bridge.web.provider_choice import ProviderChoice
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
        self._choice = ProviderChoice(providers)

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("login", __name__)
        routes.add_url_rule("/sign-in", "choose", self.choose)
        routes.add_url_rule("/sign-in", "lead", self.lead, methods=["POST"])
        routes.add_url_rule("/sign-in/<provider>", "start", self.start)
        routes.add_url_rule("/step-up/<entitlement_id>", "step_up", self.step_up)
        routes.add_url_rule("/saml/<provider>/acs", "acs", self.receive_saml, methods=["POST"])
        routes.add_url_rule("/oidc/<provider>/callback", "callback", self.receive_oidc)
        routes.add_url_rule("/oidc/<provider>/initiate", "initiate", self.initiate, methods=["GET", "POST"])
        routes.add_url_rule("/sign-in/confirm", "confirm", self.confirm, methods=["POST"])
        return routes

    def choose(self) -> AnyResponse:
        """Go to the only provider, or the one that this browser remembers; else, or with ``choose=1``, ask."""
        return_to = local_path(request.args.get("return_to", "/"))
        asked = request.args.get("choose") == "1"
        provider = self._choice.only or (None if asked else self._choice.find_remembered())
        if provider is None:
            return self._choice.ask(return_to)
        return redirect(url_for("login.start", provider=provider, return_to=return_to), 303)

    def lead(self) -> AnyResponse:
        """Send the browser to the provider of an e-mail address, which the provider gets as a hint."""
        self._access.check_same_origin()
        return_to = local_path(request.form.get("return_to", "/"))
        address = request.form.get("address", "").strip()
        provider = self._choice.find_home(address)
        if provider is None:
            return self._choice.ask(return_to, unknown_address=address)
        return self._begin(provider, return_to=return_to, login_hint=address, by_form=True)

    def start(self, provider: str) -> AnyResponse:
        """Send the browser to the provider; with ``anew=1`` it is to ask again whom it knows already."""
        session = self._access.find_session() if request.args.get("anew") == "1" else None
        known = session.identity if session and session.identity.provider == provider else None
        step_up = StepUp("", known.issuer, known.subject) if known else None
        return self._begin(provider, return_to=local_path(request.args.get("return_to", "/")), step_up=step_up)

    def step_up(self, entitlement_id: str) -> AnyResponse:
        """Ask the person's own provider for the stronger or more recent sign-in that an entitlement needs.

        By GET like any start of a sign-in: nothing changes before the provider has answered. Afterwards the person
        comes to the link that needed it (``return_to``), which is looked at anew, or to the entitlement's card.
        """
        session = self._access.require_session()
        identity = session.identity
        resolution = self._federation.look(identity, current_origin().source_address)
        link = local_path(request.args.get("return_to", "/"))
        wanted = find_card(entitlement_id) if link == "/" else link
        if any(entitlement.id == entitlement_id for entitlement in resolution.entitlements):
            return redirect(wanted, 303)
        reach = next((each for each in resolution.within_reach if each.entitlement.id == entitlement_id), None)
        if reach is None:
            raise NotEntitled(
                "no stronger or more recent sign-in would give this identity the chosen entitlement",
                Wanted(entitlement_id),
            )
        step_up = plan_step_up(
            entitlement_id,
            identity,
            self._providers[identity.provider],
            acr=reach.require.acr or (),
            max_age_seconds=reach.require.max_age_seconds,
        )
        return self._begin(identity.provider, return_to=wanted, login_hint=identity.email or None, step_up=step_up)

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
        return self._open_session(finished, self._federation.entitlements(current_origin(), identity))

    def _begin(
        self,
        provider: str,
        *,
        return_to: str,
        login_hint: str | None = None,
        by_form: bool = False,
        step_up: StepUp | None = None,
    ) -> AnyResponse:
        if provider not in self._providers:
            raise UnknownProvider(f"no provider is called {provider[:64]!r}")
        # An image or a frame of another site brings no session cookie, so the session would not be known later.
        if request.headers.get("Sec-Fetch-Dest", "document") != "document":
            raise CrossSiteRequest("a sign-in is begun by a page, not by a part of one")
        cookie = find_browser_cookie() or new_browser_cookie()
        session_cookie = self._access.find_cookie()
        destination = self._desk.begin(
            provider,
            browser=browser_digest(cookie),
            return_to=return_to,
            replaces_session=session_key(session_cookie) if session_cookie else None,
            login_hint=login_hint,
            step_up=step_up,
        )
        response: AnyResponse
        title = self._providers[provider].title
        if isinstance(destination, PostForm):
            target = urlsplit(destination.url)
            allow_form_action([f"{target.scheme}://{target.netloc}"])
            page = render_template("hand_over.html", action=destination.url, fields=destination.fields, what=title)
            response = make_response(page)
        elif by_form:
            # Browsers hold the redirects of a form to its page's policy, which names no provider.
            response = make_response(render_template("going_on.html", url=destination.url, what=title))
        else:
            response = redirect(destination.url, 303)
        response.set_cookie(BROWSER_COOKIE, cookie, max_age=LIFETIME_SECONDS, **BROWSER_COOKIE_OPTIONS)
        return response

    def _finish(self, answer: Answer, verify: Callable[[], FinishedSignIn]) -> AnyResponse:
        def verify_here() -> FinishedSignIn:
            cookie = self._access.find_cookie()
            finished = verify()
            answer.trace.at = "step_up"
            self._check_step_up(finished)
            answer.trace.at = ""
            # A callback comes with the session's cookie; the question may not have, when another site's form began it.
            return replace(finished, replaces_session=session_key(cookie)) if cookie else finished

        finished, resolution = self._federation.sign_in(current_origin(), answer, verify_here, self._opens_session)
        if resolution is None:
            return self._ask(finished.identity, self._find_current(finished))
        return self._open_session(finished, resolution)

    def _opens_session(self, finished: FinishedSignIn) -> bool:
        """Return whether the person need not confirm it: it was begun here, and nobody else's session ends by it."""
        current = self._find_current(finished)
        return finished.solicited and (current is None or _same_person(current, finished.identity))

    def _check_step_up(self, finished: FinishedSignIn) -> None:
        """By the rules, the new sign-in is what the entitlement needs: that we asked for it proves nothing.

        Raises StepUpNotMet.
        """
        if finished.step_up is None:
            return
        resolution = self._federation.look(finished.identity, current_origin().source_address)
        for reach in resolution.within_reach:
            if reach.entitlement.id == finished.step_up.entitlement:
                lacks = " and ".join(["strength"] * reach.too_weak + ["freshness"] * reach.too_old)
                raise StepUpNotMet(
                    f"{reach.entitlement.rule} requires more: the new sign-in lacks {lacks}",
                    Wanted(finished.step_up.entitlement, link=finished.return_to),
                )

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

    def _open_session(self, finished: FinishedSignIn, resolution: Resolution) -> AnyResponse:
        identity = finished.identity
        cookie, _ = self._sessions.create(
            identity, finished.replaces_session, opened_from=current_origin().source_address
        )
        response: AnyResponse
        only = resolution.entitlements[0] if len(resolution.entitlements) == 1 and not resolution.within_reach else None
        if only and find_way(only, self._accounts[only.account]) and finished.return_to == "/":
            response = self._open_console(identity, only.id)
        else:
            response = redirect(finished.return_to, 303)
        response.set_cookie(SESSION_COOKIE, cookie, **SESSION_COOKIE_OPTIONS)
        self._choice.remember(response, identity.provider)
        return response

    def _open_console(self, identity: VerifiedIdentity, entitlement_id: str) -> AnyResponse:
        """Go straight to the console; to the portal if the sign-in is too short for that: there one may better it."""
        try:
            return open_console(self._federation, self._accounts, identity, entitlement_id)
        except SessionEndsTooSoon:
            return redirect(find_card(entitlement_id), 303)

    def _console_origins(self) -> list[str]:
        # A confirmation can lead straight to the console, and browsers hold a form to its own page's policy.
        return sorted(
            {source for account in self._accounts.values() for source in account.console_addresses.form_action}
        )

    def _find_browser(self) -> str | None:
        cookie = find_browser_cookie()
        return browser_digest(cookie) if cookie else None


def _refuse_size() -> NoReturn:
    raise TooLarge("the posted form")


def _same_person(first: VerifiedIdentity, second: VerifiedIdentity) -> bool:
    return (first.issuer, first.subject) == (second.issuer, second.subject)


def _digest(message: str) -> str:
    return hashlib.sha256(message.encode("utf-8", "surrogatepass")).hexdigest()
