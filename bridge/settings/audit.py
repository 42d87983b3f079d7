"""``audit.yaml``: what is done with the records beside keeping them. Nobody needs to have that file."""

from pydantic import Field, TypeAdapter

from bridge.described import Described
from bridge.settings.audit_alerts import AlertSettings
from bridge.settings.audit_exports import ScheduledExport
from bridge.settings.audit_forwarding import ReceiverSettings
from bridge.settings.audit_trail import TrailSettings
from bridge.settings.audit_witnesses import WitnessSettings
from bridge.settings.role_pattern import RolePattern


class AuditSettings(Described):
    """What is done with the records."""

    privileged: tuple[RolePattern, ...] = ("*/*[Aa]dmin*",)
    """The roles whose use an auditor looks at first, as `ACCOUNT/ROLE`; `*`, `?` and `[ ]` as in file names."""
    keep_months: int | None = Field(default=None, ge=1, le=1200)
    """For how many whole months before this one records are kept; `rambridge audit retire` deletes older ones.
    Absent: for ever."""
    trail: TrailSettings = TrailSettings()
    alerts: AlertSettings = AlertSettings()
    forwarding: tuple[ReceiverSettings, ...] = ()
    """Who gets the records as they are made."""
    exports: tuple[ScheduledExport, ...] = ()
    """Files that are written regularly."""
    witnesses: tuple[WitnessSettings, ...] = ()
    """Who else gets checkpoints of the log."""

    refusals_per_minute: int = Field(default=60, ge=1, le=1_000_000)
    """How many refusals of the same kind and source have a record of their own within a minute; more are summed up."""
    max_clock_step_seconds: int = Field(default=5, ge=1)
    """How far a machine's clock may be set back, in seconds, before nobody can sign in there until it has caught up."""


AUDIT: TypeAdapter[AuditSettings] = TypeAdapter(AuditSettings)
