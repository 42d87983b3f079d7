"""The desk where providers say that a session of theirs is over: each message counts once, and only for its provider.

What a message ends is found by its names alone, never by a cookie: one comes from the provider's server, the other in
a frame to which browsers send none. A message is used up after it is verified and before anything ends, because the
second copy of a logout would end a sign-in that came after the first.
"""

from collections.abc import Mapping, Sequence

from bridge.clock import Clock
from bridge.errors import LogoutReplay, OIDCLogoutRequest, UnknownProvider
from bridge.identity.ended import EndedAtProvider
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.replay import ReplayMemory

Pairs = Sequence[tuple[str, str]]
"""Parameters as they arrived, repetitions included."""


class SignOutDesk:
    """Verifies what the configured providers say about the end of sessions."""

    def __init__(self, *, relying_parties: Mapping[str, RelyingParty], replay: ReplayMemory, clock: Clock) -> None:
        """Take the parties by provider name, and the memory of messages."""
        self._relying_parties = relying_parties
        self._replay = replay
        self._clock = clock

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

    def _use_up(self, ended: EndedAtProvider) -> EndedAtProvider:
        # The prefix keeps these apart from the identifiers of ID tokens and assertions, which are used up elsewhere.
        if not self._replay.claim(ended.issuer, f"logout {ended.message_id}", ended.accept_until):
            raise LogoutReplay(f"{ended.message_id} was accepted before")
        return ended
