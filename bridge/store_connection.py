"""The way to Redis: one address in the settings, one client, one kind of error.

Every key begins with a fixed prefix and ends with a digest, so nothing that a stranger sends becomes part of a
name. No command touches keys of more than one slot. Needs Redis 6.2 or Valkey with ``noeviction``; an ACL user for it::

    ACL SETUSER rambridge on >… resetkeys ~rambridge:* -@all
        +get +set +del +getdel +incrby +pexpire +zadd +zrem +zrange +zremrangebyscore +hincrby +hset +hgetall
        +ping +select
        +info                                        (for ``rambridge doctor``)
        +command +cluster|slots +cluster|shards      (these for Cluster only)
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, cast

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from bridge.errors import StoreUnavailable, Unsealable
from bridge.store_address import StoreAddress, parse_store_url

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0
MOST_CONNECTIONS = 1_024
"""Of one process: more than it has threads. redis-py's own bound is 100, and whoever finds it reached gets an error."""
HEALTH_CHECK_SECONDS = 30
"""A connection that was idle for longer is asked before it is used."""
RETRIES = 1
"""Trying again is safe: a lost answer to a single-use command can only refuse, never admit twice."""


class RedisClient(Protocol):
    """The commands that Rambridge gives, of one server or of many; values are bytes."""

    def ping(self) -> Any:
        """Raise unless the server answers."""

    def close(self) -> None:
        """Close the connections."""

    def get(self, name: str) -> bytes | None:
        """Return the value."""

    def getdel(self, name: str) -> bytes | None:
        """Return the value to one caller, and delete it."""

    def set(
        self, name: str, value: bytes, *, px: int | timedelta | None = None, nx: bool = False, xx: bool = False
    ) -> bool | None:
        """Store the value for ``px`` milliseconds: ``nx`` if there is none, ``xx`` if there is one; None if not."""

    def delete(self, *names: str | bytes) -> int:
        """Delete, and return how many there were."""

    def zrange(self, name: str, start: int, end: int) -> list[bytes]:
        """Return the members of a sorted set."""

    def pipeline(self, *, transaction: bool) -> "RedisPipeline":
        """Return something that collects commands and sends them together."""


class RedisPipeline(Protocol):
    """Commands that travel together; no promise that they happen together."""

    def set(self, name: str, value: bytes, *, px: timedelta, nx: bool = False) -> Any:
        """Add a SET; with ``nx`` only if there is no value."""

    def get(self, name: str) -> Any:
        """Add a GET."""

    def incr(self, name: str, amount: int) -> Any:
        """Add an INCRBY."""

    def delete(self, name: str | bytes) -> Any:
        """Add a DEL."""

    def getdel(self, name: str | bytes) -> Any:
        """Add a GETDEL."""

    def zadd(self, name: str, mapping: dict[str, float]) -> Any:
        """Add a ZADD."""

    def zrem(self, name: str, *values: bytes) -> Any:
        """Add a ZREM."""

    def zremrangebyscore(self, name: str, min: str, max: float) -> Any:  # noqa: A002  redis-py's names
        """Add a ZREMRANGEBYSCORE."""

    def hincrby(self, name: str, key: str, amount: int) -> Any:
        """Add an HINCRBY."""

    def hset(self, name: str, key: str, value: int) -> Any:
        """Add an HSET."""

    def hgetall(self, name: str) -> Any:
        """Add an HGETALL."""

    def pexpire(self, name: str, time: timedelta) -> Any:
        """Add a PEXPIRE."""

    def execute(self) -> list[Any]:
        """Send them all and return their answers in order."""


def connect_store(url: str, *, username: str = "", password: str = "", ca_file: Path | None = None) -> RedisClient:
    """Return a client for this address, safe to share between threads and to take through a fork.

    A single server and Sentinel are first spoken to when first used; a cluster is asked for its layout now.
    ``ca_file`` replaces the system's certificate authorities. Raises ValueError for an address that cannot be used,
    StoreUnavailable if the cluster does not answer.
    """
    address = parse_store_url(url)
    options = _client_options(address, username, password, ca_file)
    return cast("RedisClient", _connect(address, options))


def _connect(address: StoreAddress, options: dict[str, Any]) -> Redis | RedisCluster:
    if address.socket:
        return Redis(unix_socket_path=address.socket, db=address.database, **options)
    if address.kind == "sentinel":
        return _connect_through_sentinels(address, options)
    if address.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in address.nodes]  # type: ignore[no-untyped-call]
        with store_errors():
            return RedisCluster(startup_nodes=nodes, **options)
    host, port = address.nodes[0]
    return Redis(host, port, db=address.database, **options)


def _connect_through_sentinels(address: StoreAddress, options: dict[str, Any]) -> Redis:
    """Return a client that asks the sentinels for the primary at each new connection.

    The user name and password are those of the server; the sentinels are asked without.
    """
    own = {name: value for name, value in options.items() if name not in {"username", "password"}}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.nodes, sentinel_kwargs=own, db=address.database, **options
    )
    client: Redis = sentinel.master_for(address.service)  # type: ignore[no-untyped-call]
    return client


@dataclass(frozen=True)
class StoreKeeping:
    """What one server forgets by itself; see ``INFO`` in Redis's documentation."""

    eviction: str
    """Its ``maxmemory-policy``."""
    appends: bool
    """Whether it writes each change to its append-only file."""


def read_keeping(redis: RedisClient) -> list[StoreKeeping]:
    """Return what each server that takes writes forgets by itself.

    Raises:
        StoreUnavailable: also where it does not say.
    """
    client = cast("Redis | RedisCluster", redis)
    with store_errors():
        answers: Any = client.info(target_nodes="primaries") if isinstance(client, RedisCluster) else client.info()
    servers = [answers] if "redis_version" in answers else list(answers.values())
    try:
        return [StoreKeeping(each["maxmemory_policy"], bool(each["aof_enabled"])) for each in servers]
    except KeyError as error:
        raise StoreUnavailable(f"its INFO has no {error.args[0]}") from error


@contextmanager
def store_errors() -> Iterator[None]:
    """Let nothing of redis-py out: StoreUnavailable, or Unsealable where a key holds a foreign type."""
    try:
        yield
    except ResponseError as error:
        if str(error).startswith("WRONGTYPE"):
            raise Unsealable("a key of ours holds a value of another type") from error
        raise StoreUnavailable(_describe(error)) from error
    except (RedisError, RedisClusterException, OSError) as error:
        raise StoreUnavailable(_describe(error)) from error


def build_key(purpose: str, *parts: str) -> str:
    """Return ``rambridge:<purpose>:<SHA-256 of the parts>``: parts cannot run into each other, nor be read back."""
    lengths_and_parts = "".join(f"{len(part)}:{part}" for part in parts)
    return f"rambridge:{purpose}:{_digest(lengths_and_parts)}"


def count_within_minute(redis: "RedisClient", now: datetime, purpose: str, *parts: str, calls: int = 1) -> int:
    """Count something once more (or ``calls`` times); return how often it was in this minute of the clock, anywhere.

    ``purpose`` and ``parts`` name it, as for :func:`build_key`. Raises StoreUnavailable.
    """
    key = build_key(purpose, *parts, str(int(now.timestamp()) // 60))
    pipeline = redis.pipeline(transaction=False)
    pipeline.incr(key, calls)
    pipeline.pexpire(key, timedelta(minutes=2))
    with store_errors():
        count, _ = pipeline.execute()
    return int(count)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _client_options(address: StoreAddress, username: str, password: str, ca_file: Path | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "username": username or None,
        "password": password or None,
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "max_connections": MOST_CONNECTIONS,
        # Not after a timeout: a server that is slow would be waited for again and again.
        "retry": Retry(ConstantBackoff(0.05), RETRIES, supported_errors=(ConnectionLost,)),
        "protocol": 2,  # one round trip less for each connection, and the same answers from every server
        "driver_info": None,
    }
    if address.tls:
        options |= {"ssl": True, "ssl_ca_certs": str(ca_file) if ca_file else None}
    return options
