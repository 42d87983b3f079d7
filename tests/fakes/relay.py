"""A relay in front of a service: it sees what left the service, whole answers and torn ones alike."""

import re
import socket
import socketserver
import threading
from contextlib import suppress

_PART = 65_536


class Relay:
    """Passes on to ``target`` (host and port) whatever connects to ``listen``; ``seen``: what matched on the way back.

    ``pattern`` matches texts of one length, ``length`` bytes: so one that two parts share is found, and none is half.
    """

    def __init__(self, listen, target, pattern, length):
        self.seen = set()
        self._target = target
        self._pattern = re.compile(pattern)
        self._overlap = length - 1
        self._server = _Server(listen, _handler(self))

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _pass(self, near):
        try:
            far = socket.create_connection(self._target, timeout=60)
        except OSError:
            return  # nobody is there; the caller sees that the connection ends
        with far:
            far.settimeout(None)
            back = threading.Thread(target=self._pass_back, args=(far, near), daemon=True)
            back.start()
            _pump(near, far, lambda _: None)
            back.join()

    def _pass_back(self, far, near):
        tail = b""

        def look(part):
            nonlocal tail
            tail += part
            self.seen.update(self._pattern.findall(tail))
            tail = tail[-self._overlap :]

        _pump(far, near, look)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False


def _handler(relay):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            relay._pass(self.request)

    return Handler


def _pump(source, sink, look):
    with suppress(OSError):
        while part := source.recv(_PART):
            look(part)
            sink.sendall(part)
    for each in (sink, source):  # whoever waits for the other direction of a dead connection waits no longer
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
