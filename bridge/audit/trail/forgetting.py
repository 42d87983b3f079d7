"""What goes of imported events: of a person who is erased, and of a time that is over."""

from sqlalchemy import Connection, Engine, delete, func, select

from bridge.audit.tables import index, keys
from bridge.audit.trail.tables import addresses, calls, credentials

_AT_ONCE = 1_000
_DIGEST_BEGINS = len("session/") + 1


def find_session_keys(connection: Connection, subject_digest: str) -> list[str]:
    """Return the names of the keys under which the trail says something of a person."""
    ours = select(index.c.session_name).where(index.c.subject == subject_digest, index.c.session_name.is_not(None))
    theirs = select(credentials.c.session).where(credentials.c.subject == subject_digest)
    digests = {*connection.execute(ours.distinct()).scalars(), *connection.execute(theirs.distinct()).scalars()}
    return [f"session/{digest}" for digest in sorted(digests)]


def forget_before(engine: Engine, moment: int) -> None:
    """Delete what happened before a moment (microseconds since 1970), in steps between which others can write."""
    over = select(calls.c.event_id).where(calls.c.time < moment).limit(_AT_ONCE)
    gone = _AT_ONCE
    while gone == _AT_ONCE:
        with engine.begin() as connection:
            gone = connection.execute(delete(calls).where(calls.c.event_id.in_(over))).rowcount
    with engine.begin() as connection:
        connection.execute(delete(credentials).where(credentials.c.last < moment))
        is_used = select(calls.c.address).where(calls.c.address == addresses.c.number).exists()
        connection.execute(delete(addresses).where(~is_used))
        digest = func.substr(keys.c.name, _DIGEST_BEGINS)
        is_left = select(credentials.c.session).where(credentials.c.session == digest).exists()
        connection.execute(delete(keys).where(keys.c.name.like("session/%"), ~is_left))
