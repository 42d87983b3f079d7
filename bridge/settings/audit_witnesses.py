"""``witnesses`` in ``audit.yaml``: who else gets checkpoints of the log."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bridge.described import Described
from bridge.settings.audit_forwarding import ReceiverName
from bridge.settings.checks import split_web_url
from bridge.yaml_documents import refusal

Period = Literal["minute", "hour", "day"]
PERIODS: dict[Period, int] = {"minute": 60, "hour": 3_600, "day": 86_400}


def _check_url(url: str) -> str:
    if split_web_url(url) is None:
        raise refusal("`url` is not the address of a witness", "Write, for example, https://witness.example.com.")
    return url


class _WitnessSettings(Described):
    name: ReceiverName
    """How commands name it."""
    every: Period = "minute"
    """How often it gets the last checkpoint."""

    @property
    def seconds(self) -> int:
        """How often it gets a checkpoint."""
        return PERIODS[self.every]


class FileWitnessSettings(_WitnessSettings):
    """A file on other storage."""

    to: Literal["file"]
    path: Path
    """The file, relative to this one. Checkpoints are added to it; it must be where others look after it."""


class CosigningWitnessSettings(_WitnessSettings):
    """A witness of transparency logs (c2sp.org/tlog-witness)."""

    to: Literal["witness"]
    url: Annotated[str, AfterValidator(_check_url)]
    """The prefix of its address; `/add-checkpoint` is added."""
    key: Annotated[str, Field(pattern=r"^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$")] | None = None
    """Its public key, as `NAME+ID+KEY`. Without it, that it answered is enough."""
    ca_file: Path | None = None
    """The authorities whose certificates are believed (PEM), relative to this file."""


class TimeStampSettings(_WitnessSettings):
    """A time stamp authority (RFC 3161)."""

    to: Literal["timestamp"]
    url: Annotated[str, AfterValidator(_check_url)]
    """Where time stamps are asked for."""
    ca_file: Path | None = None
    """The authorities whose certificates are believed for https (PEM), relative to this file."""
    every: Period = "hour"
    """How often it gets the last checkpoint."""


WitnessSettings = Annotated[
    FileWitnessSettings | CosigningWitnessSettings | TimeStampSettings, Field(discriminator="to")
]
