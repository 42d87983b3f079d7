"""The last good metadata of a provider on disk, so that a restart while the provider is down signs people in.

One file for each provider: the document as it came, and behind it a comment that says where from and when. It is
believed as little as the address was: whoever reads it verifies it again. It counts only if it came from the address
that is configured now, and if nobody else could have written it. Writing is atomic, since every worker writes.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bridge.clock import format_utc
from bridge.identity.providers import SAMLProvider

_MAX_BYTES = 5_000_000
_NOTE = re.compile(rb"\n<!-- rambridge: ([0-9a-f]{64}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) -->\n\Z", re.ASCII)


@dataclass(frozen=True)
class SavedMetadata:
    """Where the last good copy of one provider's metadata is kept."""

    path: Path
    source: str
    """The address that the metadata comes from."""

    def read(self) -> tuple[bytes, datetime] | None:
        """Return the document and when it was fetched; None if there is none that counts."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o022:
                return None
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(_MAX_BYTES)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        note = _NOTE.search(content)
        if note is None or note[1].decode() != self._source_digest():
            return None
        try:
            return content[: note.start()], datetime.strptime(note[2].decode(), "%Y-%m-%dT%H:%M:%SZ").replace(
                tzinfo=UTC
            )
        except ValueError:
            return None

    def write(self, document: bytes, fetched_at: datetime) -> None:
        """Replace the copy. Raises OSError; then the old one is still there."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note = f"\n<!-- rambridge: {self._source_digest()} {format_utc(fetched_at)} -->\n".encode()
        new = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(document + note)
                file.flush()
                os.fsync(descriptor)
            new.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            raise

    def _source_digest(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()


def find_saved_metadata(provider: SAMLProvider, data_folder: Path) -> SavedMetadata | None:
    """Return where the last good copy is kept; None for a file of the administrator's, which is one itself."""
    if "://" not in provider.metadata:
        return None
    return SavedMetadata(data_folder / "metadata" / f"{provider.name}.xml", provider.metadata)
