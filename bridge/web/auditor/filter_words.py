"""The filters of a search in plain words."""

from collections.abc import Mapping

from bridge.language import mark, translate, translate_number
from bridge.web.auditor.event_names import name_event

TITLES: Mapping[str, str] = {
    "person": mark("Person"),
    "role": mark("Role"),
    "account": mark("Account"),
    "provider": mark("Provider"),
    "outcome": mark("Outcome"),
    "code": mark("Code of the refusal"),
    "address": mark("Address"),
    "since": mark("From"),
    "until": mark("Before"),
    "days": mark("Time"),
    "access_key_id": mark("AccessKeyId"),
    "request_id": mark("RequestId"),
    "reference": mark("Reference"),
    "session_name": mark("Session name"),
    "event": mark("Event"),
    "text": mark("Words"),
    "privileged": mark("Privileged"),
    "mfa": mark("Factors"),
}
"""What the fields of :class:`bridge.audit.search.query.Search` are called."""
_VALUES: Mapping[tuple[str, str], str] = {
    ("outcome", "accepted"): mark("not refused"),
    ("outcome", "refused"): mark("refused"),
    ("privileged", "yes"): mark("yes"),
    ("privileged", "no"): mark("no"),
    ("mfa", "yes"): mark("more than one"),
    ("mfa", "no"): mark("only one"),
}
_PHRASES: Mapping[str, str] = {
    "outcome refused": mark("refused"),
    "outcome accepted": mark("not refused"),
    "privileged yes": mark("privileged"),
    "privileged no": mark("not privileged"),
    "mfa yes": mark("with more than one factor"),
    "mfa no": mark("with one factor"),
}
_ALONE: Mapping[str, str] = {
    "person": mark("a person"),
    "address": mark("an address"),
    "text": mark("words"),
    "access_key_id": mark("an AccessKeyId"),
    "request_id": mark("a RequestId"),
    "reference": mark("a reference number"),
    "session_name": mark("a session name"),
}
"""What a record says of a filter whose value it keeps to itself."""
_WITH_VALUE: Mapping[str, str] = {
    "days": "%(value)s",
    "since": mark("from %(value)s"),
    "until": mark("before %(value)s"),
    "role": mark("role %(value)s"),
    "account": mark("account %(value)s"),
    "provider": mark("provider %(value)s"),
    "code": mark("code %(value)s"),
    "event": mark("event %(value)s"),
}


def describe_value(name: str, value: str) -> str:
    """Return the value of a filter, as ``Search.to_query`` writes it, in the words of the form."""
    if name in {"since", "until"}:
        return value[:16].replace("T", " ").removesuffix(" 00:00")
    if name == "days":
        return _describe_days(value)
    if name == "event":
        return name_event(value)
    words = _VALUES.get((name, value))
    return translate(words) if words else value


def describe_asked(asked: str) -> str:
    """Return in words what a record of a search says of one filter: its name, or its name and its value."""
    name, _, value = asked.partition(" ")
    if asked in _PHRASES:
        return translate(_PHRASES[asked])
    if not value:
        return translate(_ALONE[name]) if name in _ALONE else name
    if name not in _WITH_VALUE:
        return asked
    return translate(_WITH_VALUE[name], value=value if name == "event" else describe_value(name, value))


def _describe_days(value: str) -> str:
    if value == "1":
        return translate("the last 24 hours")
    number = int(value) if value.isdecimal() else 0
    return translate_number("the last day", "the last %(number)s days", number)
