"""Runs a stand-in on a port of this machine, for requests whose address holds a whole SAML response.

Official SDKs put every parameter into the query, and Python's own server stops at 64 kB. Neither the query nor a
form is ever logged, since both hold tokens.
"""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_REQUEST_LINE = 256 * 1024

_log = logging.getLogger(__name__)


class LongRequestHandler(WSGIRequestHandler):
    """Werkzeug's handler with a longer request line and a quieter log."""

    def handle_one_request(self) -> None:
        """Read and answer one request; as in ``BaseHTTPRequestHandler``, but for the limit."""
        self.raw_requestline = self.rfile.readline(MAX_REQUEST_LINE + 1)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if len(self.raw_requestline) > MAX_REQUEST_LINE:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return
        if self.parse_request():
            self.run_wsgi()
            self.wfile.flush()

    def make_environ(self) -> "WSGIEnvironment":
        """Return the request's environment; an address without a path means ``/``, as some clients write it."""
        environ = super().make_environ()
        environ["PATH_INFO"] = environ["PATH_INFO"] or "/"
        return environ

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - the base's
        """Log method and path."""
        _log.debug("%s %s %s", self.command, getattr(self, "path", "").partition("?")[0], code)


def make_long_request_server(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """Return a threaded server that listens; port 0 takes a free one (``server.port``)."""
    return make_server(host, port, close_once_sent(app), threaded=True, request_handler=LongRequestHandler)


def close_once_sent(app: "WSGIApplication") -> "WSGIApplication":
    """Return the application, with each answer (an open file, say) closed as soon as it was sent.

    Werkzeug looks for more input first, and leaves the answer open if the browser reset the connection by then.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
        pieces = app(environ, start_response)
        try:
            yield from pieces
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    return answer
