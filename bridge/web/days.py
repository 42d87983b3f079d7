"""Days in words, and entries of a page by the day on which they were."""

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
_SHORT_WEEKDAYS = (mark("Mon"), mark("Tue"), mark("Wed"), mark("Thu"), mark("Fri"), mark("Sat"), mark("Sun"))
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
_SHORT_MONTHS = (
    *(mark("Jan"), mark("Feb"), mark("Mar"), mark("Apr"), mark("May"), mark("Jun")),
    *(mark("Jul"), mark("Aug"), mark("Sep"), mark("Oct"), mark("Nov"), mark("Dec")),
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
    """Return a day as a heading has it: ``Sunday, 29 November 2026``."""
    return translate(
        "%(weekday)s, %(day)s %(month)s %(year)s",
        weekday=translate(_WEEKDAYS[day.weekday()]),
        day=day.day,
        month=translate(_MONTHS[day.month - 1]),
        year=day.year,
    )


def write_day_in_row(day: date) -> str:
    """Return a day as a table of days has it: ``Sun 2026-11-29``."""
    return translate("%(weekday)s %(date)s", weekday=translate(_SHORT_WEEKDAYS[day.weekday()]), date=day.isoformat())


def write_day_shortly(day: date) -> str:
    """Return a day in few characters: ``29 Nov``."""
    return translate("%(day)s %(month)s", day=day.day, month=translate(_SHORT_MONTHS[day.month - 1]))


def write_month_shortly(day: date) -> str:
    """Return the month of a day in few characters: ``Nov 2026``."""
    return translate("%(month)s %(year)s", month=translate(_SHORT_MONTHS[day.month - 1]), year=day.year)
