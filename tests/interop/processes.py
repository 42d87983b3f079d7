"""Servers that tests start: an answer awaited, no child left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import requests

READY_WITHIN_SECONDS = 180
ASK_WITHIN_SECONDS = 30
STOP_WITHIN_SECONDS = 30
POLL_SECONDS = 0.05
LOG_EXCERPT_CHARACTERS = 2000


class ServerNotReady(Exception):
    """A server ended or stayed silent; carries the first lines of its log, where the cause is."""


class Server:
    """A child process in its own process group, with its output in a file."""

    def __init__(
        self, command: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_it_answers(self, url: str) -> None:
        """Return when ``url`` answers 200; a 502 or a 504 means that a server behind this one is not there yet.

        Raises:
            ServerNotReady: another answer came, the process has ended, or the time is over.
        """
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                status = requests.get(url, timeout=ASK_WITHIN_SECONDS).status_code
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(POLL_SECONDS)
                continue
            if status == requests.codes.ok:
                return
            answer = f"status {status}"
            if status not in (requests.codes.bad_gateway, requests.codes.gateway_timeout):
                break
            time.sleep(POLL_SECONDS)
        raise ServerNotReady(f"{url}: {answer}\n{self._start_of_log()}")

    def stop(self) -> None:
        """End the process and all of its children."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_WITHIN_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _start_of_log(self) -> str:
        return self._log.read_text(errors="replace")[:LOG_EXCERPT_CHARACTERS]
