"""A whole installation on free ports: the shipped demo configuration, sandbox, bridge, Redis, SQLite.

The bridge runs in a thread of the test's process, so that a test can look inside and stop the clock. For tests that
kill or restart it, ``rambridge serve`` runs as a process instead.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import requests
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from bridge import embedded_store
from bridge.app import create_app
from bridge.audit_log import OpenedLog, opened_audit_log
from bridge.clock import SystemClock
from bridge.sandbox.browser import Browser
from bridge.sandbox.idp.sessions import Method
from bridge.sandbox.long_requests import close_once_sent
from bridge.sandbox.servers import run_sandbox
from bridge.sandbox.workspace import copy_configuration
from bridge.settings import load_configuration, load_settings
from tests.ports import reserve_ports
from tests.ready_keys import put_keys, put_sandbox_keys

ROOT = Path(__file__).parents[1]
READY_WITHIN_SECONDS = 180
ASK_WITHIN_SECONDS = 10
ENDS_WITHIN_SECONDS = 60
"""A server that is told to end leaves its workers ten seconds for what they are at."""
PATIENCE_SECONDS = 60.0
"""How long a test waits for what has to come: on a busy machine all of it comes late."""

ServeBridge = Callable[[Flask, str], AbstractContextManager[Any]]
"""Serves an application at an address, for as long as a ``with`` block lasts."""


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        pass


@dataclass
class Installation:
    """The addresses of all parties, and what a test does with them."""

    folder: Path
    bridge: str
    idp: str
    cloud: str
    config: Path = field(init=False)

    def __post_init__(self) -> None:
        self.config = self.folder / "config"

    @property
    def store_folder(self) -> Path:
        return self.folder / "var" / "store"

    def open_audit(self) -> AbstractContextManager[OpenedLog]:
        return opened_audit_log(load_settings(self.config), SystemClock())

    def records(self, after: int = -1) -> list[dict[str, Any]]:
        """Return what the records after a position say."""
        with self.open_audit() as log:
            return log.reader.after(after, limit=100_000)

    def browser_at_idp(self, uid: str = "lin.wei", *, mfa: bool = True) -> Browser:
        """Return a browser that is signed in at the identity provider."""
        browser = Browser(timeout_seconds=PATIENCE_SECONDS)
        browser.open(self.idp)
        method = Method.SECURITY_KEY if mfa else Method.PASSWORD
        browser.submit("Sign in", user_name=uid, method=method.value)
        return browser

    def sign_in(self, uid: str = "lin.wei", tile: str = "Rambridge", *, mfa: bool = True) -> Browser:
        """Return a browser that came through a tile, confirmed where it was asked, and stands where that leads."""
        browser = self.browser_at_idp(uid, mfa=mfa)
        browser.click(tile)
        self.go_on(browser)
        return browser

    def go_on(self, browser: Browser) -> None:
        """Let pages submit themselves to the bridge, and confirm."""
        while any(
            form.action.startswith(self.bridge) and (form.auto_submit or "SAMLResponse" in form.fields)
            for form in browser.page.forms
        ):
            browser.auto_submit()
        if browser.page.url.startswith(self.bridge) and any(
            form.action.endswith("/sign-in/confirm") for form in browser.page.forms
        ):
            browser.submit("/sign-in/confirm")


def prepare(folder: Path) -> Installation:
    """Write configuration and keys into the folder; nothing runs yet."""
    ports = reserve_ports(3)
    copy_configuration(ROOT / "config", folder, ports)
    put_keys(folder / "certs")
    put_sandbox_keys(folder / "certs" / "sandbox")
    return Installation(
        folder, f"http://localhost:{ports[0]}", f"http://127.0.0.1:{ports[1]}", f"http://127.0.0.1:{ports[2]}"
    )


@contextmanager
def run_installation(
    folder: Path, configure: Callable[[Installation], None] = lambda _: None, serve_bridge: ServeBridge | None = None
):
    """Run everything in this process; yields the installation and the bridge's Flask application.

    ``configure`` may change the configuration before anything reads it; ``serve_bridge`` is another server for it.
    """
    installation = prepare(folder)
    configure(installation)
    with ExitStack() as stack:
        stack.enter_context(run_sandbox(installation.config, folder / "certs" / "sandbox"))
        yield installation, stack.enter_context(run_bridge(installation, serve_bridge))


@contextmanager
def run_bridge(installation: Installation, serve_bridge: ServeBridge | None = None):
    """Run the bridge and its store in this process; yields its Flask application."""
    with ExitStack() as stack:
        stack.callback(embedded_store.stop, installation.store_folder)
        app = create_app(load_configuration(installation.config), embedded_store.start(installation.store_folder))
        stack.callback(app.extensions["audit_tasks"].stop)
        stack.enter_context((serve_bridge or serve)(app, installation.bridge))
        yield app


@contextmanager
def serve(app: Flask, url: str):
    """Serve an application at a loopback address in a thread."""
    port = int(url.rpartition(":")[2])
    server = make_server("127.0.0.1", port, close_once_sent(app), threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class BridgeProcess:
    """``rambridge serve`` as a process of its own group, to be killed and started again.

    ``listen`` is another address and port than the settings say: for a second node of the same installation.
    """

    def __init__(self, installation: Installation, listen: str | None = None) -> None:
        self._installation = installation
        self._listen = listen
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "bridge", "--config", str(self._installation.config), "serve"]
        if self._listen:
            command += ["--listen", self._listen]
        host = self._installation.bridge.removeprefix("http://")
        ready = f"http://{self._listen or host}/health/ready"
        with (self._installation.folder / "bridge.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(requests.RequestException):
                if requests.get(ready, headers={"Host": host}, timeout=ASK_WITHIN_SECONDS).ok:
                    return
            time.sleep(0.02)
        self.end(signal.SIGKILL)
        raise AssertionError((self._installation.folder / "bridge.log").read_text())

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def processes(self) -> list[psutil.Process]:
        """Return the supervisor, the workers, and the process that sequences."""
        supervisor = psutil.Process(self.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def end(self, signal_number: int = signal.SIGTERM) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal_number)
            try:
                self._process.wait(ENDS_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                raise

    def end_supervisor(self, signal_number: int) -> None:
        """End the process that supervises the others, and leave those to find that out."""
        assert self._process is not None
        self._process.send_signal(signal_number)
        self._process.wait(ENDS_WITHIN_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
