"""Verify what searches and figures go by: whoever changes it hides records, and every record still verifies.

It is computed again from ``audit_index``, which has to be verified before, and from the records. Of months that were
retired, what is counted by hours, days and networks stays, and records do not; it may then be more than what is found.
"""

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, case, cast, func, or_, select

from bridge.audit.kinds import kind_row, terms
from bridge.audit.record import read_record
from bridge.audit.search.tables import counts, hours, kinds, networks, uses
from bridge.audit.search.tables import terms as term_table
from bridge.audit.search.upkeep import CONSOLE, DAY, HOUR, ISSUED, SIGN_IN
from bridge.audit.tables import SAME_RECORD, index, records
from bridge.errors import ChainBroken

_AT_ONCE = 500
_Span = tuple[Any, ...]
"""First and last position, and what was counted."""

_FIRST, _LAST, _COUNT = func.min(index.c.position), func.max(index.c.position), func.count()
_IS_ISSUED = or_(
    index.c.event == ISSUED, and_(index.c.event == CONSOLE, func.coalesce(index.c.access_key_id, "") == "")
)


def check_search(connection: Connection) -> None:
    """Verify all tables of ``tables.py`` but the searches that auditors keep.

    Raises:
        ChainBroken: one says otherwise than the records; with the first record that is missed or miscounted.
    """
    count, last = connection.execute(select(func.count(), func.max(index.c.position))).one()
    size = 0 if last is None else last + 1
    whole = count == size
    try:
        _check_kinds(connection, size)
        _check_hours(connection, size, whole=whole)
        _check_networks(connection, size, whole=whole)
        _check_figures(connection, size, whole=whole)
        _check_terms(connection, size)
    except TypeError as error:  # in SQLite a column can be made to hold anything
        raise ChainBroken("what searches go by has values that nobody of us wrote", 0, max(size, 1)) from error


def _check_kinds(connection: Connection, size: int) -> None:
    query = select(index.c.kind, _FIRST, _LAST, _COUNT).group_by(index.c.kind)
    found = {kind: tuple(span) for kind, *span in connection.execute(query)}
    kept = {row["kind"]: row for row in connection.execute(select(kinds)).mappings()}
    spans = {kind: (row["first_position"], row["last_position"], row["count"]) for kind, row in kept.items()}
    _compare("audit_kinds", spans, found, size, whole=True)
    firsts = sorted(span[0] for span in found.values())
    bodies = select(index.c.position, records.c.body).join(records, SAME_RECORD).order_by(index.c.position)
    for begin in range(0, len(firsts), _AT_ONCE):
        some = bodies.where(index.c.position.in_(firsts[begin : begin + _AT_ONCE]))
        for position, body in connection.execute(some):
            expected = kind_row(read_record(position, 0, body)[0])
            row = kept[expected["kind"]]
            wrong = [name for name, value in expected.items() if row[name] != value]
            if wrong:
                raise ChainBroken(f"audit_kinds says otherwise than record {position}: {', '.join(wrong)}", position)


def _check_hours(connection: Connection, size: int, *, whole: bool) -> None:
    hour = index.c.time // HOUR
    query = select(
        hour, _FIRST, _LAST, _COUNT, _sum(index.c.event == SIGN_IN), _sum(index.c.refused), _sum(_IS_ISSUED)
    ).group_by(hour)
    found = {of: tuple(span) for of, *span in connection.execute(query)}
    kept = {row[0]: tuple(row[1:]) for row in connection.execute(select(hours))}
    _compare("audit_hours", kept, found, size, whole=whole)


def _check_networks(connection: Connection, size: int, *, whole: bool) -> None:
    query = select(index.c.network, _FIRST, _LAST, _COUNT).where(func.coalesce(index.c.network, "") != "")
    found = {of: tuple(span) for of, *span in connection.execute(query.group_by(index.c.network))}
    kept_query = select(networks.c.network, networks.c.first_position, networks.c.last_position, networks.c.count)
    kept = {of: tuple(span) for of, *span in connection.execute(kept_query)}
    _compare("audit_networks", kept, found, size, whole=whole)
    first = select(index.c.position).join(networks, networks.c.first_position == index.c.position)
    other = connection.scalar(first.where(networks.c.first_time != index.c.time).order_by(index.c.position).limit(1))
    if other is not None:
        raise ChainBroken(f"audit_networks says otherwise than record {other}: first_time", other)


def _check_figures(connection: Connection, size: int, *, whole: bool) -> None:
    day, mfa, privileged = index.c.time // DAY, _flag(index.c.mfa), _flag(index.c.privileged)
    grouped = [day, index.c.event, _text(index.c.provider), _text(index.c.code), privileged, mfa]
    _compare_days(connection, counts, select(*grouped, _FIRST, _COUNT).group_by(*grouped), size, whole=whole)
    used = [day, _text(index.c.account), _text(index.c.entitlement), mfa]
    query = select(*used, _FIRST, _COUNT).where(_IS_ISSUED).group_by(*used)
    _compare_days(connection, uses, query, size, whole=whole)


def _compare_days(connection: Connection, table: Any, query: Select[Any], size: int, *, whole: bool) -> None:
    """Hold counts of a day against what the records of that day say."""
    names = list(table.primary_key.columns)
    found = {tuple(key): (first, count) for *key, first, count in connection.execute(query)}
    days = {key[0] for key in found}
    kept = {tuple(key): count for *key, count in connection.execute(select(*names, table.c.count))}
    for key, (first, count) in sorted(found.items(), key=lambda item: item[1][0]):
        if kept.pop(key, None) != count:
            raise ChainBroken(f"{table.name} does not count record {first} and those like it as they are", first)
    if any(whole or key[0] in days for key in kept):
        raise ChainBroken(f"{table.name} counts records that there are not", size)


def _check_terms(connection: Connection, size: int) -> None:
    """Hold the words of each record against it. Retiring takes them away with the records."""
    streamed = connection.execution_options(yield_per=4 * _AT_ONCE)
    rows = select(term_table.c.position, term_table.c.term).order_by(term_table.c.position)
    bodies = select(index.c.position, records.c.body).join(records, SAME_RECORD).order_by(index.c.position)
    with streamed.execute(rows) as kept, streamed.execute(bodies) as found:
        grouped = groupby(kept, key=itemgetter(0))
        nothing = size, ()
        at, words = next(grouped, nothing)
        for position, body in found:
            if at < position:
                break
            expected = terms(read_record(position, 0, body)[0])
            if expected != ({word for _, word in words} if at == position else set()):
                raise ChainBroken(f"audit_terms says otherwise than record {position}", position)
            if at == position:
                at, words = next(grouped, nothing)
        if at != size:
            raise ChainBroken(f"audit_terms has words of record {at}, which there is not", min(max(at, 0), size))


def _compare(name: str, kept: Mapping[Any, _Span], found: Mapping[Any, _Span], size: int, *, whole: bool) -> None:
    for key, span in sorted(found.items(), key=lambda item: item[1][0]):
        said = kept.get(key)
        if said is None or said[1] != span[1] or (said != span if whole else not _covers(said, span)):
            raise ChainBroken(f"{name} says otherwise than record {span[0]} and those like it", span[0])
    if whole and kept.keys() - found.keys():
        raise ChainBroken(f"{name} is about records that there are not", size)


def _covers(said: _Span, span: _Span) -> bool:
    return said[0] <= span[0] and all(more >= count for more, count in zip(said[2:], span[2:], strict=True))


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(cast(condition, Integer)), 0)


def _flag(column: ColumnElement[bool]) -> ColumnElement[int]:
    return case((column.is_(None), -1), (column, 1), else_=0)


def _text(column: ColumnElement[str]) -> ColumnElement[str]:
    return func.coalesce(column, "")
