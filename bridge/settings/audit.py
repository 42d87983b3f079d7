"""``audit.yaml``: what is done with the records beside keeping them. Nobody needs to have that file."""

from pydantic import BaseModel, ConfigDict, TypeAdapter

from bridge.settings.audit_trail import TrailSettings
from bridge.settings.role_pattern import RolePattern


class AuditSettings(BaseModel):
    """What is done with the records."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    privileged: tuple[RolePattern, ...] = ("*/*[Aa]dmin*",)
    """The roles whose use an auditor looks at first, as `ACCOUNT/ROLE`; `*`, `?` and `[ ]` as in file names."""
    trail: TrailSettings = TrailSettings()


AUDIT: TypeAdapter[AuditSettings] = TypeAdapter(AuditSettings)
