"""People by part of their name. Names are sealed; the label of each person's key is opened in memory."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FoundPerson:
    """Somebody whom records speak of."""

    subject_digest: str
    name: str
    """What people call the person; it identifies nobody."""
