"""What is looked for: one value for pages, commands and saved searches."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.language import translate

OUTCOMES = ("accepted", "refused")
_FLAGS = {"yes": True, "no": False}
MAX_LENGTH = 200
"""Characters taken of what is typed into one field."""
MAX_DAYS = 36_500
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


@dataclass(frozen=True)
class Search:
    """What is looked for. What is empty or None asks nothing; everything else has to hold at once.

    Texts are compared without the space around them. ``role``, ``account``, ``provider``, ``code`` and ``event`` are
    compared whole and with their case.
    """

    person: str = ""
    """Part of what people call the person (case does not matter); or the person's identifier as the provider writes it;
    or the keyed digest of the person (32 hexadecimal digits), as ``subject_digest`` in records and in addresses."""
    role: str = ""
    """``NAME`` or ``role NAME`` in any account, ``user`` for all RAM users."""
    account: str = ""
    provider: str = ""
    outcome: str = ""
    """``accepted`` or ``refused``: every record is one of the two."""
    code: str = ""
    address: str = ""
    """One address exactly; or a network (``203.0.113.0/24``, at most /24, IPv6 /48: so coarse records know it)."""
    since: datetime | None = None
    """The first moment (UTC)."""
    until: datetime | None = None
    """The first moment that is too late (UTC)."""
    days: int | None = None
    """Only the last so many times 24 hours, whenever it is asked: for searches that are saved."""
    access_key_id: str = ""
    request_id: str = ""
    """The RequestId of a call that the bridge made of STS, or with which a caller's own call was answered."""
    reference: str = ""
    """The number that people see on an error page, with or without its dashes; or a RequestId of the STS endpoint."""
    session_name: str = ""
    """The RoleSessionName, as it stands in ActionTrail, exactly."""
    event: str = ""
    """``sign_in.refused``; or the first part alone (``sign_in``) for all events of that thing."""
    text: str = ""
    """Words; each must be part of a plain field's text, or be the whole value of one. Case does not matter."""
    privileged: bool | None = None
    """Whether the account and role are privileged by the settings."""
    mfa: bool | None = None
    """Whether the provider said that there was more than one factor; False where it said that there was not."""

    @classmethod
    def parse(cls, typed: Mapping[str, str]) -> tuple["Search", dict[str, str]]:
        """Return what a form or an address asks for, and a sentence for each field that cannot be understood.

        Sentences are in the language that is spoken, and nothing else depends on that.

        Takes one text for each field, by its name; other names are left alone. Flags are ``yes`` and ``no``. Times are
        ISO 8601 in UTC; a day alone means its beginning in ``since`` and its end in ``until``. A field with a problem
        is left empty in what is returned.
        """
        values: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for field in fields(cls):
            text = _clean(typed.get(field.name, ""))
            if not text:
                continue
            try:
                values[field.name] = _READERS.get(field.name, str)(text)
            except ValueError as problem:
                problems[field.name] = str(problem)
        search = cls(**values)
        if search.since and search.until and search.until <= search.since:
            problems["until"] = translate("The end is not after the beginning.")
            search = replace(search, until=None)
        return search, problems

    def to_query(self) -> dict[str, str]:
        """Return what :meth:`parse` reads this from: only fields that ask something."""
        return {
            field.name: _write(value)
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None and value != ""
        }

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is asked: every record is meant."""
        return not self.to_query()


def _clean(text: str) -> str:
    """Return a text without what no name has and a database may refuse: control characters."""
    return "".join(each if each.isprintable() else " " for each in text).strip()[:MAX_LENGTH]


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def _read_time(text: str, *, whole_day: timedelta) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        moment = moment + whole_day if len(text) <= len("2026-11-29") else moment
    except (ValueError, OverflowError):
        raise ValueError(translate("Write a day as 2026-11-29, or a moment as 2026-11-29T10:00 (UTC).")) from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(translate("Write a year from %(first)s to %(last)s.", first=_FIRST_YEAR, last=_LAST_YEAR))
    return moment


def _read_since(text: str) -> datetime:
    return _read_time(text, whole_day=timedelta())


def _read_until(text: str) -> datetime:
    return _read_time(text, whole_day=timedelta(days=1))


def _read_days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_DAYS):
        raise ValueError(translate("Write a number of days from 1 to %(most)s.", most=MAX_DAYS))
    return int(text)


def _read_flag(text: str) -> bool:
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValueError(translate("Choose yes or no.")) from None


def _read_outcome(text: str) -> str:
    if text not in OUTCOMES:
        raise ValueError(translate("Choose accepted or refused."))
    return text


def _read_address(text: str) -> str:
    try:
        read = ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(translate("Write an address as 203.0.113.7, or a network as 203.0.113.0/24.")) from None
    if isinstance(read, ipaddress.IPv4Network | ipaddress.IPv6Network):
        longest = LONGEST_PREFIX[read.version]
        if read.prefixlen > longest:
            raise ValueError(
                translate(
                    "Records know networks of /%(length)s and larger ones; write that, or one address.", length=longest
                )
            )
    return str(read)


LONGEST_PREFIX = {4: 24, 6: 48}
"""Of the networks that records know, by version of IP."""
_READERS: Mapping[str, Any] = {
    "outcome": _read_outcome,
    "address": _read_address,
    "since": _read_since,
    "until": _read_until,
    "days": _read_days,
    "privileged": _read_flag,
    "mfa": _read_flag,
}
