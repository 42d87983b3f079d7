"""Conditions on the request and not on the person: from where, at what hours, until which day.

Like everything here they know three answers. An address that cannot be read is in no network for a rule that grants,
and in every network for one that denies.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from bridge.addresses import Address, Network
from bridge.entitlements.matching import Finding
from bridge.language import Said, mark, phrase

Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""As ``datetime.weekday`` counts them."""
_DAY_NAMES: dict[Day, str] = {
    "mon": mark("mon"),
    "tue": mark("tue"),
    "wed": mark("wed"),
    "thu": mark("thu"),
    "fri": mark("fri"),
    "sat": mark("sat"),
    "sun": mark("sun"),
}
MIDNIGHT = "00:00"

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00", re.ASCII)
_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True)
class Hours:
    """A span of the day on some days of the week, by the clock on the wall."""

    days: frozenset[Day]
    """The days on which the span begins."""
    start: str
    end: str
    """As it was written, such as ``18:00``; at or before ``start`` it is on the next day."""
    zone: ZoneInfo

    def look(self, now: datetime) -> Finding:
        """Return whether ``now`` (with a time zone) is within; the first minute is, the last is not.

        An hour that the clock repeats when summer time ends counts both times.
        """
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        start, end = read_time(self.start), read_time(self.end)
        today, yesterday = DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
        if start < end:
            holds = today in self.days and start <= minute < end
        else:
            holds = (today in self.days and minute >= start) or (yesterday in self.days and minute < end)
        why = phrase(
            "it is %(day)s %(time)s in %(zone)s; the hours are %(days)s from %(start)s to %(end)s",
            day=phrase(_DAY_NAMES[today]),
            time=f"{local:%H:%M}",
            zone=self.zone.key,
            days=self.day_names,
            start=self.start,
            end=self.end,
        )
        return Finding(holds, why, "hours")

    @property
    def day_names(self) -> tuple[Said, ...]:
        """Return the days in their order, in words."""
        return tuple(phrase(name) for day, name in _DAY_NAMES.items() if day in self.days)

    def find_next(self, now: datetime) -> datetime | None:
        """Return the moment (UTC) after ``now`` at which the next span begins; None if the clock skips it.

        A time that does not exist on the day on which summer time begins is the one an hour later.
        """
        hour, minute = divmod(read_time(self.start), 60)
        today = now.astimezone(self.zone).date()
        for day in (today + timedelta(days=number) for number in range(8)):
            begins = datetime.combine(day, time(hour, minute), self.zone).astimezone(UTC)
            if DAYS[day.weekday()] in self.days and begins > now:
                return begins if self.look(begins).holds else None
        return None


def read_time(text: str) -> int:
    """Return the minutes since midnight of a time such as ``08:00``; ``24:00`` is the end of the day.

    Raises:
        ValueError: it is no time.
    """
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return int(text[:2]) * 60 + int(text[3:])


def find_zone(name: str) -> ZoneInfo:
    """Return an IANA time zone.

    Raises:
        LookupError: this machine knows no such zone.
    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:  # OSError: `Asia` is a folder
        raise LookupError(name) from error


class NetworkInvalid(ValueError):
    """A text is no address or network; ``fix`` says what to write instead."""

    def __init__(self, message: str, fix: str) -> None:
        """Take what is wrong and what to write."""
        super().__init__(message)
        self.fix = fix


def read_network(text: str) -> Network:
    """Return an address or network as it is written in a rule.

    Raises:
        NetworkInvalid: with what is wrong, for the person who wrote it.
    """
    try:
        network = ip_network(text, strict=False)
        address = ip_address(text.partition("/")[0])
    except ValueError as error:
        raise NetworkInvalid(
            f"{text!r} is not an address or network", "Write an address or network, such as 10.0.0.0/8, or `$name`."
        ) from error
    if address != network.network_address:
        fix = f"Write {network} for the whole network, or {address} for the one address."
        raise NetworkInvalid(f"{text!r} has host bits set, so it is neither a network nor an address", fix)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        raise NetworkInvalid(
            f"{text!r} is an IPv4 network in the clothes of IPv6, and no address is compared so",
            "Write it as an IPv4 network, such as 10.0.0.0/8.",
        )
    return network


def is_within(part: Network, whole: Network) -> bool:
    """Return whether every address of ``part`` is one of ``whole``."""
    if isinstance(part, IPv4Network):
        return isinstance(whole, IPv4Network) and part.subnet_of(whole)
    return isinstance(whole, IPv6Network) and part.subnet_of(whole)


def look_at_address(address: Address | None, networks: tuple[Network, ...]) -> Finding:
    """Return whether the request came from one of the networks."""
    if address is None:
        why = phrase("the address of the request is not known; it has to be in: %(networks)s", networks=networks)
        return Finding(holds=None, why=why, condition="networks")
    if any(address in network for network in networks):
        why = phrase("the request came from %(address)s", address=address)
        return Finding(holds=True, why=why, condition="networks")
    why = phrase(
        "the request came from %(address)s, which is in none of: %(networks)s", address=address, networks=networks
    )
    return Finding(holds=False, why=why, condition="networks")


def look_at_expiry(last_day: date, now: datetime) -> Finding:
    """Return whether the end of the last day (UTC) is still to come."""
    holds = now.astimezone(UTC).date() <= last_day
    if holds:
        return Finding(holds, phrase("the rule expires at the end of %(day)s (UTC)", day=last_day), "expires")
    return Finding(holds, phrase("the rule expired at the end of %(day)s (UTC)", day=last_day), "expires")
