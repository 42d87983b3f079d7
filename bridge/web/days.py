"""Entries of a page by the day on which they were."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Generic, Protocol, TypeVar


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
        yield Day(day, date.fromisoformat(day).strftime("%A, %-d %B %Y"), tuple(same))
