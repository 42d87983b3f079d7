"""Tokens in a file that nobody else may read, one for each service."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from bridge.client.failure import ClientError, name_reason
from bridge.client.oauth import Tokens
from bridge.language import translate


class TokenFile:
    """The tokens for one service."""

    def __init__(self, server: str, folder: Path | None = None) -> None:
        """Take the service's origin, and the folder; the person's own state folder where absent."""
        folder = folder or find_state_folder()
        self.path = folder / f"token-{hashlib.sha256(server.encode()).hexdigest()[:16]}.json"
        self.place = str(self.path)
        self._server = server

    def read(self) -> Tokens | None:
        """Return the tokens, or None where there are none.

        Raises ClientError if others can read or have written the file: whose tokens they are cannot be known then.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ClientError(
                translate("%(file)s cannot be read: %(why)s.", file=self.path, why=name_reason(error))
            ) from error
        with os.fdopen(descriptor, encoding="utf-8") as file:
            status = os.fstat(descriptor)
            if status.st_uid != os.getuid() or status.st_mode & 0o077:
                raise ClientError(
                    translate(
                        "%(file)s is not yours alone. Delete it, and sign in again: rambridge login", file=self.path
                    )
                )
            try:
                content = json.load(file)
                found = Tokens(str(content["access"]), str(content["refresh"]), float(content["expires_at"]))
                server = content["server"]
            except (ValueError, KeyError, TypeError):
                return None
        return found if server == self._server else None

    def write(self, tokens: Tokens) -> None:
        """Keep the tokens, in place of the old ones, in one step."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {
            "server": self._server,
            "access": tokens.access,
            "refresh": tokens.refresh,
            "expires_at": tokens.expires_at,
        }
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        fresh.replace(self.path)

    def forget(self) -> None:
        """Delete the tokens."""
        with suppress(FileNotFoundError):
            self.path.unlink()


def find_state_folder() -> Path:
    """Return where programs keep what should outlive them: ``XDG_STATE_HOME``, or ``~/.local/state``."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "rambridge"
