"""Compute the overview from what is counted day by day."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal_column, select

from bridge.audit.search.overview import Count, Overview, SeenNetwork, Slot, UnusualRole
from bridge.audit.search.tables import counts, hours, networks, uses
from bridge.audit.search.upkeep import DAY, HOUR

_HOURLY = timedelta(days=3)
_BEFORE_DAYS = 90
_SELDOM = 2
"""At most so many uses in the 90 days before are unusual."""
_MOST = 50
_DAY_HOURS = 24


def read_overview(connection: Connection, since: datetime, until: datetime) -> Overview:
    """Return the figures of a period; it is moved to full hours outwards."""
    first = _microseconds(since) // HOUR
    end = -(-_microseconds(until) // HOUR)
    first_day, end_day = first // _DAY_HOURS, -(-end // _DAY_HOURS)
    within = (counts.c.day >= first_day, counts.c.day < end_day)
    sign_ins = counts.c.event == "sign_in.accepted"
    refusals = counts.c.event.endswith(".refused")
    privileged, without_mfa = _privileged(connection, first_day, end_day)
    return Overview(
        _moment(first * HOUR),
        _moment(end * HOUR),
        _slots(connection, first, end, hourly=until - since <= _HOURLY),
        _counted(connection, counts.c.provider, *within, sign_ins),
        _counted(connection, counts.c.provider, *within, refusals),
        _counted(connection, counts.c.code, *within, refusals),
        _new_networks(connection, first * HOUR, end * HOUR),
        _unusual_roles(connection, first_day, end_day),
        privileged,
        without_mfa,
    )


def read_counts(
    connection: Connection, field: str, since: datetime, until: datetime, *, refused: bool | None
) -> Sequence[Count]:
    """Return how many records there were on the days from ``since`` to just before ``until``, by a field."""
    conditions: list[ColumnElement[bool]] = [
        counts.c.day >= _microseconds(since) // DAY,
        counts.c.day < -(-_microseconds(until) // DAY),
    ]
    if refused is not None:
        ends = counts.c.event.endswith(".refused")
        conditions.append(ends if refused else ~ends)
    return _counted(connection, counts.c[field], *conditions)


def _slots(connection: Connection, first: int, end: int, *, hourly: bool) -> list[Slot]:
    width = 1 if hourly else _DAY_HOURS
    sums = [func.sum(hours.c[name]) for name in ("sign_ins", "refusals", "issued", "records")]
    slot = hours.c.hour // width
    rows = connection.execute(
        select(slot, *sums).where(hours.c.hour >= first, hours.c.hour < end).group_by(literal_column("1"))
    )
    summed = {int(slot): [int(figure) for figure in figures] for slot, *figures in rows}
    nothing = [0, 0, 0, 0]
    return [
        Slot(_moment(number * width * HOUR), *summed.get(number, nothing))
        for number in range(first // width, -(-end // width))
    ]


def _counted(connection: Connection, column: ColumnElement[str], *conditions: ColumnElement[bool]) -> list[Count]:
    total = func.sum(counts.c.count)
    rows = connection.execute(select(column, total).where(*conditions).group_by(column)).all()
    ordered = sorted(((name, int(count)) for name, count in rows), key=lambda each: (-each[1], each[0]))
    whole = sum(count for _, count in ordered)
    return [Count(name, count, count / whole) for name, count in ordered]


def _new_networks(connection: Connection, begin: int, end: int) -> list[SeenNetwork]:
    query = (
        select(networks.c.network, networks.c.first_time, networks.c.first_position, networks.c.count)
        .where(networks.c.first_time >= begin, networks.c.first_time < end)
        .order_by(networks.c.first_position.desc())
        .limit(_MOST)
    )
    return [
        SeenNetwork(network, _moment(time), position, count)
        for network, time, position, count in connection.execute(query)
    ]


def _unusual_roles(connection: Connection, first_day: int, end_day: int) -> list[UnusualRole]:
    in_period = func.sum(case((uses.c.day >= first_day, uses.c.count), else_=0))
    before = func.sum(case((uses.c.day < first_day, uses.c.count), else_=0))
    recent = (
        select(uses.c.account, uses.c.entitlement, in_period, before, func.max(case((uses.c.privileged, 1), else_=0)))
        .where(uses.c.day >= first_day - _BEFORE_DAYS, uses.c.day < end_day)
        .group_by(uses.c.account, uses.c.entitlement)
        .having(in_period > 0, before <= _SELDOM)
    )
    rows = connection.execute(recent).all()
    old = _used_before(connection, [(row[0], row[1]) for row in rows if not row[3]], first_day)
    found = [
        UnusualRole(account, role, int(count), int(earlier), bool(strong), not earlier and (account, role) not in old)
        for account, role, count, earlier, strong in rows
    ]
    found.sort(key=lambda role: (not role.first_ever, role.before, not role.privileged, role.account, role.entitlement))
    return found[:_MOST]


def _used_before(connection: Connection, roles: Iterable[tuple[str, str]], day: int) -> set[tuple[str, str]]:
    wanted = set(roles)
    if not wanted:
        return set()
    accounts = {account for account, _ in wanted}
    query = select(uses.c.account, uses.c.entitlement).distinct()
    rows: Any = connection.execute(query.where(uses.c.day < day, uses.c.account.in_(accounts)))
    return {(account, role) for account, role in rows} & wanted


def _privileged(connection: Connection, first_day: int, end_day: int) -> tuple[int, int]:
    """Return how often privileged roles were used, and how often by somebody who showed one factor."""
    weak = func.sum(case((uses.c.mfa == 0, uses.c.count), else_=0))
    query = select(func.sum(uses.c.count), weak).where(uses.c.day >= first_day, uses.c.day < end_day, uses.c.privileged)
    uses_in_all, without = connection.execute(query).one()
    return int(uses_in_all or 0), int(without or 0)


def _moment(time: int) -> datetime:
    return datetime.fromtimestamp(time // 1_000_000, UTC).replace(microsecond=time % 1_000_000)


def _microseconds(moment: datetime) -> int:
    moment = moment.astimezone(UTC)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
