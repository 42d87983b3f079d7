"""Sign-ins as the rules saw them: kept for some days, sealed, and read again to try other rules on.

What is kept, under which key and for how long: docs/decisions/0079 and 0080.
"""

import atexit
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, func, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from bridge.clock import Clock
from bridge.database import empty_write_ahead_log
from bridge.entitlements.resolve import Resolution
from bridge.entitlements.rules import RulesInForce
from bridge.errors import HistoryUnavailable, Unsealable
from bridge.history.kept_sign_in import KeptSignIn
from bridge.history.mapping_inputs import unpack_inputs
from bridge.history.people import People
from bridge.history.tables import from_microseconds, rule_uses, sign_ins, to_microseconds
from bridge.history.writer import Noted, Writer, create_tables, name_of
from bridge.identity.verified import VerifiedIdentity
from bridge.sealing import Sealer

_logger = logging.getLogger(__name__)

PAGE = 1_000
FLUSH_SECONDS = 3.0


@dataclass(frozen=True)
class RuleUse:
    """How much a rule was used in the days for which sign-ins are kept."""

    last_used: datetime
    """When it last applied at a sign-in; UTC."""
    people: int
    """To how many different people it applied."""


class History:
    """The kept sign-ins of all processes. Those of this one are kept once :meth:`start` was called."""

    def __init__(self, engine: Engine, sealer: Sealer, clock: Clock, *, keep_days: int) -> None:
        """Take the database, what seals, the clock, and for how many days to keep. Asks nothing of the database yet."""
        self._engine = engine
        self._sealer = sealer
        self._clock = clock
        self.keep_days = keep_days
        """For how many days sign-ins are kept; 0: not at all."""
        self.unreadable = 0
        """How many of those that were read last could not be opened: their key is gone."""
        self._writer: Writer | None = None
        self._rules: RulesInForce | None = None
        self._kept_claims: frozenset[str] | None = None

    def start(self, rules: RulesInForce, kept_claims: Iterable[str] | None = None) -> None:
        """Begin to keep, and to delete what is too old. After a fork, not before: it starts a thread.

        Args:
            rules: what they read is kept.
            kept_claims: the claims to keep instead of those that some rule reads.
        """
        self._rules = rules
        self._kept_claims = None if kept_claims is None else frozenset(kept_claims)
        self._writer = Writer(self._engine, self._sealer, self._clock, self.keep_days)
        if self.keep_days:
            atexit.register(self.flush)

    def note(self, identity: VerifiedIdentity, source_address: str, at: datetime, resolution: Resolution) -> None:
        """Keep what the rules were given at a sign-in and which of them applied. Never raises, never waits.

        Args:
            identity: the person.
            source_address: where the request came from.
            at: the moment that the rules were given.
            resolution: what they decided.
        """
        if self._writer is None or self._rules is None or not self.keep_days:
            return
        allowed = self._rules.current.claims_read if self._kept_claims is None else self._kept_claims
        self._writer.put(Noted(identity, allowed, source_address, at, resolution))

    def flush(self, seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until what this process has noted is in the database; return whether it is."""
        return self._writer is None or self._writer.flush(seconds)

    def read(self, since: datetime, until: datetime) -> Iterator[KeptSignIn]:
        """Yield the sign-ins from ``since`` to before ``until``, oldest first, a page at a time.

        Those whose key is gone are left out, counted in ``unreadable`` and named in the log at the end.

        Raises:
            HistoryUnavailable: the database does not answer.
        """
        unreadable = 0
        place = tuple_(sign_ins.c.at, sign_ins.c.tie)
        query = select(sign_ins).where(sign_ins.c.at < to_microseconds(until)).order_by(sign_ins.c.at, sign_ins.c.tie)
        last = (to_microseconds(since), -1)
        while True:
            with self._reading() as connection:
                page = connection.execute(query.where(place > last).limit(PAGE)).all()
            for at, tie, person, sealed in page:
                try:
                    inputs = self._sealer.open_json(name_of(at, tie, person), sealed)
                    kept = unpack_inputs(inputs, from_microseconds(at), person)
                except Unsealable:
                    unreadable += 1
                    continue
                yield kept
            if len(page) < PAGE:
                break
            last = (page[-1].at, page[-1].tie)
        self.unreadable = unreadable  # at the end: another thread may read at the same time
        if unreadable:
            _logger.warning("%d kept sign-ins cannot be opened: the key that sealed them is gone", unreadable)

    def count(self, since: datetime, until: datetime) -> int:
        """Return how many sign-ins are kept from ``since`` to before ``until``. Raises HistoryUnavailable."""
        inside = sign_ins.c.at.between(to_microseconds(since), to_microseconds(until) - 1)
        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(sign_ins).where(inside)).scalar_one())

    def find_oldest(self) -> datetime | None:
        """Return the moment of the oldest sign-in that is kept, None without one. Raises HistoryUnavailable."""
        with self._reading() as connection:
            at = connection.execute(select(func.min(sign_ins.c.at))).scalar()
        return None if at is None else from_microseconds(at)

    def usage(self) -> Mapping[str, RuleUse]:
        """Return by rule id how much each rule was used; rules that were not are absent. Raises HistoryUnavailable."""
        since = to_microseconds(self._clock.now() - timedelta(days=self.keep_days))
        query = (
            select(rule_uses.c.rule, func.max(rule_uses.c.last), func.count())
            .where(rule_uses.c.last >= since)
            .group_by(rule_uses.c.rule)
        )
        with self._reading() as connection:
            return {rule: RuleUse(from_microseconds(last), people) for rule, last, people in connection.execute(query)}

    def forget(self, issuer: str, subject: str) -> int:
        """Delete everything that is kept of a person; return how many sign-ins that were. Raises HistoryUnavailable."""
        with _database_errors():
            digests = People(self._sealer).find_digests(self._engine, issuer, subject)
            with self._engine.begin() as connection:
                connection.execute(delete(rule_uses).where(rule_uses.c.person.in_(digests)))
                gone = connection.execute(delete(sign_ins).where(sign_ins.c.person.in_(digests))).rowcount
            if self._engine.dialect.name == "sqlite":
                empty_write_ahead_log(self._engine)
        return gone

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _database_errors(), self._engine.connect().execution_options(read_only=True) as connection:
            yield connection


def open_history(engine: Engine, sealer: Sealer, clock: Clock, *, keep_days: int) -> History:
    """Return the kept sign-ins for reading; creates the tables where they are missing.

    Raises:
        HistoryUnavailable: the database does not answer.
    """
    with _database_errors():
        create_tables(engine)
    return History(engine, sealer, clock, keep_days=keep_days)


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise HistoryUnavailable(type(error).__name__) from error
