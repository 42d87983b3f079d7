"""The parameters that the AssumeRole family shares, each read by full match over ASCII.

Python's ``int`` takes blanks, underscores and Arabic digits, and ``$`` matches before a final newline; both have let
values through that the next program read differently (threats STS-06, STS-09).
"""

import re
from collections.abc import Mapping

from bridge.sandbox.cloud.entities import Role
from bridge.sandbox.cloud.policy import PermissionPolicy, parse_session_policy
from bridge.sts_wire.arn import ARN, Kind, parse_arn
from bridge.sts_wire.reply import build_malformed, build_missing

MIN_DURATION_SECONDS = 900
DEFAULT_DURATION_SECONDS = 3600

_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_DURATION = re.compile(r"[0-9]{3,6}")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")
_SOURCE_IDENTITY = re.compile(r"(?!acs:|aliyun:|alibabacloud:)[A-Za-z0-9_+=,.@-]{2,64}")

Parameters = Mapping[str, str]


def read_required(parameters: Parameters, name: str) -> str:
    """Return a parameter that must be there; it may still be empty."""
    if name not in parameters:
        raise build_missing(name)
    return parameters[name]


def read_arn(parameters: Parameters, name: str, kind: Kind) -> ARN:
    """Return the ARN that a required parameter holds."""
    try:
        return parse_arn(read_required(parameters, name), kind)
    except ValueError as error:
        raise build_malformed(name) from error


def read_session_name(parameters: Parameters) -> str:
    """Return the role session name: 2 to 64 letters, digits, dots, at signs, hyphens and underscores."""
    name = read_required(parameters, "RoleSessionName")
    if not _SESSION_NAME.fullmatch(name):
        raise build_malformed("RoleSessionName")
    return name


def read_duration(parameters: Parameters, role: Role) -> int:
    """Return the seconds asked for: 900 up to the role's maximum, 3600 where nothing was asked."""
    text = parameters.get("DurationSeconds", str(DEFAULT_DURATION_SECONDS))
    seconds = int(text) if _DURATION.fullmatch(text) else 0
    if not MIN_DURATION_SECONDS <= seconds <= role.max_session_duration:
        limits = f"{MIN_DURATION_SECONDS} to {role.max_session_duration} seconds"
        raise build_malformed("DurationSeconds", f"The Min/Max value of DurationSeconds is {limits}.")
    return seconds


def read_policy(parameters: Parameters) -> PermissionPolicy | None:
    """Return the session policy, if there is one."""
    return parse_session_policy(parameters["Policy"]) if "Policy" in parameters else None


def read_external_id(parameters: Parameters) -> str | None:
    """Return the external id, if there is one."""
    external_id = parameters.get("ExternalId")
    if external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        raise build_malformed("ExternalId")
    return external_id


def read_source_identity(parameters: Parameters) -> str | None:
    """Return the source identity, if there is one; it must not look like one that Alibaba Cloud sets itself."""
    source_identity = parameters.get("SourceIdentity")
    if source_identity is not None and not _SOURCE_IDENTITY.fullmatch(source_identity):
        raise build_malformed("SourceIdentity")
    return source_identity
