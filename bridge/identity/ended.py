"""What a provider's message about signing out says, once it is verified."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class EndedAtProvider:
    """A trusted provider ended sessions of its own; those of ours that came from them are over as well.

    Each condition that is there narrows: with a subject and session indexes, only that person's sessions from one of
    these sessions at the provider. At least one of the two is there.
    """

    issuer: str
    subject: str | None
    session_indexes: tuple[str, ...]
    """``SessionIndex`` or ``sid``; empty: whichever they came from."""
    message_id: str
    """The request's ``ID`` or the token's ``jti``: what makes the message single-use. The front channel has none."""
    accept_until: datetime
    """The last moment (UTC, leeway included) at which the same message would still be accepted."""
