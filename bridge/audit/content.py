"""What is recorded of an event: what stands there for everybody to search, and what is sealed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from ipaddress import IPv4Address, ip_network
from typing import Any

from bridge.addresses import read_address
from bridge.audit.assurance import shows_factors
from bridge.audit.events import (
    MAX_TEXT,
    PERSONAL,
    AuditErased,
    AuditExported,
    AuditRetired,
    ChoiceRefused,
    EntitlementEvent,
    Event,
    Origin,
    Person,
    PersonEvent,
    RulesEvent,
    SearchRebuilt,
)
from bridge.audit.secrets import AuditSecrets, Label, encode_personal

_NETWORK_BITS = {4: 24, 6: 48}
_USER = "user "
_ROLE = "role "


@dataclass(frozen=True)
class Content:
    """The fields of a record, but for its place in the log."""

    plain: dict[str, Any]
    personal: bytes
    """JSON."""
    key_name: str
    """Under which it is sealed; empty: there is nothing to seal."""
    keys: Mapping[str, Label | None]
    """Every key that has to be there, and what its subject is called."""


class Describer:
    """Turns events into contents."""

    def __init__(self, secrets: AuditSecrets, privileged: Sequence[str] = ()) -> None:
        """Take the log's keys, and which roles are privileged: ``ACCOUNT/ROLE``, as in file names."""
        self._secrets = secrets
        self._privileged = [re.compile(translate(pattern)) for pattern in privileged]
        self._is_privileged = lru_cache(4_096)(self._match_privileged)

    def describe(self, origin: Origin, event: Event) -> Content:
        """Return what is recorded. Raises TypeError: a value of the event is none that JSON has."""
        plain: dict[str, Any] = {"event": event.name, "reference": origin.reference}
        personal: dict[str, Any] = {}
        keys: dict[str, Label | None] = {}
        for name, value in event.fields().items():
            if isinstance(value, Person):
                digest = self._secrets.subject_digest(value.issuer, value.subject)
                plain[f"{name}_digest"] = digest
                keys[f"subject/{digest}"] = _label(value)
            elif name in PERSONAL:
                personal[name] = value
            else:
                plain[name] = value
        _hide_users(plain, personal)
        if isinstance(event, ChoiceRefused) and not event.entitlement.startswith(_ROLE):
            # What a form posts is an unkeyed digest, by which the name of a RAM user can be guessed; or any text.
            personal["entitlement"], plain["entitlement"] = event.entitlement[:MAX_TEXT], ""
        self._add_address(origin, plain, personal)
        if "role_session_name" in personal:
            plain["session_name_digest"] = self._secrets.digest("session_name", personal["role_session_name"])
        if isinstance(event, PersonEvent):
            self._add_person(event, plain)
        who = _find_subject(event, plain, personal)
        if not personal:
            key_name = ""
        elif who is None:
            key_name = f"address/{self._secrets.digest('address', origin.source_address)}"
            keys.setdefault(key_name, None)
        else:
            plain["subject_digest"] = self._secrets.subject_digest(who.issuer, who.subject)
            key_name = f"subject/{plain['subject_digest']}"
            keys[key_name] = _label(who)
        return Content(plain, encode_personal(personal), key_name, keys)

    def _add_person(self, event: PersonEvent, plain: dict[str, Any]) -> None:
        names = {event.person, event.subject} - {""}
        plain["name_digests"] = sorted(self._secrets.digest("name", name) for name in names)
        if not event.amr:
            del plain["amr"]
        mfa = shows_factors(event.acr, event.amr)
        if mfa is not None:
            plain["mfa"] = mfa
        if isinstance(event, EntitlementEvent):
            plain["privileged"] = self._is_privileged(event.account, event.entitlement)

    def _match_privileged(self, account: str, entitlement: str) -> bool:
        target = f"{account}/{entitlement.partition(' ')[2]}"
        return any(pattern.match(target) for pattern in self._privileged)

    def _add_address(self, origin: Origin, plain: dict[str, Any], personal: dict[str, Any]) -> None:
        if origin.source_address:
            personal["source_address"] = origin.source_address[:MAX_TEXT]
            plain["address_digest"] = self._secrets.digest("address", origin.source_address)
            network = find_network(origin.source_address)
            if network:
                plain["network"] = network


@lru_cache(4_096)
def find_network(address: str) -> str:
    """Return the network of an address, coarse enough to be nobody's: an IPv4 /24, an IPv6 /48; else nothing."""
    read = read_address(address)
    if read is None:
        return ""
    bits = _NETWORK_BITS[4 if isinstance(read, IPv4Address) else 6]
    return str(ip_network((read.packed, bits), strict=False))


def _find_subject(event: Event, plain: Mapping[str, Any], personal: Mapping[str, Any]) -> Person | None:
    """Return whom the event is about. Somebody who gives a command has no issuer, and only the name to go by."""
    if isinstance(event, RulesEvent | AuditExported):
        return Person(event.issuer, event.subject or event.author, event.author)
    if isinstance(event, AuditErased | AuditRetired | SearchRebuilt):
        return Person("", event.author, event.author)
    if personal.get("subject"):
        return Person(plain.get("issuer", ""), personal["subject"], personal.get("person", ""))
    return None


def _hide_users(plain: dict[str, Any], personal: dict[str, Any]) -> None:
    """A RAM user stands for one person, so its name is personal; that it is a user, and in which account, is not."""
    entitlement = plain.get("entitlement", "")
    if entitlement.startswith(_USER):
        personal["entitlement"], plain["entitlement"] = entitlement, _USER.strip()
    granted = plain.get("granted", ())
    if any(each.startswith(_USER) for each in granted):
        personal["granted"] = granted
        plain["granted"] = [each.partition("/")[0] if each.startswith(_USER) else each for each in granted]


def _label(person: Person) -> Label:
    label = {"issuer": person.issuer, "subject": person.subject[:MAX_TEXT]}
    return label | {"person": person.person[:MAX_TEXT]} if person.person else label
