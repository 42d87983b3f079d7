"""Which requests were answered already."""

from bridge.clock import Clock
from bridge.sandbox.idp.pending import LIFETIME
from bridge.sandbox.idp.saml.authn_request import CLOCK_SKEW, MAXIMUM_AGE

# The same request is accepted for this long, and the person may then take this long to sign in.
_REMEMBERED_FOR = MAXIMUM_AGE + CLOCK_SKEW + LIFETIME


class AnsweredRequests:
    """Remembers request IDs for as long as a second answer would be possible."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._ends: dict[tuple[str, str], float] = {}

    def claim(self, issuer: str, request_id: str) -> bool:
        """Return True to the first caller for this request, False to all others."""
        now = self._clock.now().timestamp()
        for key, end in list(self._ends.items()):
            if now >= end:
                self._ends.pop(key, None)
        mine = now + _REMEMBERED_FOR.total_seconds()
        # ``setdefault`` is atomic: of two threads one gets back its own object.
        return self._ends.setdefault((issuer, request_id), mine) is mine
