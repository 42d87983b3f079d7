"""Which records signal something, and what."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from bridge.audit.record import to_microseconds
from bridge.language import mark

Record = Mapping[str, Any]
Kind = Literal[
    "break_glass",
    "refused_signatures",
    "new_administrator",
    "first_privileged_use",
    "rules_changed",
    "verification_failed",
    "checkpoint_late",
    "strays",
    "clock_stepped_back",
]

SUMMARIES: Mapping[Kind, str] = {
    "break_glass": mark("A role for emergencies was used"),
    "refused_signatures": mark("Many messages with a wrong signature were refused"),
    "new_administrator": mark("Somebody is an administrator who never was before"),
    "first_privileged_use": mark("Somebody used a privileged role for the first time"),
    "rules_changed": mark("Other rules came into force"),
    "verification_failed": mark("The audit log does not verify"),
    "checkpoint_late": mark("No checkpoint of the audit log was signed in time"),
    "strays": mark("Credentials of governed roles are in use that were not issued here"),
    "clock_stepped_back": mark("The clock of a machine was set back"),
}
"""In one sentence, in English: the service's log and webhooks say it so. A page translates it."""
_RELEASES = frozenset({"exchange.issued", "exchange.reused", "delivery.console"})
_REFUSALS = frozenset({"sign_in.refused", "logout.refused", "call.refused", "repeated.refused"})
_CHANGES = frozenset({"rules.promoted", "rules.rolled_back", "rules.files_taken"})


@dataclass(frozen=True)
class Signal:
    """Something happened that may be an alert, or a part of one."""

    kind: Kind
    about: str
    """What exactly: signals of one kind about the same belong together. Plain, not personal."""
    time: int
    """Microseconds since 1970, UTC."""
    position: int | None
    """The place of its record; None where there is none."""
    weight: int = 1
    """How many it stands for."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What to say of it; nothing personal, for alerts stay when somebody is erased."""
    once: bool = False
    """Whether it counts only the first time that it is about this, ever."""
    after: frozenset[str] = frozenset()
    """It counts only if there was a record of one of these events before; empty: always."""


@dataclass(frozen=True)
class AlertRules:
    """Finds signals in records."""

    break_glass: tuple[str, ...]
    """Roles and RAM users for emergencies, as ``ACCOUNT/NAME`` with ``*``, ``?`` and ``[ ]`` as in file names."""
    signature_codes: frozenset[str]
    """The codes with which a wrong signature is refused."""

    events = frozenset(
        {*_RELEASES, *_REFUSALS, *_CHANGES, "entitlements.resolved", "trail.imported", "clock.stepped_back"}
    )
    """The only events that signal anything."""

    def find(self, record: Record) -> Iterator[Signal]:
        """Yield what a record, with its personal fields, signals."""
        event = record["event"]
        finders: list[Callable[[Record], Iterator[Signal]]] = []
        if event in _RELEASES:
            finders = [self._find_break_glass, self._find_first_use]
        elif event in _REFUSALS:
            finders = [self._find_refused_signature]
        elif event in _CHANGES:
            finders = [_find_change]
        elif event == "entitlements.resolved":
            finders = [_find_administrator]
        elif event == "trail.imported":
            finders = [_find_strays]
        elif event == "clock.stepped_back":
            finders = [_find_step]
        for find in finders:
            yield from find(record)

    def _find_break_glass(self, record: Record) -> Iterator[Signal]:
        _, _, name = record.get("entitlement", "").partition(" ")
        place = f"{record.get('account', '')}/{name}"
        if name and any(fnmatchcase(place, pattern) for pattern in self.break_glass):
            about = f"{record.get('account', '')}/{_plain_name(record)} {record.get('subject_digest', '')}"
            yield _signal("break_glass", record, about, "account", "rule", "code")

    def _find_first_use(self, record: Record) -> Iterator[Signal]:
        if record.get("privileged") and record.get("subject_digest"):
            about = f"{record.get('account', '')}/{_plain_name(record)} {record['subject_digest']}"
            yield _signal("first_privileged_use", record, about, "account", "rule", once=True)

    def _find_refused_signature(self, record: Record) -> Iterator[Signal]:
        if record.get("code") in self.signature_codes:
            about = record.get("provider") or record.get("action") or "unknown"
            times = record.get("times", 1)
            yield _signal("refused_signatures", record, str(about)[:64], "provider", "code", weight=times)


def _find_change(record: Record) -> Iterator[Signal]:
    signal = _signal("rules_changed", record, record.get("version", ""), "version", "previous")
    # The first rules are no change. Whoever empties the table of versions makes others look like the first ones.
    yield signal if record.get("previous") else replace(signal, after=_CHANGES)


def _find_administrator(record: Record) -> Iterator[Signal]:
    if record.get("administrator") and record.get("subject_digest"):
        yield _signal("new_administrator", record, record["subject_digest"], "provider", once=True)


def _find_strays(record: Record) -> Iterator[Signal]:
    if record.get("stray_count"):
        facts = {"strays": "; ".join(record.get("strays", ()))[:500]}
        yield _signal("strays", record, str(record["position"]), weight=record["stray_count"], facts=facts)


def _find_step(record: Record) -> Iterator[Signal]:
    yield _signal("clock_stepped_back", record, record.get("node", ""), "node", "seconds")


def _plain_name(record: Record) -> str:
    """Return the role; of a RAM user, whose name is personal, that it is one."""
    kind, _, name = record.get("entitlement", "").partition(" ")
    return name if kind == "role" else "user"


def _signal(
    kind: Kind,
    record: Record,
    about: str,
    *names: str,
    weight: int = 1,
    once: bool = False,
    facts: Mapping[str, str] | None = None,
) -> Signal:
    said = {name: str(record[name]) for name in names if record.get(name) not in {None, ""}}
    if "entitlement" in record and kind in {"break_glass", "first_privileged_use"}:
        said["role"] = _plain_name(record)
    said |= {"event": record["event"], "reference": record.get("reference", "")} | dict(facts or {})
    said = {name: text for name, text in said.items() if text}
    return Signal(kind, about, to_microseconds(record["time"]), record["position"], weight, said, once)
