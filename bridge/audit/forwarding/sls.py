"""Alibaba Cloud's Simple Log Service, through its official SDK (``pip install 'rambridge[sls]'``).

All records go to one shard, by a fixed hash key, since a shard is what keeps an order. PutLogs returns when the service
has them on disk. Each field of a record is a field there, so that queries find it; what is not text is JSON.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from aliyun.log import LogClient, LogException, LogItem, PutLogsRequest

from bridge.errors import ForwardingFailed
from bridge.machine_credentials import Client as MachineCredentials

TOPIC = "rambridge-audit"
_SECONDS = 15


@dataclass(frozen=True)
class LogStore:
    """Where in the service records go."""

    endpoint: str
    """Such as ``https://cn-hangzhou.log.aliyuncs.com``: without a scheme the SDK takes plain http."""
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
        """Take the log store, what finds a key that is valid now, our own name, and the form of a record."""
        self._store = store
        self._find_key = find_key
        self._source = source
        self._encode = encode
        self._hash_key = hashlib.md5(source.encode(), usedforsecurity=False).hexdigest()  # SLS wants its 128 bits
        self._client: Any = None
        self._key: Key | None = None

    def send(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Return once the service has all of ``records``.

        Raises:
            ForwardingFailed: it has not, or no key was found.
        """
        items = [self._item(record) for record in records]
        store = self._store
        request = PutLogsRequest(store.project, store.logstore, TOPIC, self._source, items, hashKey=self._hash_key)
        try:
            self._connect(self._find_key()).put_logs(request)
        except LogException as error:
            code = error.get_error_code()
            fault = "no answer, or none that it would give" if code == "LogRequestError" else code
            raise ForwardingFailed(f"Simple Log Service: {fault}") from error

    def _connect(self, key: Key) -> Any:
        """Return the client for a key; it keeps its connections."""
        if self._client is None or self._key != key:
            self._client = LogClient(
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
        item = LogItem(int(moment.timestamp()), contents)
        item.set_time_nano_part(moment.microsecond * 1000)  # its constructor takes 0 for "now"
        return item


def find_machine_key() -> Key:
    """Return a key from the SDKs' default chain: environment, configuration file, or the machine's own RAM role.

    Raises:
        ForwardingFailed: there is none.
    """
    try:
        found = _machine_credentials().get_credential()
    except Exception as error:  # the chain raises many kinds, with addresses in them
        raise ForwardingFailed(f"no AccessKey for Simple Log Service: {type(error).__name__}") from error
    return Key(found.access_key_id, found.access_key_secret, found.security_token)


@cache
def _machine_credentials() -> MachineCredentials:
    """Return what renews temporary keys by itself; one for the process."""
    return MachineCredentials()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
