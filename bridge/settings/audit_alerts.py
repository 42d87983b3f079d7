"""``alerts`` in ``audit.yaml``: what auditors are told at once, and where."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from bridge.described import Described
from bridge.settings.audit_forwarding import Personal, check_webhook_url
from bridge.settings.role_pattern import RolePattern

AlertKind = Literal[
    "break_glass",
    "refused_signatures",
    "new_administrator",
    "first_privileged_use",
    "rules_changed",
    "verification_failed",
    "checkpoint_late",
    "strays",
    "clock_stepped_back",
]


class AlertWebhook(Described):
    """An HTTPS webhook, with bodies signed as Standard Webhooks wants it."""

    url: Annotated[str, AfterValidator(check_webhook_url)]
    """Where the beginning and the end of each alert are posted."""
    secret: SecretStr
    """A reference to the secret that the signatures are made with; as it is, or base64 after `whsec_`."""
    ca_file: Path | None = None
    """The authorities whose certificates are believed (PEM), relative to this file."""
    personal: Personal = "opened"
    """Whether messages name people. What was sent cannot be forgotten there from here."""


class Burst(Described):
    """What makes an alert of single events."""

    count: int = Field(default=10, ge=1, le=100_000)
    """How many of them."""
    seconds: int = Field(default=300, ge=1, le=86_400)
    """Within how long. The alert ends when there was none for so long."""


class AlertSettings(Described):
    """What auditors are told at once: in the service's log, on their first page, and by a webhook."""

    webhook: AlertWebhook | None = None
    off: tuple[AlertKind, ...] = ()
    """Kinds of alerts that nobody wants."""
    break_glass: tuple[RolePattern, ...] = ("*/*[Bb]reak*[Gg]lass*",)
    """Roles for emergencies, as `ACCOUNT/ROLE`; each use is an alert. RAM users by their names as well."""
    refused_signatures: Burst = Burst()
    checkpoint_late_seconds: int = Field(default=300, ge=120, le=86_400)
    """How old the newest checkpoint of the log may become, in seconds; one is signed each minute."""
