"""A session: who signed in, and until when we believe it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.errors import Unsealable
from bridge.identity.stored import pack_identity, unpack_identity
from bridge.identity.verified import VerifiedIdentity


@dataclass(frozen=True)
class Session:
    """One person in one browser."""

    identity: VerifiedIdentity
    created_at: datetime
    last_seen_at: datetime
    """The last request, to within a minute; the idle end counts from here."""
    ends_at: datetime
    """The absolute end, which no use postpones: never after the identity's own ``valid_until``."""
    csrf_token: str = field(repr=False)
    """What each state-changing form of this session must carry."""
    program: str = ""
    """What a terminal's program calls itself, not believed; nothing for a browser."""
    opened_from: str = ""
    """The address that opened it."""


def pack_session(session: Session) -> list[Any]:
    """Return the session as a JSON array."""
    times = (session.created_at, session.last_seen_at, session.ends_at)
    numbers = (time.timestamp() for time in times)
    return [pack_identity(session.identity), *numbers, session.csrf_token, session.program, session.opened_from]


def unpack_session(value: Any) -> Session:
    """Return the session that :func:`pack_session` packed; raises Unsealable for another shape."""
    try:
        identity, created_at, last_seen_at, ends_at, csrf_token, program, opened_from = value
        return Session(
            identity=unpack_identity(identity),
            created_at=datetime.fromtimestamp(created_at, UTC),
            last_seen_at=datetime.fromtimestamp(last_seen_at, UTC),
            ends_at=datetime.fromtimestamp(ends_at, UTC),
            csrf_token=str(csrf_token),
            program=str(program),
            opened_from=str(opened_from),
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise Unsealable("not a session in the form that this version writes") from error
