"""The sessions of people and of their programs, and what guards them."""

from dataclasses import dataclass

from bridge.federation import Federation
from bridge.identity.guesses import GuessLimit
from bridge.identity.pending import UnconfirmedSignIns
from bridge.sessions.grants import Grants
from bridge.sessions.store import SessionStore
from bridge.web.access import Access
from bridge.wiring.foundation import Foundation


@dataclass(frozen=True)
class Visits:
    """Sessions of browsers and of terminals, and who may do what in them."""

    sessions: SessionStore
    terminals: SessionStore
    grants: Grants
    unconfirmed: UnconfirmedSignIns
    guesses: GuessLimit
    access: Access


def build_visits(base: Foundation, federation: Federation) -> Visits:
    """Return them."""
    redis, sealer, clock = base.redis, base.sealer, base.clock
    idle, absolute = base.settings.session.idle_seconds, base.settings.session.absolute_seconds
    sessions = SessionStore(redis, sealer, clock, idle_seconds=idle, absolute_seconds=absolute)
    # A terminal is not left open on a desk: it waits for work.
    terminals = SessionStore(redis, sealer, clock, idle_seconds=absolute, absolute_seconds=absolute, kind="terminal")
    grants = Grants(terminals, redis, sealer, clock)
    guesses = GuessLimit(redis, clock)
    return Visits(
        sessions=sessions,
        terminals=terminals,
        grants=grants,
        unconfirmed=UnconfirmedSignIns(redis, sealer, clock),
        guesses=guesses,
        access=Access(sessions, grants, federation, guesses, base.public_url),
    )
