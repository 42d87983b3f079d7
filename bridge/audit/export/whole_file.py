"""A file that appears whole or not at all, however its writing ends."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bridge.errors import ExportFailed


class WholeFile:
    """A file that is being written beside its place, and takes it when it is done."""

    def __init__(self, place: Path, partial: Path, content: BinaryIO) -> None:
        self._place = place
        self._partial = partial
        self.content = content
        """What is written, and can be read again."""

    def appear(self) -> None:
        """Put the file in its place, on disk; what was there before is replaced in one step.

        Raises:
            ExportFailed: another export has begun to write to the same place. What it has so far must not appear.
        """
        self.content.flush()
        os.fsync(self.content.fileno())
        mine = os.fstat(self.content.fileno())
        if not self._partial.exists() or not os.path.samestat(mine, self._partial.lstat()):
            raise ExportFailed(f"{self._place}: another export writes to the same place")
        self._partial.replace(self._place)
        folder = os.open(self._place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def write_whole(place: Path) -> Iterator[WholeFile]:
    """Yield a file to write; unless it is told to appear, nothing of it is left.

    Only its owner can read it. What an earlier run left half-written under the same name is removed.

    Raises:
        ExportFailed: the folder is not there, is full, or may not be written to.
    """
    partial = place.with_name(f".{place.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as content:
                yield WholeFile(place, partial, content)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise ExportFailed(f"{place}: {error.strerror or type(error).__name__}") from error
