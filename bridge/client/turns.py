"""Processes take turns at one service's tokens: one refreshes or signs in, and that counts for all who waited."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.client.failure import ClientError
from bridge.client.token_file import find_state_folder
from bridge.language import translate


class FailedForAll(ClientError):
    """Another process failed while this one waited for it: asking the person again would be asking them twice."""

    def __init__(self, message: str, kind: str, exit_code: int) -> None:
        """Take what the other process said."""
        super().__init__(message)
        self.kind = kind
        self.exit_code = exit_code


class Turns:
    """The turns at one service's tokens."""

    def __init__(self, server: str, folder: Path | None = None) -> None:
        """Take the service's origin, and the folder; the person's own state folder where absent."""
        folder = folder or find_state_folder()
        self._path = folder / f"turn-{hashlib.sha256(server.encode()).hexdigest()[:16]}.lock"

    @contextmanager
    def take(self, report: Callable[[str], None]) -> Iterator[None]:
        """Wait for the turn, and have it for as long as the ``with`` block lasts.

        A ClientError that leaves the block is raised as FailedForAll to each process that waited meanwhile.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        came_at = time.time()
        with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                waited = False
            except BlockingIOError:
                report(translate("Waiting until another rambridge has signed in"))
                fcntl.flock(file, fcntl.LOCK_EX)
                waited = True
            self._pass_on(file.read(), came_at, waited=waited)
            try:
                yield
            except ClientError as failure:
                file.seek(0)
                file.truncate()
                told = {"at": time.time(), "message": str(failure), "kind": failure.kind, "code": failure.exit_code}
                json.dump(told, file)
                raise

    def _pass_on(self, text: str, came_at: float, *, waited: bool) -> None:
        try:
            told = json.loads(text)
            failed_at, message = float(told["at"]), str(told["message"])
            kind, exit_code = str(told["kind"]), int(told["code"])
        except (ValueError, KeyError, TypeError):
            return
        if waited and failed_at >= came_at:
            raise FailedForAll(message, kind, exit_code)
