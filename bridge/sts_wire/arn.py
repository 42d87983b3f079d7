r"""How RAM names things: ``acs:ram::<account>:<kind>/<name>``, read by full match over ASCII.

A pattern that ends in ``$`` would let a final newline through, and ``\d`` would let full-width digits through; both
have made one program see another resource than the next one did (threat STS-08).
"""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["role", "user", "saml-provider", "oidc-provider"]

_ARN = re.compile(r"acs:ram::([0-9]{5,20}):(role|user|saml-provider|oidc-provider)/([A-Za-z0-9._-]{1,128})")
_LONGEST_NAME: dict[Kind, int] = {"role": 64, "user": 64, "saml-provider": 128, "oidc-provider": 128}


@dataclass(frozen=True)
class ARN:
    """The name of one resource of RAM."""

    account: str
    kind: Kind
    name: str

    def __str__(self) -> str:
        """Write the name as RAM does."""
        return f"acs:ram::{self.account}:{self.kind}/{self.name}"


def parse_arn(text: str, kind: Kind) -> ARN:
    """Read the ARN of one resource of this kind; names keep their case.

    Raises ``ValueError`` for anything else: wildcards, other partitions, other kinds, lists, blanks, newlines.
    """
    match = _ARN.fullmatch(text)
    if match is None or match[2] != kind or len(match[3]) > _LONGEST_NAME[kind]:
        raise ValueError(f"not the ARN of a {kind}")
    return ARN(match[1], kind, match[3])


def build_role_session_arn(role: ARN, session_name: str) -> str:
    """Return a role session's ARN as the AssumeRole family answers it, ``…:role/<role>/<session>``."""
    return f"{role}/{session_name}"


def build_caller_arn(role: ARN, session_name: str) -> str:
    """Return a role session's ARN as GetCallerIdentity answers it, ``…:assumed-role/<role>/<session>``."""
    return f"acs:ram::{role.account}:assumed-role/{role.name}/{session_name}"
