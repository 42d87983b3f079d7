"""No connection leaves the machine while the corpus runs, whatever a broken build would like to fetch.

The interpreter tells of every connection and every name that is looked up before it happens (PEP 578). Hooks cannot be
removed, so this one is installed once and asks whether a lane is open.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

_NAMES = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
_CONNECTIONS = {"socket.connect", "socket.sendto", "socket.sendmsg", *_NAMES}
_open: list["Seal"] = []
_installed: list[bool] = []


class SealBroken(RuntimeError):
    """Something wanted to leave the machine."""


class Seal:
    """What wanted to leave while the seal was on."""

    def __init__(self) -> None:
        self.attempts: list[str] = []


@contextmanager
def sealed() -> Iterator[Seal]:
    """Refuse every connection but those to this machine while the block runs."""
    if not _installed:
        sys.addaudithook(_look)
        _installed.append(True)
    seal = Seal()
    _open.append(seal)
    try:
        yield seal
    finally:
        _open.remove(seal)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if not _open or event not in _CONNECTIONS:
        return
    host = arguments[0] if event in _NAMES else _find_host(arguments[1])
    if host is not None and not _is_here(host):
        for seal in _open:
            seal.attempts.append(str(host))
        raise SealBroken(f"a connection to {host} was refused: the lane is sealed")


def _find_host(address: Any) -> Any:
    return address[0] if isinstance(address, tuple) else None  # a path is a socket of this machine


def _is_here(host: Any) -> bool:
    if host in {"localhost", b"localhost", ""}:
        return True
    try:
        return ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False
