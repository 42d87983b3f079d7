"""Which requests were answered already."""

from bridge.clock import Clock
from bridge.sandbox.idp.pending import LIFETIME
from bridge.sandbox.idp.saml.authn_request import CLOCK_SKEW, MAXIMUM_AGE
from bridge.sandbox.store import ExpiringStore

# The same request is accepted for this long, and the person may then take this long to sign in.
_REMEMBERED_FOR = MAXIMUM_AGE + CLOCK_SKEW + LIFETIME


class AnsweredRequests:
    """Remembers request IDs for as long as a second answer would be possible."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._answered: ExpiringStore[bool] = ExpiringStore(clock)

    def claim(self, issuer: str, request_id: str) -> bool:
        """Return True to the first caller for this request, False to all others."""
        return self._answered.claim(f"{issuer} {request_id}", value=True, until=self._clock.now() + _REMEMBERED_FOR)
