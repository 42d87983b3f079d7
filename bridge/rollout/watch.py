"""Notices that the files of a rules folder have changed, once they have stopped changing."""

from pathlib import Path

from bridge.entitlements.rules import RuleFiles
from bridge.settings import list_rule_files, read_rule_files


class Watch:
    """A folder of rules, looked at again and again."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; nothing is looked at yet."""
        self._folder = folder
        self._seen: object = None
        self._read: object = None

    def look(self) -> RuleFiles | None:
        """Return the files if they changed since they were last returned, and not since the last look; else None.

        So a change is taken only after one interval of rest: an editor that writes in two steps, or Git that writes
        file after file, is waited for.

        Raises:
            SettingsError: with each file that cannot be read.
        """
        seen = self._take_stock()
        resting, self._seen = seen == self._seen, seen
        if not resting or seen == self._read:
            return None
        files = read_rule_files(self._folder)
        if self._take_stock() != seen:  # it changed while it was read
            return None
        self._read = seen
        return files

    def read_now(self) -> RuleFiles:
        """Return the files as they are. Raises SettingsError."""
        self._seen = self._read = self._take_stock()
        return read_rule_files(self._folder)

    def _take_stock(self) -> object:
        stock = {}
        for path in list_rule_files(self._folder):
            try:
                state = path.stat()
            except OSError:
                continue
            stock[path] = (state.st_mtime_ns, state.st_size, state.st_ino)
        return stock
