"""Alibaba Cloud's Simple Log Service, through its official SDK (``pip install 'rambridge[sls]'``).

All records go to one shard, by a fixed hash key, since a shard is what keeps an order. PutLogs returns when the service
has them on disk. Each field of a record is a field there, so that queries find it; what is not text is JSON.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from bridge.errors import ForwardingFailed

TOPIC = "rambridge-audit"
_SECONDS = 15


@dataclass(frozen=True)
class LogStore:
    """Where in the service records go."""

    endpoint: str
    """Such as ``cn-hangzhou.log.aliyuncs.com``."""
    region: str
    """Such as ``cn-hangzhou``: signatures (version 4) name it."""
    project: str
    logstore: str


@dataclass(frozen=True)
class Key:
    """What a request is signed with; the token belongs to temporary ones."""

    access_key_id: str
    access_key_secret: str
    security_token: str | None = None


class SimpleLogServiceSender:
    """The way to a log store."""

    def __init__(
        self,
        store: LogStore,
        find_key: Callable[[], Key],
        *,
        source: str,
        encode: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        """Take the log store, what finds a key that is valid now, our own name, and the form of a record.

        Raises:
            ForwardingFailed: the SDK is not installed.
        """
        self._store = store
        self._find_key = find_key
        self._source = source
        self._encode = encode
        self._hash_key = hashlib.md5(source.encode(), usedforsecurity=False).hexdigest()  # SLS wants its 128 bits
        self._client: Any = None
        self._key: Key | None = None
        try:
            self._sdk = import_module("aliyun.log")
        except ImportError as error:
            raise ForwardingFailed("the SDK is not installed: pip install 'rambridge[sls]'") from error

    def send(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Return once the service has all of ``records``.

        Raises:
            ForwardingFailed: it has not, or no key was found.
        """
        items = [self._item(record) for record in records]
        store = self._store
        request = self._sdk.PutLogsRequest(
            store.project, store.logstore, TOPIC, self._source, items, hashKey=self._hash_key
        )
        try:
            self._connect(self._find_key()).put_logs(request)
        except self._sdk.LogException as error:
            raise ForwardingFailed(f"Simple Log Service: {error.get_error_code()}") from error

    def _connect(self, key: Key) -> Any:
        """Return the client for a key; it keeps its connections."""
        if self._client is None or self._key != key:
            self._client = self._sdk.LogClient(
                self._store.endpoint,
                key.access_key_id,
                key.access_key_secret,
                key.security_token,
                source=self._source,
                auth_version="v4",
                region=self._store.region,
            )
            self._client.timeout = _SECONDS
            self._key = key
        return self._client

    def _item(self, record: Mapping[str, Any]) -> Any:
        moment = datetime.fromisoformat(record["time"])
        contents = [(name, _text(value)) for name, value in sorted(self._encode(record).items())]
        item = self._sdk.LogItem(int(moment.timestamp()), contents)
        item.time_nano_part = moment.microsecond * 1000  # its constructor takes 0 for "now"
        return item


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
