"""From events to the sets of credentials that they speak of."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from bridge.audit.trail.events import Birth, TrailEvent
from bridge.audit.trail.join import Credentials

_TEMPORARY = "STS."


class Seen(NamedTuple):
    """What one event says of credentials."""

    event: TrailEvent
    actor: Credentials | None
    """Of whoever acted, if it was a role's session in one of our accounts."""
    child: Credentials | None
    """What STS gave out in it, if that was for one of our accounts, or by them."""


def gather(events: Iterable[TrailEvent], accounts: Collection[str], digest: Callable[[str], str]) -> Iterator[Seen]:
    """Yield what each event says of credentials that concern our accounts; the others are passed over.

    Args:
        events: in any order.
        accounts: the ids of ours.
        digest: makes the keyed digest of a session name.
    """
    for event in events:
        actor = child = None
        if event.role and event.account in accounts:
            session = digest(event.session_name)
            name = event.access_key_id or _name_session(event, session)
            actor = Credentials(name, event.account, event.role, session, event.time, event.time, event.created)
            if event.access_key_id:
                actor.created = None  # in some events it is the moment of the call
        birth = event.birth
        if birth is not None and (birth.account in accounts or event.account in accounts):
            child = _describe_birth(event, birth, digest)
        if actor or child:
            yield Seen(event, actor, child)


def merge(into: Credentials, other: Credentials) -> None:
    """Add to what is known of credentials what another event says of them."""
    into.first, into.last = min(into.first, other.first), max(into.last, other.last)
    into.created = other.created if into.created is None else into.created
    if other.action and not into.action:
        into.account, into.role, into.session = other.account, other.role, other.session
        into.created, into.action, into.provider = other.created, other.action, other.provider
        into.caller, into.parent, into.request_id = other.caller, other.parent, other.request_id


def _describe_birth(event: TrailEvent, birth: Birth, digest: Callable[[str], str]) -> Credentials:
    return Credentials(
        birth.access_key_id,
        birth.account,
        birth.role,
        digest(birth.session_name),
        event.time,
        event.time,
        event.time,
        action=birth.action,
        provider=birth.provider,
        caller=event.actor,
        parent=event.access_key_id if event.access_key_id.startswith(_TEMPORARY) else "",
        request_id=event.request_id,
    )


def _name_session(event: TrailEvent, session: str) -> str:
    text = "\n".join((event.account, event.role.casefold(), session, str(event.created)))
    return f"session/{hashlib.sha256(text.encode()).hexdigest()[:32]}"
