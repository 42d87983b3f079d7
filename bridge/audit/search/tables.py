"""What search computes from the records beside ``audit_index``, and the searches that auditors keep.

Nothing in it is personal, and nothing proves anything. The service adds and changes rows of all of these.
"""

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

_Name = Text().with_variant(Text(collation="C"), "postgresql")
"""Ordered by its bytes, so that an index finds all names that begin alike."""
_Key = BigInteger().with_variant(Integer, "sqlite")

kinds = Table(
    "audit_kinds",
    metadata,
    Column("kind", _Key, primary_key=True, autoincrement=False),
    Column("event", _Name, nullable=False),
    Column("refused", Boolean, nullable=False),
    Column("code", Text),
    Column("protocol", Text),
    Column("provider", Text),
    Column("issuer", Text),
    Column("account", Text),
    Column("entitlement", Text),
    Column("rule", Text),
    Column("mfa", Boolean),
    Column("privileged", Boolean),
    Column("words", Text, nullable=False),
    Column("first_position", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
)
"""One row for each kind of record (see ``bridge.audit.kinds``), and where the first and the last one of it stands."""

counts = Table(
    "audit_counts",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("event", String(64), primary_key=True),
    Column("provider", String(512), primary_key=True),
    Column("code", String(64), primary_key=True),
    Column("privileged", Integer, primary_key=True, autoincrement=False),
    Column("mfa", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""How many records there were on a day (UTC; days since 1970), by what charts tell apart. Nothing is the empty text;
``privileged`` and ``mfa`` are 1 for yes, 0 for no, -1 for unknown.
"""

uses = Table(
    "audit_uses",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("account", String(512), primary_key=True),
    Column("entitlement", String(512), primary_key=True),
    Column("mfa", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("privileged", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
"""How often somebody became a role or user on a day (UTC; days since 1970); ``mfa`` as in ``audit_counts``."""

hours = Table(
    "audit_hours",
    metadata,
    Column("hour", _Key, primary_key=True, autoincrement=False),
    Column("first_position", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("sign_ins", BigInteger, nullable=False),
    Column("refusals", BigInteger, nullable=False),
    Column("issued", BigInteger, nullable=False),
)
"""Between which positions the records of an hour stand (hours since 1970), and how many there are.

Times do not quite rise with positions; nothing needs them to.
"""

networks = Table(
    "audit_networks",
    metadata,
    Column("network", String(64), primary_key=True),
    Column("first_position", BigInteger, nullable=False),
    Column("first_time", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
)
"""When somebody came from a network for the first time (microseconds since 1970, UTC)."""

terms = Table(
    "audit_terms",
    metadata,
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""Values of which most records have another one (message ids, digests), by a hash: see ``bridge.audit.kinds.terms``."""

saved_searches = Table(
    "audit_saved_searches",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("owner", String(32), nullable=False),
    Column("name", String(32), nullable=False),
    Column("query", Text, nullable=False),
    UniqueConstraint("owner", "name"),
)
"""``owner`` and ``name`` are keyed digests of the auditor and the name; ``query`` is sealed under the auditor's key."""
