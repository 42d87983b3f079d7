"""Entries of a page by the day on which they were."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Generic, Protocol, TypeVar

from bridge.language import mark, translate

_WEEKDAYS = (
    mark("Monday"),
    mark("Tuesday"),
    mark("Wednesday"),
    mark("Thursday"),
    mark("Friday"),
    mark("Saturday"),
    mark("Sunday"),
)
_MONTHS = (
    mark("January"),
    mark("February"),
    mark("March"),
    mark("April"),
    mark("May"),
    mark("June"),
    mark("July"),
    mark("August"),
    mark("September"),
    mark("October"),
    mark("November"),
    mark("December"),
)


class Timed(Protocol):
    """What has a recorded time."""

    @property
    def time(self) -> str:
        """Return the time in UTC, as records have it."""


EntryT = TypeVar("EntryT", bound=Timed)


@dataclass(frozen=True)
class Day(Generic[EntryT]):
    """One day of UTC, its entries in their order."""

    date: str
    title: str
    entries: tuple[EntryT, ...]


def group_by_day(entries: Iterable[EntryT]) -> Iterator[Day[EntryT]]:
    """Yield the days of entries that are in the order of their time, or against it."""
    for day, same in groupby(entries, key=lambda entry: entry.time[:10]):
        yield Day(day, write_day(date.fromisoformat(day)), tuple(same))


def write_day(day: date) -> str:
    """Return a day as people read it, with its weekday."""
    return translate(
        "%(weekday)s, %(day)s %(month)s %(year)s",
        weekday=translate(_WEEKDAYS[day.weekday()]),
        day=day.day,
        month=translate(_MONTHS[day.month - 1]),
        year=day.year,
    )
