"""One sign-in as the rules saw it, without anything that no rule reads."""

from dataclasses import dataclass
from datetime import datetime

from bridge.identity.verified import VerifiedIdentity


@dataclass(frozen=True)
class KeptSignIn:
    """The mapping inputs of one sign-in: resolving them again under the same rules decides the same."""

    at: datetime
    """When the rules were asked; UTC."""
    person: str
    """Stands for the pair of issuer and subject: the same for each sign-in of a person, of no use to anybody else."""
    label: str
    """What people call the person, by the claims that may be kept, else the subject; it identifies nobody."""
    identity: VerifiedIdentity
    """With those claims only that may be kept."""
    source_address: str
    rules_version: str = ""
    """The digest of the rule set that decided then."""
    applied: tuple[str, ...] = ()
    """The rules that applied then."""
