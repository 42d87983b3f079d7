"""Tickets: what we hand out to get it back unchanged. Sealed under its kind, so nobody reads, makes or converts one.

Nothing is stored for a ticket. Where it counts once, its owner keeps a mark of its use, and only of a genuine one:
whoever makes tickets up fills nothing.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from bridge.errors import Unsealable
from bridge.sealing import Sealer

Kind = Literal["access-token", "refresh-token", "authorization-code", "consent"]


@dataclass(frozen=True)
class Ticket:
    """What is in a genuine ticket; it may be over."""

    values: list[Any]
    ends_at: datetime
    """UTC, to the second."""


class Tickets:
    """Writes and reads tickets."""

    def __init__(self, sealer: Sealer) -> None:
        """Take the sealer."""
        self._sealer = sealer

    def write(self, kind: Kind, values: list[Any], ends_at: datetime) -> str:
        """Return the ticket as base64url. ``values`` are texts and numbers."""
        sealed = self._sealer.seal_json(f"ticket:{kind}", [int(ends_at.timestamp()), *values])
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def read(self, kind: Kind, text: str, *, parts: int) -> Ticket:
        """Return what is in a ticket of this kind. Raises Unsealable for what we did not write as one."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError as error:  # of text beyond ASCII too
            raise Unsealable(f"no {kind} is written like this") from error
        value = self._sealer.open_json(f"ticket:{kind}", sealed)
        if not isinstance(value, list) or len(value) != 1 + parts:
            raise Unsealable(f"a {kind}, but not in the form that this version writes")
        ends_at, *values = value
        return Ticket(values, datetime.fromtimestamp(ends_at, UTC))
