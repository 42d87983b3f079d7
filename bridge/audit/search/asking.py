"""Turn what an auditor asks for into conditions."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, literal_column, or_, select

from bridge.addresses import Network
from bridge.audit.among import among
from bridge.audit.kinds import term_of
from bridge.audit.reader import parse_reference
from bridge.audit.search.indexes import has_reference
from bridge.audit.search.people import People
from bridge.audit.search.positions import Asked, Bounds, Driver, contains, read_bounds
from bridge.audit.search.query import LONGEST_PREFIX, Search
from bridge.audit.search.tables import kinds, networks
from bridge.audit.search.tables import terms as term_table
from bridge.audit.search.upkeep import HOUR
from bridge.audit.secrets import AuditSecrets
from bridge.audit.tables import index
from bridge.clock import Clock

_MAX_WORDS = 8
_MAX_PEOPLE = 50
_MAX_NETWORKS = 100
_AFTER_DOT = chr(ord(".") + 1)
_REFUSED: ColumnElement[Any] = literal_column("refused")
_PRIVILEGED: ColumnElement[Any] = literal_column("privileged")
_WITHOUT_MFA: ColumnElement[Any] = literal_column("NOT mfa")
"""As the partial indexes have them, so that the planners see that they fit: of a Boolean column SQLAlchemy would make
``refused = 1`` for SQLite, which that does not take for the same.
"""


@dataclass
class _Conditions:
    by_kind: list[ColumnElement[bool]]
    on_index: list[ColumnElement[bool]]

    def add(self, build: Any) -> None:
        """Add a condition on columns that kinds and records share."""
        self.by_kind.append(build(kinds.c))
        self.on_index.append(build(index.c))


class Asking:
    """Knows what a search means."""

    def __init__(self, secrets: AuditSecrets, people: People, clock: Clock) -> None:
        """Take what makes keyed digests, what knows people, and the clock."""
        self._secrets = secrets
        self._people = people
        self._clock = clock

    def read(self, connection: Connection, search: Search, before: int | None) -> Sequence[Asked]:
        """Return what is asked: records are meant that one of these finds. Nothing: there can be none."""
        since, until = self._period(search)
        bounds: Bounds | None = Bounds()
        if since is not None or until is not None:
            bounds = read_bounds(connection, _hour(since), _hour(until))
        if bounds is None:
            return ()
        if before is not None:
            bounds = replace(bounds, end=min(bounds.end, before))
        exact = []
        if since is not None:
            exact.append(index.c.time >= since)
        if until is not None:
            exact.append(index.c.time < until)
        drivers = self._drivers(connection, search)
        if drivers is None:
            return ()
        few, leading, further = drivers
        conditions = _Conditions([], further)
        _add_fields(search, conditions)
        asked = Asked(bounds, leading, few, conditions.by_kind, conditions.on_index, exact)
        return _add_words(connection, search, asked)

    def _period(self, search: Search) -> tuple[int | None, int | None]:
        since, until = search.since, search.until
        if search.days is not None:
            begin = self._clock.now() - timedelta(days=search.days)
            since = begin if since is None else max(since, begin)
        return _microseconds(since), _microseconds(until)

    def _drivers(
        self, connection: Connection, search: Search
    ) -> tuple[bool, list[Driver], list[ColumnElement[bool]]] | None:
        """Return whether few records are led to, what leads there, and what else has to hold; None: there are none."""
        few = [[condition] for condition in self._numbers(search)]
        many: list[list[ColumnElement[bool]]] = []
        if search.person:
            digests = self._people.resolve(search.person, _MAX_PEOPLE)
            many.append([index.c.subject == digest for digest in digests])
        if search.address:
            many.append(_where_from(connection, self._secrets, search.address))
        if not all(many):
            return None
        every = [*few, *many]
        if not every:
            return False, [], []
        return bool(few), [Driver(each) for each in every[0]], [or_(*each) for each in every[1:]]

    def _numbers(self, search: Search) -> Iterator[ColumnElement[bool]]:
        """Yield conditions that few records meet."""
        if search.access_key_id:
            yield index.c.access_key_id == search.access_key_id
        if search.request_id:
            number = parse_reference(search.request_id) or search.request_id
            yield or_(index.c.sts_request_id == number, has_reference(number))
        if search.reference:
            yield has_reference(parse_reference(search.reference) or search.reference)
        if search.session_name:
            yield index.c.session_name == self._secrets.digest("session_name", search.session_name)


def _add_fields(search: Search, conditions: _Conditions) -> None:
    for name in ("account", "provider", "code"):
        value = getattr(search, name)
        if value:
            conditions.add(lambda columns, name=name, value=value: columns[name] == value)
    if search.role:
        account, _, role = search.role.rpartition("/")
        entitlement = role if role == "user" or role.startswith(("role ", "user ")) else f"role {role}"
        conditions.add(lambda columns: columns.entitlement == entitlement)
        if account:
            conditions.add(lambda columns: columns.account == account.removeprefix("role "))
    if search.event:
        _add_event(search.event, conditions)
    if search.outcome:
        refused = search.outcome == "refused"
        conditions.by_kind.append(_REFUSED if refused else kinds.c.refused.is_(False))
        conditions.on_index.append(_REFUSED if refused else ~index.c.refused)
    for name in ("privileged", "mfa"):
        flag = getattr(search, name)
        if flag is not None:
            conditions.add(lambda columns, name=name, flag=flag: columns[name].is_(flag))
    if search.privileged is True and search.mfa is False:
        conditions.by_kind += [_PRIVILEGED, _WITHOUT_MFA]


def _add_event(event: str, conditions: _Conditions) -> None:
    if "." in event:
        conditions.add(lambda columns: columns.event == event)
        return
    conditions.by_kind += [kinds.c.event >= f"{event}.", kinds.c.event < f"{event}{_AFTER_DOT}"]
    conditions.on_index.append(index.c.event.startswith(f"{event}.", autoescape=True))


def _add_words(connection: Connection, search: Search, asked: Asked) -> Sequence[Asked]:
    """Each word is part of the kind's words, or it is a whole value of the record."""
    words = search.text.lower().split()[:_MAX_WORDS]
    if not words:
        return (asked,)
    whole = {word for word in words if _occurs(connection, term_of(word))}
    if asked.drivers:
        return (replace(asked, on_index=[*asked.on_index, *(_has_word(connection, word, whole) for word in words)]),)
    in_kind = [contains(connection, kinds.c.words, word) for word in words]
    found = [replace(asked, by_kind=[*asked.by_kind, *in_kind])]
    if len(words) > 1 and _occurs(connection, term_of(search.text)):
        found.append(replace(asked, drivers=[Driver(term=term_of(search.text))]))
    for leading in whole:
        others = [_has_word(connection, word, whole) for word in words if word != leading]
        found.append(replace(asked, drivers=[Driver(term=term_of(leading))], on_index=[*asked.on_index, *others]))
    return found


def _has_word(connection: Connection, word: str, whole: Collection[str]) -> ColumnElement[bool]:
    """Return the condition on ``audit_index``; ``whole``: words that are the whole value of some record."""
    condition = exists().where(kinds.c.kind == index.c.kind, contains(connection, kinds.c.words, word)).correlate(index)
    if word not in whole:
        return condition
    positions = select(term_table.c.position).where(term_table.c.term == term_of(word))
    return or_(condition, index.c.position.in_(positions))


def _occurs(connection: Connection, term: int) -> bool:
    query = select(term_table.c.position).where(term_table.c.term == term).limit(1)
    return connection.execute(query).first() is not None


def _where_from(connection: Connection, secrets: AuditSecrets, address: str) -> list[ColumnElement[bool]]:
    """Return conditions of which one holds: the address is that, or one of the networks that are known within it."""
    if "/" not in address:
        return [index.c.address == secrets.digest("address", address)]
    wide = ip_network(address)
    if wide.prefixlen == LONGEST_PREFIX[wide.version]:
        return [index.c.network == address]
    known = connection.execute(select(networks.c.network)).scalars()
    within = sorted(each for each in known if _is_within(each, wide))
    if len(within) > _MAX_NETWORKS:
        return [among(index.c.network, within, connection.dialect.name)]
    return [index.c.network == each for each in within]


def _is_within(known: str, wide: Network) -> bool:
    network = ip_network(known)
    return network.version == wide.version and network.subnet_of(wide)  # type: ignore[arg-type]


def _hour(moment: int | None) -> int | None:
    return None if moment is None else moment // HOUR


def _microseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    moment = moment.astimezone(UTC)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
