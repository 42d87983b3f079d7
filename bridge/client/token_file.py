"""Where the terminal's token is kept: a file that nobody else may read, one for each service."""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from bridge.client.failure import ClientError

SPARE_SECONDS = 10
"""A token this near its end is over already: it must last for the request."""


class TokenFile:
    """The token for one service."""

    def __init__(self, server: str, folder: Path | None = None) -> None:
        """Take the service's origin, and the folder; the person's own state folder where absent."""
        folder = folder or find_state_folder()
        self.path = folder / f"token-{hashlib.sha256(server.encode()).hexdigest()[:16]}.json"
        self._server = server

    def read(self) -> str:
        """Return the token, or nothing where there is none that lasts.

        Raises ClientError if others can read or have written the file: whose token it is cannot be known then.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ClientError(f"{self.path} cannot be read: {error.strerror}.") from error
        with os.fdopen(descriptor, encoding="utf-8") as file:
            status = os.fstat(descriptor)
            if status.st_uid != os.getuid() or status.st_mode & 0o077:
                raise ClientError(f"{self.path} is not yours alone. Delete it, and sign in again.")
            try:
                content = json.load(file)
                token, ends_at = str(content["access_token"]), float(content["expires_at"])
                server = content["server"]
            except (ValueError, KeyError, TypeError):
                return ""
        return token if server == self._server and ends_at - SPARE_SECONDS > time.time() else ""

    def write(self, token: str, expires_in_seconds: float) -> None:
        """Keep the token, in place of the old one, in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {"server": self._server, "access_token": token, "expires_at": time.time() + expires_in_seconds}
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        fresh.replace(self.path)

    def forget(self) -> None:
        """Delete the token."""
        with suppress(FileNotFoundError):
            self.path.unlink()


def find_state_folder() -> Path:
    """Return where programs keep what should outlive them: ``XDG_STATE_HOME``, or ``~/.local/state``."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "rambridge"
