"""The desk where providers say that a session of theirs is over: each message counts once, and only for its provider.

What a message ends is found by its names alone, never by a cookie: one comes from the provider's server, the other in
a frame to which browsers send none. A message is used up after it is verified and before anything ends, because the
second copy of a logout would end a sign-in that came after the first.
"""

import hashlib
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.errors import IdentityError, LogoutReplay, OIDCLogoutRequest, UnknownProvider
from bridge.identity.ended import EndedAtProvider
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.replay import ReplayMemory
from bridge.identity.saml.logout_binding import LogoutMessage
from bridge.identity.saml.request import PostForm, Redirect
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.identity.verified import VerifiedIdentity

Pairs = Sequence[tuple[str, str]]
"""Parameters as they arrived, repetitions included."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReceivedLogout:
    """A verified single logout message."""

    over: EndedAtProvider | None
    """None: it is the answer to our own request, and ends nothing."""
    answer: Redirect | PostForm | None
    """What to send the browser back with."""


class SignOutDesk:
    """Verifies what the configured providers say about the end of sessions."""

    def __init__(
        self,
        *,
        service_providers: Mapping[str, ServiceProvider],
        relying_parties: Mapping[str, RelyingParty],
        replay: ReplayMemory,
    ) -> None:
        """Take the parties by provider name, and the memory of messages."""
        self._service_providers = service_providers
        self._relying_parties = relying_parties
        self._replay = replay

    def leave(self, identity: VerifiedIdentity, browser: str) -> Redirect | PostForm | None:
        """Return where a person who signed out here signs out at the provider, if its settings say so.

        Call it when our own session is over: nothing that happens there changes that, and what comes back proves
        nothing. None: there is no such place, or the provider cannot say at the moment.

        Args:
            identity: who signed out.
            browser: the digest of the browser's sign-in cookie, in which the answer to a SAML request must arrive.
        """
        handle = secrets.token_urlsafe(32)
        relying_party = self._relying_parties.get(identity.provider)
        service_provider = self._service_providers.get(identity.provider)
        try:
            if relying_party is not None and relying_party.provider.logout == "provider":
                url = relying_party.end_session_url(handle)
                return None if url is None else Redirect(url, request_id="")
            if service_provider is not None and service_provider.provider.logout == "provider":
                request_id = _request_id(identity.provider, handle, browser)
                return service_provider.begin_logout(identity, request_id, handle)
        except IdentityError as error:
            _LOG.warning("%s cannot be told of a sign-out: %s", identity.provider, error.detail)
        return None

    def receive_saml(self, provider: str, message: LogoutMessage, browser: str | None) -> ReceivedLogout:
        """Return what a single logout message says is over, and the answer to it.

        Args:
            provider: the provider whose logout address was called.
            message: what arrived there.
            browser: the digest of the browser's sign-in cookie, None without one; an answer to our own request needs
                it, a request of the provider does not.

        Raises:
            IdentityError: the message is not acceptable.
            StoreUnavailable: replay cannot be ruled out.
        """
        party = self._service_providers.get(provider)
        if party is None:
            raise UnknownProvider(f"no SAML provider is called {provider[:64]!r}")
        if message.parameter == "SAMLResponse":
            party.verify_logout_response(message, _request_id(provider, message.relay_state or "", browser or ""))
            return ReceivedLogout(over=None, answer=None)
        over = self._use_up(party.verify_logout_request(message))
        return ReceivedLogout(over, party.answer_logout(message, over))

    def receive_oidc(self, provider: str, form: Pairs) -> EndedAtProvider:
        """Return what a back-channel logout request says is over (OpenID Connect Back-Channel Logout 1.0, 2.5).

        Raises:
            IdentityError: the request is not acceptable.
            StoreUnavailable: replay cannot be ruled out.
        """
        party = self._relying_parties.get(provider)
        if party is None:
            raise UnknownProvider(f"no OpenID provider is called {provider[:64]!r}")
        tokens = [value for name, value in form if name == "logout_token"]
        if len(tokens) != 1:
            raise OIDCLogoutRequest(f"{len(tokens)} logout tokens")
        return self._use_up(party.verify_logout(tokens[0]))

    def receive_front_channel(self, provider: str, query: Pairs) -> EndedAtProvider:
        """Return what a front-channel logout request says is over (OpenID Connect Front-Channel Logout 1.0, 2).

        Nothing proves it, so ``iss`` and ``sid`` must both be there, and the provider's settings must allow it.

        Raises:
            IdentityError: the request is not acceptable.
        """
        party = self._relying_parties.get(provider)
        if party is None:
            raise UnknownProvider(f"no OpenID provider is called {provider[:64]!r}")
        return party.read_front_channel_logout(query)

    def _use_up(self, ended: EndedAtProvider) -> EndedAtProvider:
        # The prefix keeps these apart from the identifiers of ID tokens and assertions, which are used up elsewhere.
        if not self._replay.claim(ended.issuer, f"logout {ended.message_id}", ended.accept_until):
            raise LogoutReplay(f"{ended.message_id} was accepted before")
        return ended


def _request_id(provider: str, handle: str, browser: str) -> str:
    """Return the ``ID`` of our request for this RelayState in this browser.

    Nothing has to be remembered: the answer names the ID, and only the browser that asked has what it is made of.
    """
    return "_" + hashlib.sha256(f"logout {provider} {handle} {browser}".encode()).hexdigest()
