"""``audit.yaml``: what is done with the records beside keeping them. Nobody needs to have that file."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from bridge.settings.audit_exports import ScheduledExport
from bridge.settings.audit_forwarding import ReceiverSettings
from bridge.yaml_documents import refusal

_PATTERN = re.compile(r"[^\s/]+/[^\s/]+")


def _check_pattern(pattern: str) -> str:
    if not _PATTERN.fullmatch(pattern):
        raise refusal(
            f"`{pattern}` is not an account and a role", "Write ACCOUNT/ROLE; `*` stands for anything: */Admin*."
        )
    return pattern


class AuditSettings(BaseModel):
    """What is done with the records."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    privileged: tuple[Annotated[str, AfterValidator(_check_pattern)], ...] = ("*/*[Aa]dmin*",)
    """The roles whose use an auditor looks at first, as `ACCOUNT/ROLE`; `*`, `?` and `[ ]` as in file names."""
    forwarding: tuple[ReceiverSettings, ...] = ()
    """Who gets the records as they are made."""
    exports: tuple[ScheduledExport, ...] = ()
    """Files that are written regularly."""

    refusals_per_minute: int = Field(default=60, ge=1, le=1_000_000)
    """How many refusals of the same kind and source have a record of their own within a minute; more are summed up."""
    max_clock_step_seconds: int = Field(default=5, ge=1)
    """How far a machine's clock may be set back before nobody can sign in there until it has caught up."""


AUDIT: TypeAdapter[AuditSettings] = TypeAdapter(AuditSettings)
