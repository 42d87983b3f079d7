"""Ports for servers that tests start, kept for them so that no other process is given one in the meantime.

A port that was free a moment ago may be anybody's a moment later: the system hands it to the next program that asks
for *some* port, or uses it for the near end of a connection. Where many tests run side by side, that happens.
"""

import socket
import sys
from collections import deque

from bridge.sandbox.workspace import find_free_ports

MOST_KEPT = 240

_kept: deque[socket.socket] = deque(maxlen=MOST_KEPT)
"""What keeps the ports, the latest ones: each is a file descriptor, and a server that listens keeps its own."""


def reserve_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that the system gives to nobody who does not ask for them by number.

    A socket that is bound and never listens keeps each one: whoever connects is refused, and a server that sets
    ``SO_REUSEADDR``, as all of ours do, may listen there. Only Linux lets two sockets share an address like that;
    elsewhere the ports are merely free at this moment.
    """
    if sys.platform != "linux":
        return find_free_ports(count)
    return [_reserve() for _ in range(count)]


def _reserve() -> int:
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    if len(_kept) == MOST_KEPT:
        _kept.popleft().close()
    _kept.append(keeper)
    port: int = keeper.getsockname()[1]
    return port
