"""What only shows when ``audit.yaml`` is read as a whole, and what its paths mean."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, SecretStr

from bridge.destinations import HTTPS_PORT, Destinations
from bridge.errors import Problem
from bridge.settings.audit import AUDIT, AuditSettings
from bridge.settings.audit_alerts import AlertWebhook
from bridge.settings.audit_forwarding import SimpleLogServiceReceiver, SyslogReceiver, WebhookReceiver
from bridge.settings.audit_witnesses import FileWitnessSettings
from bridge.settings.checks import split_web_url
from bridge.yaml_documents import Loc, Positions, load_document

_SYSLOG_TLS_PORT = 6514
_SUMMED_UP_SECONDS = 120
"""So long a burst also sees what is summed up of the minute that it begins in."""
_FILES = ("ca_file", "certificate")

_Part = TypeVar("_Part", bound=BaseModel)


def load_audit_settings(folder: Path) -> AuditSettings:
    """Return what ``audit.yaml`` in a folder says, whatever the other files hold; the defaults where there is none.

    References to secrets stand in their places: commands that look at the log send nothing to receivers, and run where
    no receiver's secret is.

    Raises:
        SettingsError: with every error of that file.
    """
    path = folder / "audit.yaml"
    if not path.exists():
        return AuditSettings()
    return resolve_audit_paths(load_document(path, AUDIT, secrets=False)[0], folder)


def find_audit_problems(audit: AuditSettings, positions: Positions, destinations: Destinations) -> Iterator[Problem]:
    """Yield what is wrong with receivers, scheduled exports, witnesses and alerts."""
    for part in ("forwarding", "exports", "witnesses"):
        counts = Counter(each.name for each in getattr(audit, part))
        for number, each in enumerate(getattr(audit, part)):
            if counts[each.name] > 1:
                message = f"the name `{each.name}` stands twice in `{part}`"
                yield positions.problem((part, number, "name"), message, "Give each its own.", kind="duplicate")
    for number, receiver in enumerate(audit.forwarding):
        loc: Loc = ("forwarding", number)
        yield from _find_missing_files(receiver, positions, loc)
        if isinstance(receiver, SyslogReceiver):
            fault = destinations.find_host_fault(receiver.host)
            fault = fault or (
                None if receiver.port == _SYSLOG_TLS_PORT else destinations.find_port_fault(receiver.port)
            )
            yield from _unreachable(fault, positions, (*loc, "host"))
        elif isinstance(receiver, WebhookReceiver):
            yield from _find_webhook_problems(receiver, positions, loc, destinations)
        else:
            yield from _find_log_service_problems(receiver, positions, loc, destinations)
    yield from _find_witness_problems(audit, positions, destinations)
    if audit.alerts.webhook is not None:
        loc = ("alerts", "webhook")
        yield from _find_missing_files(audit.alerts.webhook, positions, loc)
        yield from _find_webhook_problems(audit.alerts.webhook, positions, loc, destinations)
    yield from _find_late_burst(audit, positions)
    for number, export in enumerate(audit.exports):
        if not (positions.file.parent / export.folder).is_dir():
            yield positions.problem(
                ("exports", number, "folder"),
                f"the folder {export.folder} is not there, and nothing will be written",
                "Make it, or mount what is to hold the files.",
                severity="warning",
            )


def resolve_audit_paths(audit: AuditSettings, folder: Path) -> AuditSettings:
    """Return the settings with every path absolute; they are written relative to ``folder``."""
    alerts = audit.alerts
    if alerts.webhook is not None:
        alerts = alerts.model_copy(update={"webhook": _resolve(alerts.webhook, folder)})
    return audit.model_copy(
        update={
            "alerts": alerts,
            "forwarding": tuple(_resolve(each, folder) for each in audit.forwarding),
            "exports": tuple(_resolve(each, folder) for each in audit.exports),
            "witnesses": tuple(_resolve(each, folder) for each in audit.witnesses),
        }
    )


def _resolve(part: _Part, folder: Path) -> _Part:
    paths = {name: (folder / path).resolve() for name, path in part if isinstance(path, Path)}
    return part.model_copy(update=paths)


def _find_late_burst(audit: AuditSettings, positions: Positions) -> Iterator[Problem]:
    """Yield that a burst is over before what was summed up of it is recorded, at the end of the minute."""
    burst, alone = audit.alerts.refused_signatures, audit.refusals_per_minute
    if burst.count > alone and burst.seconds < _SUMMED_UP_SECONDS and "refused_signatures" not in audit.alerts.off:
        yield positions.problem(
            ("alerts", "refused_signatures", "seconds"),
            f"{burst.count} wrong signatures of one source within {burst.seconds} seconds need not be an alert: of a "
            f"minute, {alone} are recorded at once (`refusals_per_minute`), and the rest when it is over",
            f"Write `seconds: {_SUMMED_UP_SECONDS}` or more, or a `count` of {alone} or less.",
        )


def _find_missing_files(receiver: object, positions: Positions, loc: Loc) -> Iterator[Problem]:
    for name in _FILES:
        path = getattr(receiver, name, None)
        if path is not None and not (positions.file.parent / path).is_file():
            yield positions.problem((*loc, name), f"the file {path} does not exist", "Correct the path.")


def _find_webhook_problems(
    receiver: WebhookReceiver | AlertWebhook, positions: Positions, loc: Loc, destinations: Destinations
) -> Iterator[Problem]:
    yield from _find_address_problems(receiver.url, positions, loc, destinations)
    if not _is_usable(receiver.secret):
        message = "`secret` begins with whsec_, and what follows is not base64"
        yield positions.problem((*loc, "secret"), message, "Take the whole secret as it was given out.")


def _find_witness_problems(audit: AuditSettings, positions: Positions, destinations: Destinations) -> Iterator[Problem]:
    for number, witness in enumerate(audit.witnesses):
        loc: Loc = ("witnesses", number)
        yield from _find_missing_files(witness, positions, loc)
        if isinstance(witness, FileWitnessSettings):
            if not (positions.file.parent / witness.path).parent.is_dir():
                message = f"the folder of {witness.path} is not there, and nothing will be written"
                advice = "Make it, or mount what is to hold the file."
                yield positions.problem((*loc, "path"), message, advice, severity="warning")
        else:
            yield from _find_address_problems(witness.url, positions, loc, destinations)


def _find_address_problems(url: str, positions: Positions, loc: Loc, destinations: Destinations) -> Iterator[Problem]:
    parts = split_web_url(url)
    assert parts is not None and parts.hostname is not None  # noqa: S101, PT018  the model has seen to it
    if parts.scheme == "http" and not destinations.development:
        message = "`url` is plain http: everybody on the way could read or change what is sent"
        yield positions.problem((*loc, "url"), message, "Write the https address.", kind="insecure")
        return
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    fault = destinations.find_host_fault(host) or destinations.find_port_fault(parts.port or HTTPS_PORT)
    yield from _unreachable(fault, positions, (*loc, "url"))


def _find_log_service_problems(
    receiver: SimpleLogServiceReceiver, positions: Positions, loc: Loc, destinations: Destinations
) -> Iterator[Problem]:
    if receiver.endpoint.startswith("http:") and not destinations.development:
        message = "`endpoint` is plain http: everybody on the way could read the records"
        yield positions.problem((*loc, "endpoint"), message, "Write the https address.", kind="insecure")
    if (receiver.access_key_id is None) != (receiver.access_key_secret is None):
        message = "`access_key_id` and `access_key_secret` belong together"
        yield positions.problem(loc, message, "Write both, or neither where the machine has a RAM role.")


def _is_usable(secret: SecretStr) -> bool:
    _, prefix, rest = secret.get_secret_value().partition("whsec_")
    try:
        return not prefix or bool(base64.b64decode(rest, validate=True))
    except (binascii.Error, ValueError):
        return False


def _unreachable(fault: str | None, positions: Positions, loc: Loc) -> Iterator[Problem]:
    if fault:
        yield positions.problem(
            loc,
            f"`{loc[-1]}` cannot be reached: {fault}",
            "Correct the address, or allow it under `outbound` in bridge.yaml.",
            kind="unreachable",
        )
