"""The loopback address that the browser comes back to with a code (RFC 8252 7.3)."""

import hmac
import html
import queue
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from bridge.client.failure import SignInFailed, clean, name_reason
from bridge.client.oauth import AuthorizationServer
from bridge.language import speaking, spoken, translate

PATH = "/callback"
REQUEST_SECONDS = 10
LONGEST_TARGET = 4_000

_PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title} · Rambridge</title>
<style nonce="{nonce}">
:root {{ color-scheme: light dark;
  --ground: #f5f7f8; --surface: #fff; --line: #dde3e7; --text: #17212b; --muted: #52606d; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ground: #0e1418; --surface: #161e24; --line: #2a353e; --text: #e6ecf0; --muted: #9caab6; }}
}}
body {{ margin: 0; padding: 18vh 1.25rem 2rem; background: var(--ground); color: var(--text);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, Arial, "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; }}
main {{ max-width: 26rem; margin: auto; padding: 2rem; border: 1px solid var(--line); border-radius: .75rem;
  background: var(--surface); }}
svg {{ width: 2.5rem; height: 2.5rem; }}
h1 {{ margin: 1rem 0 .375rem; font-size: 1.375rem; line-height: 1.3; letter-spacing: -.01em; }}
p {{ margin: 0; color: var(--muted); }}
</style></head>
<body><main>
<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" fill="#0b6870"/>
<path d="M3.5 20.5h25M10.5 8.5v15.5M21.5 8.5v15.5M3.5 16.5q6-1.2 7-7q5.5 11.5 11 0q1 5.8 7 7" fill="none"
stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>
<h1>{title}</h1><p>{text}</p></main></body></html>
"""
"""The look of the service's own pages, in one answer."""


@dataclass(frozen=True)
class _Page:
    """What the browser gets, and what the wait ends with; None: it goes on."""

    status: int
    title: str
    text: str
    found: str | SignInFailed | None = None


def _not_here(status: int) -> _Page:
    return _Page(status, translate("Not here"), translate("This address is for one sign-in."))


class Loopback:
    """Waits for the browser, for as long as a ``with`` block lasts. Takes one answer, and only to what it asked."""

    def __init__(self, authorization: AuthorizationServer, state: str) -> None:
        """Listen at a free port of 127.0.0.1, which only this machine reaches."""
        self._authorization = authorization
        self._state = state
        self._found: queue.Queue[str | SignInFailed] = queue.Queue()
        try:
            self._server = _Server(("127.0.0.1", 0), self._answer, self._found.put)
        except OSError as error:
            raise SignInFailed(
                translate(
                    "Nothing can listen on this machine (%(why)s). Try: rambridge login --device",
                    why=name_reason(error),
                )
            ) from error
        self.redirect_uri = f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float) -> str:
        """Return the code. Raises SignInFailed if the person refused, or did not come in time."""
        try:
            found = self._found.get(timeout=seconds)
        except queue.Empty:
            raise SignInFailed(
                translate(
                    "Nobody signed in in the browser in time. Once more: rambridge login. If the browser does not open "
                    "here: rambridge login --device"
                )
            ) from None
        if isinstance(found, SignInFailed):
            raise found
        return found

    def _answer(self, target: str) -> _Page:
        """Return what a request gets; what does not belong to this sign-in changes nothing."""
        # What begins otherwise may be no address at all, which the parser says by an error.
        is_readable = target.startswith(PATH) and len(target) <= LONGEST_TARGET
        parts = urlsplit(target if is_readable else "")
        if parts.path != PATH:
            return _not_here(404)
        try:
            fields = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        except ValueError:
            fields = {}
        values = {name: given[0] for name, given in fields.items() if len(given) == 1}
        if not hmac.compare_digest(values.get("state", "").encode(), self._state.encode()):
            # Any page can send the browser here with a code of its own (RFC 9700 4.7): it must not end the wait.
            title = translate("This belongs to another sign-in")
            return _Page(400, title, translate("Nothing was taken from it. The terminal still waits."))
        issuer = values.get("iss", "")
        if (self._authorization.names_itself or issuer) and issuer != self._authorization.issuer:
            said = translate("The answer came from another service (RFC 9207). Nothing was taken from it.")
            title = translate("This came from another service")
            return _Page(400, title, translate("Nothing was taken from it. See the terminal."), SignInFailed(said))
        if "error" in values:
            said = clean(values.get("error_description")) or clean(values["error"])
            said = translate("The sign-in did not work: %(why)s", why=said)
            if values["error"] == "access_denied":
                said = translate("This was refused in the browser.")
            text = translate("Nothing was allowed. You can close this page.")
            return _Page(200, translate("Not signed in"), text, SignInFailed(said))
        if not values.get("code"):
            return _Page(400, translate("There is no code in this"), translate("The terminal still waits."))
        text = translate("You can close this page and go back to the terminal.")
        return _Page(200, translate("The terminal is signed in"), text, values["code"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        answer: Callable[[str], _Page],
        end: Callable[[str | SignInFailed], None],
    ) -> None:
        super().__init__(address, _Handler)
        self.answer = answer
        self.end = end
        self.language = spoken()
        self.host = f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_SECONDS
    server_version = "rambridge"
    sys_version = ""

    def do_GET(self) -> None:
        with speaking(self.server.language):
            self._reply()

    def _reply(self) -> None:
        page = _not_here(421)  # for a name of somebody else's that points here
        if self.headers.get_all("Host") == [self.server.host]:
            page = self.server.answer(self.path)
        try:
            self._send(page)
        finally:  # the command may end with the wait: the browser gets its page first
            if page.found is not None:
                self.server.end(page.found)

    def _send(self, page: _Page) -> None:
        nonce = secrets.token_urlsafe(16)
        title, text = html.escape(page.title), html.escape(page.text)
        body = _PAGE.format(title=title, text=text, nonce=nonce, language=spoken()).encode()
        self.send_response(page.status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header(
            "Content-Security-Policy", f"default-src 'none'; style-src 'nonce-{nonce}'; frame-ancestors 'none'"
        )
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the address has the code in it."""
