"""The tables of kept sign-ins, on SQLite and PostgreSQL, in the database beside the audit log.

Moments are whole microseconds since 1970 (UTC): they come back exactly as the rules were given them.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

sign_ins = Table(
    "history_sign_ins",
    metadata,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("tie", BigInteger, primary_key=True, autoincrement=False),  # random: several processes write at one moment
    Column("person", String(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

rule_uses = Table(
    "history_rule_uses",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("person", String(32), primary_key=True),
    Column("last", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

person_keys = Table(
    "history_person_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """Return an aware moment as microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(number: int) -> datetime:
    """Return the moment (UTC) of :func:`to_microseconds`."""
    return _EPOCH + timedelta(microseconds=number)
