"""What a service does with the audit log beside its requests: order it, make room, hand records on, write files.

Each task has a thread. They share nothing with the requests but the database, so a receiver that is down costs nobody
anything. Of several processes all order records, and one at a time sends to a receiver or writes files.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.alerts.conditions import CheckpointLate, VerificationFailed
from bridge.audit.alerts.counting import Threshold
from bridge.audit.alerts.delivery import AlertDelivery
from bridge.audit.alerts.rules import AlertRules
from bridge.audit.alerts.watcher import AlertWatcher
from bridge.audit.export.exporter import Exporter
from bridge.audit.export.ocsf import to_ocsf
from bridge.audit.export.schedule import Plan, Schedule
from bridge.audit.feed import Feed
from bridge.audit.forwarding.forwarder import Forwarder, Receiver, Sender
from bridge.audit.forwarding.lag import measure_lags
from bridge.audit.forwarding.syslog import SyslogSender
from bridge.audit.forwarding.webhook import Webhook, WebhookSender, read_secret
from bridge.audit.keeping.partition_keeper import PartitionKeeper
from bridge.audit.log import AuditLog
from bridge.audit.proof.checkpoints import name_log
from bridge.audit.proof.hand_over import record_hand_over
from bridge.audit.proof.notes import NoteRefused, VerifierKey
from bridge.audit.proof.witness import CosigningWitness, FileWitness, TimeStampAuthority, Witness
from bridge.audit.proof.witnessing import Named, Witnessing
from bridge.audit_log import OpenedLog
from bridge.errors import AuditUnavailable, BadSignature, ForwardingFailed
from bridge.outbound import Outbound
from bridge.settings.audit import AuditSettings
from bridge.settings.audit_forwarding import (
    ReceiverSettings,
    SimpleLogServiceReceiver,
    SyslogReceiver,
    WebhookReceiver,
)
from bridge.settings.audit_witnesses import (
    CosigningWitnessSettings,
    FileWitnessSettings,
    TimeStampSettings,
    WitnessSettings,
)

SIGNATURE_CODES = frozenset({"SignatureDoesNotMatch", *(error.code for error in BadSignature.__subclasses__())})
"""The codes with which a wrong signature is refused."""

_logger = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0

Encode = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class AuditTasks:
    """The tasks of one process."""

    def __init__(
        self, settings: AuditSettings, log: OpenedLog, audit: AuditLog, outbound: Outbound, public_url: str
    ) -> None:
        """Take what ``audit.yaml`` says, the log, what exports are recorded with, and the door to the outside."""
        self._settings = settings
        self._log = log
        self._audit = audit
        self._outbound = outbound
        self._public_url = public_url
        self._name = name_log(public_url)
        self._partitions = PartitionKeeper(log.engine, log.clock)
        self._stop = threading.Event()

    def start(self, *, sequences: bool = True) -> None:
        """Begin, in threads of their own; without ``sequences``, another process gives the records their order."""
        self._start(self._partitions.run_forever, "audit-partitions")
        self._start(self._record_hand_over, "audit-hand-over")
        if sequences:
            self._start(self._log.sequencer.run_forever, "audit-sequencer")
        for receiver in self._build_receivers():
            forwarder = Forwarder(receiver, self._log.engine, self._log.clock)
            self._start(forwarder.run_forever, f"audit-to-{receiver.name}")
        witnessing = build_witnessing(self._settings, self._log, self._outbound)
        if witnessing is not None:
            self._start(witnessing.run_forever, "audit-witnesses")
        self._start(self._build_watcher().run_forever, "audit-alerts")
        if self._settings.exports:
            log = self._log
            exporter = Exporter(
                log.engine, log.secrets, log.sequencer, self._audit, log_name=self._name, keys=log.verifier_keys
            )
            plans = [
                Plan(each.name, each.format, each.every, each.at, each.folder, opened=each.personal == "opened")
                for each in self._settings.exports
            ]
            self._start(Schedule(plans, exporter, self._log.engine, self._log.clock).run_forever, "audit-exports")

    def _record_hand_over(self, stop: threading.Event) -> None:
        """Record once that the key that signs was replaced, if it was."""
        signer, done = self._log.signer, False
        while signer is not None and not done and not stop.is_set():
            try:
                record_hand_over(self._log.engine, self._log.sequencer, self._audit, signer)
                done = True
            except (SQLAlchemyError, AuditUnavailable):
                stop.wait(_RETRY_SECONDS)

    def stop(self) -> None:
        """Let the threads end."""
        self._stop.set()

    def describe(self) -> Mapping[str, Any]:
        """Return what somebody who watches the service should see.

        Why the log does not verify, partitions that are missing, receivers and their lags.
        """
        receivers = self._describe_receivers() if self._settings.forwarding else {}
        return {**self._describe_break(), **self._partitions.describe(), **receivers}

    def _describe_break(self) -> Mapping[str, Any]:
        sequencer = self._log.sequencer
        try:
            sequencer.look()
        except SQLAlchemyError:
            return {}  # that the database is away is said elsewhere
        broken = sequencer.broken
        return (
            {} if broken is None else {"verification_failed": {"detail": broken.detail, "first_bad": broken.position}}
        )

    def _describe_receivers(self) -> Mapping[str, Any]:
        names = [receiver.name for receiver in self._settings.forwarding]
        try:
            lags = measure_lags(self._log.engine, names, self._log.clock)
        except AuditUnavailable:
            return {}  # that the database is away is said elsewhere
        return {
            "forwarding": {
                lag.name: {"state": lag.state, "records": lag.records, "seconds": round(lag.seconds)} for lag in lags
            }
        }

    def _start(self, work: Callable[[threading.Event], None], name: str) -> None:
        threading.Thread(target=work, args=(self._stop,), name=name, daemon=True).start()

    def _build_receivers(self) -> Sequence[Receiver]:
        receivers = []
        for each in self._settings.forwarding:
            feed = Feed(self._log.engine, self._log.secrets.open_all if each.personal == "opened" else None)
            try:
                sender = self._build_sender(each)
            except ForwardingFailed as error:
                # The service signs people in all the same; the lag of this receiver grows, and says so.
                _logger.error("nothing is forwarded to %s: %s", each.name, error.detail)  # noqa: TRY400  the detail says all
                continue
            receivers.append(Receiver(each.name, sender, feed, each.from_the_beginning))
        return receivers

    def _build_watcher(self) -> AlertWatcher:
        settings, engine, clock = self._settings.alerts, self._log.engine, self._log.clock
        webhook, post = settings.webhook, None
        if webhook is not None:
            secret = read_secret(webhook.secret.get_secret_value())
            post = Webhook(
                self._outbound, webhook.url, secret, clock, log_name=self._name, ca_file=webhook.ca_file
            ).post
        burst = settings.refused_signatures
        return AlertWatcher(
            engine,
            self._log.secrets.open_all,
            clock,
            AlertRules(settings.break_glass, SIGNATURE_CODES),
            {"refused_signatures": Threshold(burst.count, burst.seconds * 1_000_000)},
            off=frozenset(settings.off),
            conditions=(
                CheckpointLate(engine, settings.checkpoint_late_seconds),
                VerificationFailed(self._log.sequencer),
            ),
            delivery=AlertDelivery(
                engine,
                clock,
                post=post,
                open_record=self._open_record if webhook is not None and webhook.personal == "opened" else None,
                public_url=self._public_url,
            ),
        )

    def _open_record(self, position: int) -> Mapping[str, Any] | None:
        records = Feed(self._log.engine, self._log.secrets.open_all).read(position, position + 1)
        return records[0] if records else None

    def _build_sender(self, receiver: ReceiverSettings) -> Sender:
        encode: Encode = partial(_as_ocsf, self._name) if receiver.format == "ocsf" else dict
        match receiver:
            case SyslogReceiver():
                return SyslogSender(
                    self._outbound,
                    receiver.host,
                    receiver.port,
                    hostname=self._name.partition("/")[0].partition(":")[0],
                    encode=encode,
                    ca_file=receiver.ca_file,
                    certificate=receiver.certificate,
                    tcp_close_is_enough=receiver.confirmed_by == "tcp_close",
                )
            case WebhookReceiver():
                secret = read_secret(receiver.secret.get_secret_value())
                return WebhookSender(
                    self._outbound,
                    receiver.url,
                    secret,
                    self._log.clock,
                    log_name=self._name,
                    encode=encode,
                    ca_file=receiver.ca_file,
                )
            case SimpleLogServiceReceiver():
                return _build_sls_sender(receiver, self._name, encode)


def build_witnessing(settings: AuditSettings, log: OpenedLog, outbound: Outbound) -> Witnessing | None:
    """Return what shows checkpoints to the witnesses; None where there are none, or checkpoints are not signed here."""
    if not settings.witnesses or log.signer is None:
        return None
    keys = log.signer.verifier_keys
    named = []
    for each in settings.witnesses:
        try:
            named.append(Named(each.name, _build_witness(each, outbound, keys), each.seconds))
        except NoteRefused as error:
            _logger.error("witness %s: %s", each.name, error)  # noqa: TRY400  the text says all
    return Witnessing(log.engine, keys, log.clock, named)


def _build_witness(each: WitnessSettings, outbound: Outbound, log_keys: Sequence[VerifierKey]) -> Witness:
    match each:
        case FileWitnessSettings():
            return FileWitness(each.path)
        case CosigningWitnessSettings():
            key = None if each.key is None else VerifierKey.parse(each.key)
            return CosigningWitness(outbound, each.url, key, each.ca_file, tuple(log_keys))
        case TimeStampSettings():
            return TimeStampAuthority(outbound, each.url, each.ca_file)


def describe_way(receiver: ReceiverSettings) -> str:
    """Return where records go, in words; nothing secret."""
    match receiver:
        case SyslogReceiver():
            return f"syslog over TLS, {receiver.host}:{receiver.port}"
        case WebhookReceiver():
            return f"webhook, {receiver.url.partition('?')[0]}"
        case SimpleLogServiceReceiver():
            return f"Simple Log Service, {receiver.project}/{receiver.logstore} at {receiver.endpoint}"


def _build_sls_sender(receiver: SimpleLogServiceReceiver, name: str, encode: Encode) -> Sender:
    try:
        from bridge.audit.forwarding import sls  # noqa: PLC0415  its SDK is large, and only there if it was asked for
    except ImportError as error:
        raise ForwardingFailed("the SDK is not installed: pip install 'rambridge[sls]'") from error
    find_key = sls.find_machine_key
    if receiver.access_key_id is not None and receiver.access_key_secret is not None:
        key = sls.Key(receiver.access_key_id.get_secret_value(), receiver.access_key_secret.get_secret_value())
        find_key = lambda: key  # noqa: E731
    store = sls.LogStore(receiver.endpoint, receiver.region, receiver.project, receiver.logstore)
    return sls.SimpleLogServiceSender(store, find_key, source=name, encode=encode)


def _as_ocsf(log_name: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
    return to_ocsf(record, log_name)
