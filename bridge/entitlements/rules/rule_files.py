"""The files of a rules folder as one thing: what is checked, compiled, compared and rolled back together."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class RuleFiles:
    """Everything that a version of the rules consists of, as bytes in memory."""

    folder: Path
    """Where the files stand, or stood: for what people read only."""
    texts: Mapping[str, bytes]
    """By the path within the folder, such as ``10-platform.yaml`` and ``policies/read-only.json``."""

    @cached_property
    def version(self) -> str:
        """Return the SHA-256 (hex) of all names and contents: whoever has the same files has the same version."""
        total = hashlib.sha256()
        for name, content in sorted(self.texts.items()):
            total.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        return total.hexdigest()

    def list_policies(self) -> list[str]:
        """Return the names of the session policies, such as ``policies/read-only.json``, in order."""
        return [
            name
            for name in sorted(self.texts)
            if PurePosixPath(name).parent == PurePosixPath("policies") and name.endswith((".json", ".yaml"))
        ]

    def iterate_rules(self) -> list[tuple[Path, bytes]]:
        """Return the path and the content of each file that holds rules, in the order of their names."""
        return [
            (self.folder / name, content)
            for name, content in sorted(self.texts.items())
            if len(PurePosixPath(name).parts) == 1 and name.endswith(".yaml")
        ]
