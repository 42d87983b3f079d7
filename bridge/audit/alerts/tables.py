"""The tables of alerts. Times are in microseconds since 1970, UTC. Nothing in them is personal."""

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, String, Table, Text, insert, select

metadata = MetaData()

_Key = BigInteger().with_variant(Integer, "sqlite")

alerts = Table(
    "audit_alerts",
    metadata,
    Column("number", _Key, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),
    Column("about", Text, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("position", BigInteger),
    Column("last_position", BigInteger),
    Column("facts", Text, nullable=False),
    Column("ended", BigInteger),
    Column("told", Integer, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failure", Text, nullable=False),
    Index("audit_alerts_open", "ended", "number"),
    Index("audit_alerts_told", "told", "due"),
)
"""One row for each alert. ``told`` is 0 until its beginning was told and 1 until its end was, then 2; ``due`` is when
that is to be tried next, ``failures`` how often it failed, and ``failure`` what the last fault was."""

known = Table(
    "audit_alert_known",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("about", String(256), primary_key=True),
    Column("position", BigInteger),
)
"""What counts the first time alone, and happened: who is an administrator, who used which privileged role."""

state = Table(
    "audit_alert_state",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("pending", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
)
"""Its one row: up to which position the log was looked at, that one included, the signals that are no alert yet,
and a number that each change moves on."""


def create(connection: Connection) -> None:
    """Make the tables where they are not there."""
    metadata.create_all(connection)
    if connection.execute(select(state.c.only)).first() is None:
        connection.execute(insert(state).values(only=0, position=-1, pending="[]", version=0))
