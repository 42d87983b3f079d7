"""What a SAML provider states about roles for the STS endpoint, in the attributes that Alibaba Cloud defined for that.

Rules are asked all the same: the attributes only bind an assertion to the roles that it was made for (threat STS-13).
"""

import re
from dataclasses import dataclass

from bridge.errors import ClaimNotSingle
from bridge.identity.verified import VerifiedIdentity
from bridge.sts_wire.arn import ARN, parse_arn

ROLE = "https://www.aliyun.com/SAML-Role/Attributes/Role"
ROLE_SESSION_NAME = "https://www.aliyun.com/SAML-Role/Attributes/RoleSessionName"

_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")


@dataclass(frozen=True)
class RolePair:
    """A role and the identity provider through which it may be assumed."""

    role: ARN
    provider: ARN


def read_role_pairs(identity: VerifiedIdentity) -> frozenset[RolePair]:
    """Return the pairs that are listed; role first, provider second. What is not one is passed over."""
    pairs = set()
    for value in _list_texts(identity, ROLE):
        role, _, provider = value.partition(",")
        try:
            pairs.add(RolePair(parse_arn(role, "role"), parse_arn(provider, "saml-provider")))
        except ValueError:
            continue
    return frozenset(pairs)


def read_role_session_name(identity: VerifiedIdentity) -> str:
    """Return the one role session name. Raises ClaimNotSingle for none, several, or one of other letters."""
    names = _list_texts(identity, ROLE_SESSION_NAME)
    if len(names) != 1 or not _SESSION_NAME.fullmatch(names[0]):
        raise ClaimNotSingle("the assertion has not exactly one role session name of 2 to 64 allowed characters")
    return names[0]


def _list_texts(identity: VerifiedIdentity, name: str) -> list[str]:
    claim = identity.claims.get(name)
    values = claim if isinstance(claim, list) else [claim]
    return [value for value in values if isinstance(value, str)]
