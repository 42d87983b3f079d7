"""What a verified SAML statement says about roles: which ``role,provider`` pairs, which session name, how long."""

import re
from dataclasses import dataclass

from bridge.sandbox.cloud.saml_response import ROLE_SESSION_NAME, SESSION_DURATION, SAMLStatement
from bridge.sts_wire.arn import ARN, parse_arn
from bridge.sts_wire.reply import STSFault, build_fault, build_malformed

_SESSION_NAME = re.compile(r"[A-Za-z0-9_.@=,+-]{2,32}")
_DURATION = re.compile(r"[0-9]{3,5}")


@dataclass(frozen=True)
class RolePair:
    """A role and the identity provider through which it may be assumed."""

    role: ARN
    provider: ARN


def read_role_pairs(values: tuple[str, ...]) -> tuple[RolePair, ...]:
    """Read the values of the Role attribute: role first, provider second, a comma and no blank between them."""
    if not values:
        raise _refuse("Can not find SAML role attribute which is required")
    pairs = []
    for value in values:
        role, _, provider = value.partition(",")
        try:
            pairs.append(RolePair(parse_arn(role, "role"), parse_arn(provider, "saml-provider")))
        except ValueError as error:
            raise _refuse("A SAML role attribute is not a role ARN and a provider ARN") from error
    return tuple(dict.fromkeys(pairs))


def read_role_session_name(statement: SAMLStatement) -> str:
    """Return the one role session name: 2 to 32 characters, which older consumers can take too."""
    names = statement.attributes.get(ROLE_SESSION_NAME, ())
    if not names:
        raise _refuse("Can not find SAML role session name attribute which is required")
    if len(names) != 1 or not _SESSION_NAME.fullmatch(names[0]):
        raise build_malformed("RoleSessionName")
    return names[0]


def read_session_duration(statement: SAMLStatement) -> int | None:
    """Return the seconds that the statement asks for, which only the console heeds; at least 900."""
    values = statement.attributes.get(SESSION_DURATION, ())
    if len(values) > 1 or (values and not _DURATION.fullmatch(values[0])):
        raise _refuse("The SAML session duration attribute is not one whole number")
    if values and int(values[0]) < 900:  # noqa: PLR2004 - said in the message
        raise _refuse("The SAML session duration is less than 900 seconds")
    return int(values[0]) if values else None


def _refuse(message: str) -> STSFault:
    return build_fault("AuthenticationFail.SAMLAssertion.Invalid", f"{message}.")
