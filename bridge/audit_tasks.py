"""What a service does with the audit log beside its requests: order it, make room, hand records on, write files.

Each task has a thread. They share nothing with the requests but the database, so a receiver that is down costs nobody
anything. Of several processes all order records, and one at a time sends to a receiver or writes files.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bridge.audit.checkpoints import name_log
from bridge.audit.export.exporter import Exporter
from bridge.audit.export.ocsf import to_ocsf
from bridge.audit.export.schedule import Plan, Schedule
from bridge.audit.feed import Feed
from bridge.audit.forwarding.forwarder import Forwarder, Receiver, Sender
from bridge.audit.forwarding.lag import measure_lags
from bridge.audit.forwarding.syslog import SyslogSender
from bridge.audit.forwarding.webhook import WebhookSender, read_secret
from bridge.audit.log import AuditLog
from bridge.audit.partition_keeper import PartitionKeeper
from bridge.audit_log import OpenedLog
from bridge.errors import AuditUnavailable, ForwardingFailed
from bridge.outbound import Outbound
from bridge.settings.audit import AuditSettings
from bridge.settings.audit_forwarding import (
    ReceiverSettings,
    SimpleLogServiceReceiver,
    SyslogReceiver,
    WebhookReceiver,
)

_logger = logging.getLogger(__name__)

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
        self._name = name_log(public_url)
        self._partitions = PartitionKeeper(log.engine, log.clock)
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin, in threads of their own."""
        self._partitions.start()
        self._start(self._log.sequencer.run_forever, "audit-sequencer")
        for receiver in self._build_receivers():
            forwarder = Forwarder(receiver, self._log.engine, self._log.clock)
            self._start(forwarder.run_forever, f"audit-to-{receiver.name}")
        if self._settings.exports:
            exporter = Exporter(
                self._log.engine, self._log.secrets, self._log.sequencer, self._audit, log_name=self._name
            )
            plans = [
                Plan(each.name, each.format, each.every, each.at, each.folder, opened=each.personal == "opened")
                for each in self._settings.exports
            ]
            self._start(Schedule(plans, exporter, self._log.engine, self._log.clock).run_forever, "audit-exports")

    def stop(self) -> None:
        """Let the threads end."""
        self._stop.set()

    def describe(self) -> Mapping[str, Any]:
        """Return what somebody who watches the service should see: partitions that are missing, receivers and lags."""
        receivers = self._describe_receivers() if self._settings.forwarding else {}
        return {**self._partitions.describe(), **receivers}

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
