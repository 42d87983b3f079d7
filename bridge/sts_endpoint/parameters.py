r"""The parameters of the actions, read by full match over ASCII.

Python's ``int`` takes blanks, underscores and the digits of every alphabet, and a pattern that ends in ``$`` lets a
final newline through: neither is used (threats STS-06, STS-08, STS-09).
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

from bridge.entitlements.ram_policy import find_policy_flaws, find_size_flaw, write_policy
from bridge.identity.oidc.strict_json import parse_object
from bridge.sts_wire.arn import ARN, Kind, parse_arn
from bridge.sts_wire.reply import build_fault, build_malformed, build_missing

Parameters: TypeAlias = Mapping[str, str]

MIN_SECONDS, MAX_SECONDS = 900, 43_200
MAX_POLICY_CHARACTERS = 2_048

_DURATION = re.compile(r"[0-9]{3,6}")
_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")


def read_required(parameters: Parameters, name: str) -> str:
    """Return a parameter that must be there. Raises the fault for one that is missing or empty."""
    value = parameters.get(name)
    if not value:
        raise build_missing(name)
    return value


def read_arn(parameters: Parameters, name: str, kind: Kind) -> ARN:
    """Return the ARN of one resource. Raises ``InvalidParameter.<name>`` for anything else."""
    try:
        return parse_arn(read_required(parameters, name), kind)
    except ValueError as error:
        raise build_malformed(name) from error


def read_session_name(parameters: Parameters) -> str:
    """Return the role session name: validated and never changed, since two callers must not come to share one."""
    name = read_required(parameters, "RoleSessionName")
    if not _SESSION_NAME.fullmatch(name):
        raise build_malformed("RoleSessionName")
    return name


def read_duration(parameters: Parameters) -> int | None:
    """Return the seconds that are asked for, within the API's bounds; None: nothing is asked."""
    text = parameters.get("DurationSeconds")
    if text is None:
        return None
    if not _DURATION.fullmatch(text) or not MIN_SECONDS <= int(text) <= MAX_SECONDS:
        raise build_malformed("DurationSeconds", f"DurationSeconds must be from {MIN_SECONDS} to {MAX_SECONDS}.")
    return int(text)


def read_policy(parameters: Parameters) -> str | None:
    """Return the session policy without blanks; None: there is none.

    It is parsed strictly and written anew, so that STS reads what was checked: no member twice, no ``NaN``, nothing
    beside RAM's grammar (threat STS-07). That it only narrows is STS's part: a session has what role and policy both
    allow.
    """
    text = parameters.get("Policy")
    if text is None or text == "":
        return None
    if len(text) > MAX_POLICY_CHARACTERS:
        raise build_fault("InvalidParameter.PolicySize")
    try:
        policy = parse_object(text.encode())
    except (ValueError, RecursionError) as error:
        raise build_fault("InvalidParameter.PolicyGrammar") from error
    flaw = next(iter(find_policy_flaws(policy)), None)
    if flaw is not None:
        raise build_fault("InvalidParameter.PolicyGrammar", f"The parameter Policy: {flaw.message}.")
    written = write_policy(policy)
    if find_size_flaw(written):
        raise build_fault("InvalidParameter.PolicySize")
    return written
