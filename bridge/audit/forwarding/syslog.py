"""Syslog over TLS: one RFC 5424 message for each record, in frames with their length (RFC 5425, 4.3).

Syslog has no receipts. What TLS has is a close that both sides confirm: whoever answers our ``close_notify`` with its
own has read everything before it, and a receiver must answer (RFC 5425, 4.4). So a batch is one connection, and it
counts as received once that answer is there. A connection that ends in any other way is a batch that is sent again.

Some receivers never answer (rsyslog with its driver ``gtls``; ``ossl`` and syslog-ng do). For them the end of TCP can
be taken as an answer: a system that still has unread bytes resets the connection, so an orderly end says that the
program has read all of them, if not that it understood them.
"""

import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge import __version__
from bridge.errors import ForwardingFailed
from bridge.outbound import Limits, Outbound

PORT = 6514
_LIMITS = Limits(connect_seconds=5.0, total_seconds=30.0)

_AUDIT_FACILITY = 13
_NOTICE, _INFORMATIONAL = 5, 6
_GREATEST_SEQUENCE = 2_147_483_647
_MAX_HOST, _MAX_EVENT = 255, 32
MAX_MESSAGE_BYTES = 8_192
"""What receivers should take (RFC 5425, 4.3.1). A record that is longer loses its longest fields, which it names."""


class SyslogSender:
    """The way to a syslog receiver."""

    def __init__(
        self,
        outbound: Outbound,
        host: str,
        port: int,
        *,
        hostname: str,
        encode: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        ca_file: Path | None = None,
        certificate: Path | None = None,
        tcp_close_is_enough: bool = False,
    ) -> None:
        """Take the receiver's address, our own name for ``HOSTNAME``, the form of a record, and what confirms."""
        self._outbound = outbound
        self._host = host
        self._port = port
        self._hostname = hostname
        self._encode = encode
        self._ca_file = ca_file
        self._certificate = certificate
        self._tcp_close_is_enough = tcp_close_is_enough

    def send(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Return once the receiver has closed the connection as TLS wants it, after all of ``records``.

        Raises:
            FetchRefused: the address is not allowed.
            FetchFailed: no trusted connection.
            ForwardingFailed: the connection ended in another way.
        """
        frames = b"".join(frame(write_message(record, self._encode(record), self._hostname)) for record in records)
        connection = self._outbound.open_tls(
            self._host,
            self._port,
            usual_port=PORT,
            limits=_LIMITS,
            ca_file=self._ca_file,
            certificate=self._certificate,
        )
        try:
            connection.sendall(frames)
            self._confirm(connection)
        except (OSError, ValueError) as error:
            place = f"{self._host}:{self._port}"
            raise ForwardingFailed(f"{place} did not confirm: {type(error).__name__}") from error
        finally:
            connection.close()

    def _confirm(self, connection: ssl.SSLSocket) -> None:
        try:
            connection.unwrap().close()
        except ssl.SSLEOFError as error:  # TCP ended in order, without a word of TLS
            if not self._tcp_close_is_enough:
                place = f"{self._host}:{self._port}"
                fault = f"{place} closed without close_notify; if it always does, set `confirmed_by: tcp_close`"
                raise ForwardingFailed(fault) from error


def frame(message: bytes) -> bytes:
    """Return a message with its length before it: RFC 5425, 4.3, and RFC 6587, 3.4.1."""
    return b"%d %s" % (len(message), message)


def write_message(record: Mapping[str, Any], content: Mapping[str, Any], hostname: str) -> bytes:
    """Return a record as a message of RFC 5424.

    Args:
        record: what happened, with ``position``, ``time`` and ``event``.
        content: the same in the receiver's form; it becomes the JSON text of the message.
        hostname: who we are.
    """
    severity = _NOTICE if record["event"].endswith(".refused") else _INFORMATIONAL
    sequence = record["position"] % _GREATEST_SEQUENCE + 1
    data = f'[origin software="Rambridge" swVersion="{__version__}"][meta sequenceId="{sequence}"]'
    event = _printable(record["event"])[:_MAX_EVENT]
    head = (
        f"<{_AUDIT_FACILITY * 8 + severity}>1 {record['time']} {_printable(hostname)[:_MAX_HOST]} rambridge - {event} "
    )
    return (head + data + " ").encode("ascii") + _shorten(content, MAX_MESSAGE_BYTES - len(head) - len(data) - 1)


def _printable(text: str) -> str:
    return "".join(each if "!" <= each <= "~" else "?" for each in text) or "-"


def _shorten(content: Mapping[str, Any], max_bytes: int) -> bytes:
    """Return a record as JSON in at most so many bytes; ``left_out`` names the fields that it lost for that."""
    text = _write(content)
    kept, left_out = dict(content), []
    while len(text) > max_bytes and kept:
        longest = max(kept, key=lambda name: len(_write(kept[name])))
        left_out.append(longest)
        del kept[longest]
        text = _write({**kept, "left_out": left_out})
    return text.encode("ascii")


def _write(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
