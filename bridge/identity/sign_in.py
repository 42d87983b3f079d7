"""The desk where sign-ins begin and end: it ties each answer to its question, its browser and its provider.

A refused answer burns nothing: the pending sign-in stays usable until it expires. One that passes every check here
burns, in this order, the statement (:mod:`bridge.identity.replay`) and the question (:mod:`bridge.identity.pending`),
each with one atomic command, so that of two equal answers at two nodes exactly one is accepted. SAML Profiles 4.1.4.5;
RFC 6749 10.12.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from bridge.clock import Clock
from bridge.errors import (
    IdentityError,
    OIDCAcr,
    OIDCAuthTime,
    OIDCCallback,
    OIDCInitiate,
    OIDCMixUp,
    OIDCReplay,
    OIDCState,
    ParameterTwice,
    SAMLAuthnContext,
    SAMLInResponseTo,
    SAMLIssuer,
    SAMLReplay,
    SAMLStale,
    StepUpNotMet,
    StepUpOtherPerson,
    UnknownProvider,
    Wanted,
)
from bridge.identity.oidc.login import new_verifier
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.pending import LIFETIME_SECONDS, PendingSignIn, PendingSignIns
from bridge.identity.replay import ReplayMemory
from bridge.identity.saml.request import PostForm, Redirect
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.step_up import StepUp
from bridge.identity.verified import VerifiedIdentity

Pairs = Sequence[tuple[str, str]]
"""Parameters as they arrived, repetitions included."""


@dataclass(frozen=True)
class FinishedSignIn:
    """An accepted answer, and what its question had asked for."""

    identity: VerifiedIdentity
    solicited: bool
    """Whether this browser asked for it here; False: the provider started it."""
    return_to: str = "/"
    replaces_session: str | None = None
    step_up: StepUp | None = None
    """What this sign-in was to show beyond an ordinary one; it does not replace a session that it fails to better."""


class SignInDesk:
    """Begins and finishes sign-ins at any of the configured providers."""

    def __init__(
        self,
        *,
        service_providers: Mapping[str, ServiceProvider],
        relying_parties: Mapping[str, RelyingParty],
        pending: PendingSignIns,
        replay: ReplayMemory,
        clock: Clock,
    ) -> None:
        """Take the parties by provider name, and the memory of questions and of statements."""
        self._service_providers = service_providers
        self._relying_parties = relying_parties
        self._pending = pending
        self._replay = replay
        self._clock = clock

    def begin(
        self,
        provider: str,
        *,
        browser: str,
        return_to: str = "/",
        replaces_session: str | None = None,
        login_hint: str | None = None,
        step_up: StepUp | None = None,
    ) -> Redirect | PostForm:
        """Remember the question and return where to send the browser with it.

        Args:
            provider: the provider's name.
            browser: the digest of the browser's sign-in cookie.
            return_to: a local path to go to afterwards.
            replaces_session: the key of the session that the browser has now, if any.
            login_hint: passed on to the provider; by SAML only where its settings say so.
            step_up: what the answer has to show beyond an ordinary one, and about whom.

        Raises:
            UnknownProvider: no provider has that name.
            ProviderUnavailable: the provider's metadata cannot be had.
            StoreUnavailable: the question cannot be remembered.
        """
        handle = secrets.token_urlsafe(32)
        now = self._clock.now()
        question = PendingSignIn(
            handle=handle,
            provider=provider,
            protocol="saml" if provider in self._service_providers else "oidc",
            browser=browser,
            expires_at=now + timedelta(seconds=LIFETIME_SECONDS),
            asked_at=now,
            nonce=secrets.token_urlsafe(32),
            code_verifier=new_verifier(),
            return_to=return_to,
            replaces_session=replaces_session,
            step_up=step_up,
        )
        if question.protocol == "saml":
            destination = self._service_providers[provider].begin(handle, login_hint, step_up)
            question = replace(question, request_id=destination.request_id)
        else:
            party = self._relying_party(provider)
            url = party.begin(handle, question.nonce, question.code_verifier, login_hint, step_up)
            destination = Redirect(url=url, request_id="")
        self._pending.save(question)
        return destination

    def finish_saml(self, provider: str, form: Pairs, browser: str | None, trace: SAMLTrace) -> FinishedSignIn:
        """Return the identity that a posted response proves.

        Args:
            provider: the provider whose ACS was called.
            form: the posted fields.
            browser: the digest of the browser's sign-in cookie, None without one.
            trace: takes down which check has begun, and what was seen.

        Raises:
            IdentityError: the response is not acceptable.
            StoreUnavailable: replay cannot be ruled out.
        """
        if provider not in self._service_providers:
            raise UnknownProvider(f"no SAML provider is called {provider!r}")
        trace.at, trace.browser = "parameters", browser
        encoded = _find_single(form, "SAMLResponse", ParameterTwice)
        if encoded is None:
            raise ParameterTwice("SAMLResponse is missing")
        relay_state = _find_single(form, "RelayState", ParameterTwice)
        trace.at = "question"
        trace.question = question = self._pending.find(relay_state) if relay_state else None
        if question is not None:
            trace.at = "question_provider"
            if question.provider != provider:
                raise SAMLIssuer(f"the question went to {question.provider}, the answer came from {provider}")
            trace.at = "browser"
            if question.browser != browser:
                raise SAMLInResponseTo("the sign-in was started in another browser")
        request_id = question.request_id if question else None
        asked_at = question.asked_at if question else None
        step_up = question.step_up if question else None
        with _answering(question):
            identity = self._service_providers[provider].verify(
                encoded, request_id, self._clock.now(), asked_at, step_up=step_up, trace=trace
            )
        trace.at = "person"
        _check_person(identity, step_up)
        trace.at, trace.message_id = "first_use", identity.message_id
        if not self._replay.claim(identity.issuer, identity.message_id, identity.accept_until):
            raise SAMLReplay(f"assertion {identity.message_id} was accepted before")
        if question is None:
            return FinishedSignIn(identity, solicited=False)
        trace.at = "question_unused"
        if not self._pending.consume(question.handle):
            raise SAMLInResponseTo("the request was answered a moment ago")
        return _finished(identity, question)

    def finish_oidc(self, provider: str, query: Pairs, browser: str | None, trace: OIDCTrace) -> FinishedSignIn:
        """Return the identity that an authorization response proves, after redeeming its code.

        Args:
            provider: the provider whose redirect URI was called.
            query: the query parameters.
            browser: the digest of the browser's sign-in cookie, None without one.
            trace: takes down which check has begun, and what was seen.

        Raises:
            IdentityError: the answer, or the token behind it, is not acceptable.
            StoreUnavailable: replay cannot be ruled out.
        """
        party = self._relying_party(provider)
        trace.at, trace.browser = "parameters", browser
        state = _find_single(query, "state", OIDCCallback)
        trace.at = "question"
        trace.question = question = self._pending.find(state) if state else None
        if question is None:
            raise OIDCState("no pending sign-in has this state")
        trace.at = "browser"
        if question.browser != browser:
            raise OIDCState("the sign-in was started in another browser")
        trace.at = "question_provider"
        if question.provider != provider:
            raise OIDCMixUp(f"the question went to {question.provider}, the answer came from {provider}")
        with _answering(question):
            identity = party.finish(query, question, trace)
        trace.at = "person"
        _check_person(identity, question.step_up)
        trace.at, trace.message_id = "first_use", identity.message_id
        if not self._replay.claim(identity.issuer, identity.message_id, identity.accept_until):
            raise OIDCReplay(f"token {identity.message_id} was accepted before")
        trace.at = "question_unused"
        if not self._pending.consume(question.handle):
            raise OIDCState("the state was used a moment ago")
        return _finished(identity, question)

    def check_initiator(self, provider: str, issuer: str) -> None:
        """The issuer that asks us to start a sign-in is the provider whose address it used.

        Without it a stranger could make this address probe or start any flow. OIDC Core 4.

        Raises:
            OIDCInitiate: it is not.
        """
        if issuer not in self._relying_party(provider).provider.issuers:
            raise OIDCInitiate(f"another issuer asked to start a sign-in at {provider}")

    def _relying_party(self, provider: str) -> RelyingParty:
        party = self._relying_parties.get(provider)
        if party is None:
            raise UnknownProvider(f"no provider is called {provider!r}")
        return party


def _find_single(pairs: Pairs, name: str, refusal: type[IdentityError]) -> str | None:
    """Return the value of a parameter, None without one; of two, nobody knows which counts: ``refusal``."""
    values = [value for key, value in pairs if key == name]
    if len(values) > 1:
        raise refusal(f"{name} came {len(values)} times")
    return values[0] if values else None


def _finished(identity: VerifiedIdentity, question: PendingSignIn) -> FinishedSignIn:
    return FinishedSignIn(
        identity,
        solicited=True,
        return_to=question.return_to,
        replaces_session=question.replaces_session,
        step_up=question.step_up,
    )


@contextmanager
def _answering(question: PendingSignIn | None) -> Iterator[None]:
    """Tell somebody who was asked to sign in again that this was not enough, in one way for all protocols."""
    try:
        yield
    except (SAMLAuthnContext, SAMLStale, OIDCAcr, OIDCAuthTime) as error:
        if question is None or question.step_up is None:
            raise
        wanted = Wanted(question.step_up.entitlement, link=question.return_to)
        raise StepUpNotMet(f"{error.code}: {error.detail}", wanted) from error


def _check_person(identity: VerifiedIdentity, step_up: StepUp | None) -> None:
    """A stronger sign-in is by the person who was asked: nobody lends another person's session a second factor.

    Raises StepUpOtherPerson.
    """
    if step_up is not None and not step_up.is_for(identity):
        raise StepUpOtherPerson("the person who signed in is not the one who was asked")
