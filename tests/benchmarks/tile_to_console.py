"""Server time from the tile to the console, where one role fits: goal under 60 ms in all.

    python -m tests.benchmarks.tile_to_console

The demo's installation runs in this process, with real Redis, SQLite and HTTP. A browser without a screen signs in at
the sandbox's identity provider once, and then clicks the tile ``ROUNDS`` times. Counted is the wall-clock time between
a request's arrival at our WSGI application and its answer, and of that what is spent in each named part; parts within
another named part count there. Asking the provider's token endpoint is part of the OIDC callback.
"""

import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from flask import Flask

import bridge.federation
import bridge.web.console
from bridge.audit.log import AuditLog
from bridge.delivery.console import Console
from bridge.identity.sign_in import SignInDesk
from bridge.sessions.store import SessionStore
from tests.installation import Installation, run_installation, serve

ROUNDS = 40
WARM_UP = 5
GOAL_MILLISECONDS = 60
TILES = {"SAML": "Rambridge", "OIDC": "Rambridge (OpenID Connect)"}
PARTS: dict[str, tuple[Any, str]] = {
    "question": (SignInDesk, "begin"),
    "verify SAML": (SignInDesk, "finish_saml"),
    "verify OIDC": (SignInDesk, "finish_oidc"),
    "record": (AuditLog, "append"),
    "session": (SessionStore, "create"),
    "sign for the console": (Console, "build_form"),
    "rules": (bridge.federation, "resolve"),
    "page": (bridge.web.console, "render_template"),
}


class Watch:
    """Adds up the time of requests and of their parts."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._inside = threading.local()
        self.spent: dict[str, float] = defaultdict(float)
        self.requests: list[tuple[str, float]] = []

    def part(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, with its time counted, unless a part that is counted called it."""

        def timed(*args: Any, **options: Any) -> Any:
            if getattr(self._inside, "part", False):
                return call(*args, **options)
            self._inside.part = True
            begun = time.perf_counter()
            try:
                return call(*args, **options)
            finally:
                self.spent[name] += time.perf_counter() - begun
                self._inside.part = False

        return timed

    @contextmanager
    def serve(self, app: Flask, url: str) -> Iterator[Any]:
        """Serve the application, with its requests counted."""
        inner = app.wsgi_app

        def timed(environ: dict[str, Any], start: Any) -> Any:
            begun = time.perf_counter()
            answer = inner(environ, start)
            self.requests.append((f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}", time.perf_counter() - begun))
            return answer

        app.wsgi_app = timed  # type: ignore[method-assign]
        with serve(app, url) as server:
            yield server


def click(installation: Installation, browser: Any, tile: str) -> None:
    """Go from the tile to the console."""
    browser.open(installation.idp)
    browser.click(tile)
    while not browser.page.url.startswith(installation.cloud):
        browser.auto_submit()


def measure(installation: Installation, watch: Watch, tile: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return milliseconds of each request, as a median, and of each part, as a mean."""
    browser = installation.browser_at_idp("sofia.marchetti")
    for _ in range(WARM_UP):
        click(installation, browser, tile)
    watch.spent.clear()
    watch.requests.clear()
    for _ in range(ROUNDS):
        click(installation, browser, tile)
    by_path: dict[str, list[float]] = defaultdict(list)
    for path, seconds in watch.requests:
        by_path[path].append(seconds * 1000)
    medians = {path: statistics.median(times) * len(times) / ROUNDS for path, times in by_path.items()}
    return medians, {name: seconds * 1000 / ROUNDS for name, seconds in watch.spent.items()}


def main() -> None:
    """Print the time of each request, and what it is made of."""
    watch = Watch()
    with ExitStack() as stack:
        for name, (owner, attribute) in PARTS.items():
            stack.enter_context(mock.patch.object(owner, attribute, watch.part(name, getattr(owner, attribute))))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation, _ = stack.enter_context(run_installation(folder, serve_bridge=watch.serve))
        for name, tile in TILES.items():
            requests, parts = measure(installation, watch, tile)
            total = sum(requests.values())
            print(f"{name}: {total:.1f} ms in all, the goal is {GOAL_MILLISECONDS}")
            for path, milliseconds in requests.items():
                print(f"  {milliseconds:6.1f} ms  {path}")
            for part, milliseconds in sorted(parts.items(), key=lambda each: -each[1]):
                print(f"      {milliseconds:6.1f} ms  {part}")


if __name__ == "__main__":
    main()
