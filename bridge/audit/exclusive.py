"""One process at a time does a thing, however many there are: for as long as it lives and no longer.

PostgreSQL: an advisory lock of a connection that is kept for it. SQLite, where all processes are on one machine: a lock
of the operating system on a file beside the database. Both end with the process, so nobody waits for a dead one.

What is done under the lock must bear to be done twice: a process that was cut off from its database does not know that
another has begun.
"""

import contextlib
import fcntl
import hashlib
import os

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError


class Turn:
    """Whether it is this process that does a thing. One thread uses it."""

    def __init__(self, engine: Engine, name: str) -> None:
        """Take the database, and the name of the thing: letters, digits and ``-_./``."""
        self._engine = engine
        self._name = name
        self._connection: Connection | None = None
        self._file: int | None = None

    def take(self) -> bool:
        """Return whether this process may go on; what it holds already it keeps.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database does not answer; then the turn is over.
            OSError: the file beside the database cannot be locked.
        """
        return self._take_file() if self._engine.dialect.name == "sqlite" else self._take_lock()

    def leave(self) -> None:
        """Let another process do it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                if not self._connection.invalidated:  # at once, so that the next one need not wait for what follows
                    self._connection.execute(text("SELECT pg_advisory_unlock_all()"))
            with contextlib.suppress(SQLAlchemyError):
                self._connection.invalidate()  # the server ends the session, and its locks with it
                self._connection.close()
            self._connection = None

    def _take_file(self) -> bool:
        if self._file is not None:
            return True
        place = f"{self._engine.url.database}.{self._name.replace('/', '.')}.lock"
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        self._file = descriptor
        return True

    def _take_lock(self) -> bool:
        try:
            if self._connection is not None:
                self._connection.execute(text("SELECT 1"))
                return True
            options = {"isolation_level": "AUTOCOMMIT", "read_only": True}
            self._connection = self._engine.connect().execution_options(**options)
            key = int.from_bytes(hashlib.sha256(f"rambridge/{self._name}".encode()).digest()[:8], signed=True)
            taken = bool(self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar())
        except SQLAlchemyError:
            self.leave()
            raise
        if not taken:
            self._connection.close()
            self._connection = None
        return taken
