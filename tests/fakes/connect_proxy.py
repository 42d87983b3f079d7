"""A proxy on a free port that makes tunnels, or answers to CONNECT what the test says."""

import socket
import socketserver
import threading
import time
from contextlib import suppress


class ConnectProxy:
    """``asked`` is every target that somebody wanted a tunnel to; ``answer`` goes out instead of a tunnel."""

    def __init__(self):
        self.asked = []
        self.answer = None
        self.pause_seconds = 0.0
        """Between any two bytes of ``answer``."""
        self.passed = bytearray()
        """What went through, as the proxy sees it."""
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def _handler(proxy):
    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            line = self.rfile.readline().decode()
            while self.rfile.readline().strip():
                pass
            target = line.split()[1]
            proxy.asked.append(target)
            with suppress(OSError):
                if proxy.answer is not None:
                    for byte in proxy.answer:
                        self.wfile.write(bytes([byte]))
                        time.sleep(proxy.pause_seconds)
                    return
                host, _, port = target.rpartition(":")
                with socket.create_connection((host, int(port))) as onward:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=_copy, args=(onward, self.connection, bytearray()), daemon=True)
                    back.start()
                    _copy(self.connection, onward, proxy.passed)
                    back.join()

    return Handler


def _copy(source, sink, seen):
    with suppress(OSError):
        while part := source.recv(65_536):
            seen += part
            sink.sendall(part)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
