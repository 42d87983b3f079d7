"""The demo's processes: the sandbox and the bridge, started in order, ended together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bridge.errors import DemoFailed, FetchFailed, FetchRefused
from bridge.outbound import Outbound

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
_OK = 200
_ENDING = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def run_demo(config: Path, public_url: str, logs: Path) -> Iterator[None]:
    """Run sandbox and bridge as children, ready to be used, while the block runs.

    Args:
        config: the configuration's folder; ``certs`` stands beside it.
        public_url: the bridge's address.
        logs: a folder for what the children print.

    Raises:
        DemoFailed: a child ended, or did not get ready in time.
    """
    logs.mkdir(parents=True, exist_ok=True)
    keys = config.resolve().parent / "certs" / "sandbox"
    children: list[subprocess.Popen[str]] = []
    try:
        command = [sys.executable, "-m", "bridge.sandbox", str(config), str(keys)]
        sandbox = _start(command, logs / "sandbox.log", children)
        if sandbox.stdout is None or sandbox.stdout.readline().strip() != "ready":
            raise DemoFailed(f"the sandbox did not start; see {logs / 'sandbox.log'}")
        command = [sys.executable, "-m", "bridge", "--config", str(config), "serve"]
        bridge = _start(command, logs / "bridge.log", children)
        _wait_until_ready(bridge, public_url, logs / "bridge.log")
        yield
    finally:
        with signals_held_back():
            for child in reversed(children):
                child.terminate()
            for child in children:
                try:
                    child.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    with suppress(ProcessLookupError):
                        os.killpg(child.pid, signal.SIGKILL)
                    child.wait()


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let SIGTERM and SIGINT wait until the block is done: what they interrupt would leave a child behind."""
    arrived: list[int] = []
    handlers = {each: signal.signal(each, lambda number, _: arrived.append(number)) for each in _ENDING}
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
    for number in arrived[:1]:
        signal.raise_signal(number)


def _start(command: list[str], log: Path, children: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """Start a child and put it among those that will be ended."""
    with log.open("w", encoding="utf-8") as file, signals_held_back():
        # A group of its own: Ctrl-C reaches the demo alone, which then ends its children in order.
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True, start_new_session=True)
        children.append(child)
    return child


def _wait_until_ready(bridge: subprocess.Popen[str], public_url: str, log: Path) -> None:
    outbound = Outbound(development=True)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if bridge.poll() is not None:
            raise DemoFailed(f"the bridge ended; see {log}")
        try:
            if outbound.get(f"{public_url}/health/ready").status == _OK:
                return
        except (FetchFailed, FetchRefused):
            pass
        time.sleep(_POLL_SECONDS)
    raise DemoFailed(f"the bridge did not get ready in {START_SECONDS:.0f} s; see {log}")
