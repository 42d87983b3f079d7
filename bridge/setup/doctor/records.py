"""The audit log in PostgreSQL: what the service's role may do, months without a partition, and what a crash leaves."""

from collections.abc import Callable, Iterator

from bridge.audit.keeping.standing import Standing
from bridge.errors import AuditUnavailable
from bridge.setup.doctor.finding import Finding


def check_records(examine: Callable[[], Standing | None]) -> Iterator[Finding]:
    """Yield what was found about role, partitions and disk; nothing where the log is in SQLite."""
    try:
        standing = examine()
    except AuditUnavailable as error:
        yield Finding("audit-role", "its tables", "failed", f"they cannot be looked at: {error.detail}")
        return
    if standing is None:
        return
    if standing.may_change:
        advice = "Let another role own the tables: see “A role of its own” in docs/operating.md."
        found = "nothing but triggers keeps it from changing records"
        yield Finding("audit-role", standing.role, "warning", found, advice)
    else:
        yield Finding("audit-role", standing.role, "ok", "it may add records, and change none")
    if standing.missing:
        advice = "Let the owner of the tables run `rambridge audit migrate`. Until then the default partition has them."
        yield Finding("audit-partitions", "coming months", "warning", standing.missing, advice)
    else:
        yield Finding("audit-partitions", "coming months", "ok", "each has its partition")
    durability = standing.durability
    if durability.unsafe:
        found = f"{' and '.join(durability.unsafe)} off: a crash can lose records that were said to be kept"
        yield Finding(
            "audit-durability", "server", "failed", found, "Turn on in postgresql.conf, and reload the server."
        )
    else:
        standby = "at a standby too" if durability.waits_for_standby else "at no standby for sure"
        yield Finding("audit-durability", "server", "ok", f"what is committed is on its disk, and {standby}")
