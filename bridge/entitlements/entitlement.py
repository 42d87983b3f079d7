"""A RAM role or RAM user in one account, with the limits under which somebody may become it."""

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["role", "user"]
Sensitivity: TypeAlias = Literal["low", "medium", "high"]
"""How much harm may be done with it, in the words of whoever wrote the rules; the portal gives each a colour."""


@dataclass(frozen=True)
class Entitlement:
    """One thing that an identity may become, and the rule that says so."""

    id: str
    """Stable for the same kind, account and name: it is what a form posts and a link names."""
    kind: Kind
    account: str
    """The account's name in our configuration."""
    name: str
    """The RAM role's or RAM user's name."""
    rule: str
    """The rule that grants it, as ``file:name``."""
    rules_version: str
    """The digest of the rule set that decided."""
    duration_seconds: int
    """The rule's limit on a session; the account's and the role's own limits come on top."""
    title: str = ""
    """What the card says: one or two words."""
    purpose: str = ""
    """What the card explains: one sentence."""
    owner: str = ""
    """Whom to ask about it; empty: whoever the account's settings name."""
    sensitivity: Sensitivity | None = None
    """None: what the account's settings say."""
    session_policy: str | None = None
    """A RAM policy (JSON) that narrows the role for this session; None: the whole role."""
    terminal_role: str | None = None
    """For a RAM user: the role that a terminal gets, since STS has no credentials for a RAM user."""

    @property
    def opens_terminal(self) -> bool:
        """Whether it has credentials for a terminal."""
        return self.kind == "role" or self.terminal_role is not None


def identify(kind: Kind, account: str, name: str) -> str:
    """Return the stable id of an entitlement: 16 hex digits."""
    return hashlib.sha256(f"{kind}|{account}|{name}".encode()).hexdigest()[:16]
