"""What the overview shows: figures over time, computed from daily counts and never by reading records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Slot:
    """One bar of the chart: an hour or a day."""

    begins: datetime
    """UTC."""
    sign_ins: int
    """``sign_in.accepted``"""
    refusals: int
    """Every event that ends in ``.refused``."""
    issued: int
    """Credentials issued and consoles opened."""
    records: int
    """All records."""


@dataclass(frozen=True)
class Count:
    """One row of a table, most frequent first."""

    name: str
    """A provider, or a code; empty: the records state none."""
    count: int
    share: float
    """Of all rows of that table, 0 to 1."""


@dataclass(frozen=True)
class SeenNetwork:
    """A network from which nobody came before. No database of countries is shipped: networks are all that is told."""

    network: str
    first_time: datetime
    first_position: int
    count: int
    """How many records there are from it since."""


@dataclass(frozen=True)
class UnusualRole:
    """A role that was used in the period and is otherwise not used, or hardly."""

    account: str
    entitlement: str
    """``role NAME`` or ``user``."""
    count: int
    """Uses in the period."""
    before: int
    """Uses in the 90 days before the period."""
    privileged: bool
    first_ever: bool
    """Whether it was used for the first time since the log began."""


@dataclass(frozen=True)
class Overview:
    """The figures of a period. Days and hours are those of UTC."""

    since: datetime
    until: datetime
    slots: Sequence[Slot]
    """Without a gap, oldest first: hours for at most 3 days, else days."""
    sign_ins_by_provider: Sequence[Count]
    refusals_by_provider: Sequence[Count]
    refusals_by_code: Sequence[Count]
    new_networks: Sequence[SeenNetwork]
    """Newest first, at most 50."""
    unusual_roles: Sequence[UnusualRole]
    """At most 50: those never used before first, then by how seldom."""
    privileged_uses: int
    """Credentials of privileged roles that were issued, and consoles opened with them."""
    privileged_uses_without_mfa: int
