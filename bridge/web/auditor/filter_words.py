"""The filters of a search in plain words."""

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "person": "Person",
    "role": "Role",
    "account": "Account",
    "provider": "Provider",
    "outcome": "Outcome",
    "code": "Code",
    "address": "Address",
    "since": "From",
    "until": "Before",
    "days": "Time",
    "access_key_id": "AccessKeyId",
    "request_id": "RequestId",
    "reference": "Reference",
    "session_name": "Session name",
    "event": "Event",
    "text": "Words",
    "privileged": "Privileged",
    "mfa": "Factors",
}
"""What the fields of :class:`bridge.audit.search.query.Search` are called."""
_VALUES: Mapping[tuple[str, str], str] = {
    ("outcome", "accepted"): "not refused",
    ("mfa", "yes"): "more than one",
    ("mfa", "no"): "one",
}
_PHRASES: Mapping[str, str] = {
    "outcome refused": "refused",
    "outcome accepted": "not refused",
    "privileged yes": "privileged",
    "privileged no": "not privileged",
    "mfa yes": "with more than one factor",
    "mfa no": "with one factor",
}
_ALONE = {
    "person": "a person",
    "address": "an address",
    "text": "words",
    "access_key_id": "an AccessKeyId",
    "request_id": "a RequestId",
    "reference": "a reference number",
    "session_name": "a session name",
}
"""What a record says of a filter whose value it keeps to itself."""


def describe_value(name: str, value: str) -> str:
    """Return the value of a filter, as ``Search.to_query`` writes it, in the words of the form."""
    if name in {"since", "until"}:
        return value[:16].replace("T", " ").removesuffix(" 00:00")
    if name == "days":
        return "the last 24 hours" if value == "1" else f"the last {value} days"
    return _VALUES.get((name, value), value)


def describe_asked(asked: str) -> str:
    """Return in words what a record of a search says of one filter: its name, or its name and its value."""
    name, _, value = asked.partition(" ")
    if asked in _PHRASES:
        return _PHRASES[asked]
    if not value:
        return _ALONE.get(name, name)
    said = describe_value(name, value)
    return said if name == "days" else f"{TITLES.get(name, name).lower()} {said}"
