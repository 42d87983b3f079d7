"""The rules folder, read from disk into memory once."""

from pathlib import Path

from bridge.entitlements.rules import RuleFiles
from bridge.errors import Problem, SettingsError
from bridge.yaml_documents import MAX_BYTES

_PARTS = ("*.yaml", "policies/*.json", "policies/*.yaml")


def read_rule_files(folder: Path) -> RuleFiles:
    """Return every file that a version of the rules consists of; hidden files are none.

    Raises:
        SettingsError: with each file that cannot be read.
    """
    folder = folder.resolve()
    texts: dict[str, bytes] = {}
    problems: list[Problem] = []
    for path in list_rule_files(folder):
        try:
            with path.open("rb") as file:
                texts[path.relative_to(folder).as_posix()] = file.read(MAX_BYTES + 1)
        except OSError as error:
            problems.append(Problem(path, 1, 1, f"this file cannot be read: {error.strerror}", "Check its path."))
    if problems:
        raise SettingsError(problems)
    return RuleFiles(folder, texts)


def list_rule_files(folder: Path) -> list[Path]:
    """Return the path of every file that a version of the rules consists of."""
    paths = sorted(path for part in _PARTS for path in folder.glob(part))
    return [path for path in paths if not path.name.startswith(".") and path.is_file()]
