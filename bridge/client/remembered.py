"""What the command remembers between its runs, in a small file: the service, and the role that was chosen."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bridge.client.failure import ClientError, name_reason
from bridge.language import translate


@dataclass(frozen=True)
class Remembered:
    """Nothing in it is secret."""

    server: str = ""
    account: str = ""
    """The number of the chosen role's account."""
    role: str = ""
    """The chosen role's name."""

    @classmethod
    def read(cls) -> "Remembered":
        """Return what there is. Raises ClientError for a file that cannot be read."""
        path = find_settings()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{name: str(content.get(name, "")) for name in ("server", "account", "role")})
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, AttributeError) as error:
            raise ClientError(
                translate("%(file)s cannot be read. Delete it, and sign in again: rambridge login", file=path)
            ) from error

    def write(self) -> None:
        """Remember it, in one step. Raises ClientError."""
        path = find_settings()
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise ClientError(
                translate("%(file)s cannot be written: %(why)s.", file=path, why=name_reason(error))
            ) from error


def find_settings() -> Path:
    """Return the file: below ``XDG_CONFIG_HOME``, or ``~/.config``."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "rambridge" / "config.json"
