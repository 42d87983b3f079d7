"""What rules read of an identity, so that two statements are known to come to the same.

Two tokens of one workload differ in each job, and two sign-ins of one person in their time. They may share what was
exchanged for one of them only if no rule could tell them apart: who holds it is asked about again later, when only one
of the two statements is remembered (threat STS-05).
"""

import hashlib
import json
from dataclasses import dataclass

from bridge.entitlements.rules import RuleSet
from bridge.identity.verified import VerifiedIdentity

_ALWAYS = frozenset({"name", "email"})
"""What a person is called in records."""


@dataclass(frozen=True)
class Reading:
    """Which parts of an identity are read; issuer, subject, and how it was authenticated always are."""

    claims: frozenset[str] | None
    """Names; None: any claim."""
    authentication_time: bool

    def covers(self, other: "Reading") -> bool:
        """Return whether everything that the other one reads is read here as well."""
        claims = self.claims is None or (other.claims is not None and other.claims <= self.claims)
        return claims and (self.authentication_time or not other.authentication_time)

    def digest(self, identity: VerifiedIdentity) -> str:
        """Return the SHA-256 (hex) of what is read of the identity, and of what was looked for."""
        names = None if self.claims is None else self.claims | _ALWAYS
        moment = (identity.authenticated_at.timestamp(), identity.authentication_time_stated)
        read = [
            None if names is None else sorted(names),
            identity.provider,
            identity.protocol,
            identity.issuer,
            identity.subject,
            identity.acr,
            identity.amr,
            {name: value for name, value in identity.claims.items() if names is None or name in names},
            moment if self.authentication_time else None,
        ]
        return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()


READS_ALL = Reading(claims=None, authentication_time=True)


def find_reading(rules: RuleSet) -> Reading:
    """Return what some rule reads."""
    return Reading(rules.claims_read, rules.reads_authentication_time)
