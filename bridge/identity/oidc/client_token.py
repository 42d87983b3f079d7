"""An access token of our own: the client itself asks, for nobody in particular (RFC 6749 4.4).

It is kept in memory for as long as the provider says, less a minute, and asked for again once somebody refused it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.clock import Clock
from bridge.errors import GroupsNotFetched, OIDCCode, OIDCSize, OIDCTokenResponse
from bridge.identity.oidc.client_authentication import ClientProof
from bridge.identity.oidc.login import post_as_client, read_bearer
from bridge.outbound import Outbound

LONGEST_LIFETIME = timedelta(hours=1)
RENEWED_BEFORE = timedelta(seconds=60)

Client = Callable[[], tuple[str, ClientProof]]
"""What says where the token endpoint is, and proves there who we are."""


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    good_until: datetime


class ClientToken:
    """One access token, shared by all threads. Two that find none at once both ask, which harms nobody."""

    def __init__(self, client: Client, scope: str | None, outbound: Outbound, clock: Clock) -> None:
        """Take who asks, for what. Nothing is fetched yet."""
        self._client = client
        self._scope = scope
        self._outbound = outbound
        self._clock = clock
        self._token: _Token | None = None

    def get(self) -> str:
        """Return a token that is good for a minute more.

        Raises:
            GroupsNotFetched: the provider gives us none.
            ProviderUnavailable: no answer, or one that asks for patience.
        """
        token = self._token
        if token is None or token.good_until <= self._clock.now():
            token = self._token = self._ask()
        return token.value

    def forget(self) -> None:
        """Ask anew the next time: the token was refused."""
        self._token = None

    def _ask(self) -> _Token:
        asked_at = self._clock.now()
        endpoint, proof = self._client()
        fields = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        try:
            members = read_bearer(post_as_client(self._outbound, endpoint, fields, proof))
        except (OIDCCode, OIDCTokenResponse, OIDCSize) as error:
            raise GroupsNotFetched(f"no token for groups_endpoint: {error.detail}") from error
        lifetime = members.get("expires_in", 0)
        if isinstance(lifetime, bool) or not isinstance(lifetime, int | float):
            raise GroupsNotFetched("no token for groups_endpoint: expires_in is not a number")
        lives = timedelta(seconds=min(max(lifetime, 0), LONGEST_LIFETIME.total_seconds()))
        return _Token(members["access_token"], asked_at + lives - RENEWED_BEFORE)
