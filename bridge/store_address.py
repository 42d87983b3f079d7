"""The address of Redis in the settings, read without redis-py: a command that checks settings need not load it.

::

    redis://host:6379/0          one server              rediss://…           the same over TLS
    unix:///run/store.sock       one server, no network
    redis+sentinel://h1:26379,h2:26379/service/0         rediss+sentinel://…
    redis+cluster://h1:6379,h2:6379                      rediss+cluster://…
"""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

_KINDS: dict[str, Literal["single", "sentinel", "cluster"]] = {
    "redis": "single",
    "rediss": "single",
    "unix": "single",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
_DEFAULT_PORTS = {"single": 6379, "sentinel": 26379, "cluster": 6379}
_NODE = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class StoreAddress:
    """Where Redis is, and in which of its three forms."""

    kind: Literal["single", "sentinel", "cluster"]
    nodes: tuple[tuple[str, int], ...]
    """Host and port of the server, of every sentinel, or of some cluster nodes. Empty: a unix socket."""
    tls: bool = False
    socket: str = ""
    service: str = ""
    """What the sentinels call the server."""
    database: int = 0

    def find_weakness(self, username: str, password: str) -> str | None:
        """Return why this store must not serve production (open to its network), or None.

        An open Redis hands replay memory and sessions to anybody who can reach it.
        """
        if self.socket:
            return None
        if not password:
            return "it has no password: everybody who reaches its port can read and change it"
        if not self.tls and any(host not in _LOOPBACK for host, _ in self.nodes):
            return "it is spoken to without TLS: use a rediss:// address"
        if not username or username == "default":
            return "it is used as the default user: make an ACL user that may use only rambridge:* keys"
        return None


def parse_store_url(url: str) -> StoreAddress:
    """Turn the settings' address into its parts.

    Raises ValueError, in words for the administrator. A password does not belong into an address, which ends up
    in logs and process lists: it is given apart.
    """
    parts = urlsplit(url)
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        raise ValueError(f"starts with {parts.scheme or 'no scheme'!r}; use one of {', '.join(_KINDS)}")
    if "@" in parts.netloc:
        raise ValueError("contains a user name or password; give them apart from the address")
    if parts.query or parts.fragment:
        raise ValueError("has something after '?' or '#'; no option is taken from the address")
    if parts.scheme == "unix":
        return _parse_socket(parts)
    nodes = _parse_nodes(parts.netloc, _DEFAULT_PORTS[kind])
    if kind == "single" and len(nodes) > 1:
        raise ValueError("names several servers; write redis+sentinel:// or redis+cluster://")
    service, database = _parse_path(parts.path, kind)
    return StoreAddress(kind, nodes, tls=parts.scheme.startswith("rediss"), service=service, database=database)


def _parse_socket(parts: SplitResult) -> StoreAddress:
    if parts.netloc or not parts.path.startswith("/"):
        raise ValueError("is no absolute socket path; write unix:///path/to/socket")
    return StoreAddress("single", (), socket=unquote(parts.path))


def _parse_nodes(netloc: str, default_port: int) -> tuple[tuple[str, int], ...]:
    matches = [(node, _NODE.fullmatch(node)) for node in netloc.split(",")]
    for node, match in matches:
        if match is None or int(match["port"] or default_port) not in range(1, 65_536):
            raise ValueError(f"has {node!r} where host:port is expected")
    return tuple((match["host"].strip("[]"), int(match["port"] or default_port)) for _, match in matches if match)


def _parse_path(path: str, kind: str) -> tuple[str, int]:
    pattern, meaning = {
        "single": (r"(/(?P<database>[0-9]{1,4})?)?", "/ and a database number"),
        "sentinel": (r"/(?P<service>[^/]+)(/(?P<database>[0-9]{1,4})?)?", "/service or /service/database"),
        "cluster": (r"/?", "no path: a cluster has one database"),
    }[kind]
    match = re.fullmatch(pattern, path)
    if match is None:
        raise ValueError(f"ends with {path!r}; expected {meaning}")
    found = match.groupdict()
    return unquote(found.get("service") or ""), int(found.get("database") or 0)
