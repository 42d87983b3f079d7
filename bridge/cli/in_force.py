"""The rules that a command works on: those in force, a version that is kept, or a folder."""

from contextlib import closing
from pathlib import Path

from bridge.entitlements.rules import RuleFiles
from bridge.errors import VersionUnknown
from bridge.rollout.starting import load_configuration_in_force, open_tables
from bridge.rollout.versions import Versions
from bridge.settings import Configuration, load_configuration, load_settings, read_rule_files


def load_with_rules(folder: Path, rules: str | None, *, secrets: bool = True) -> Configuration:
    """Return the configuration in a folder with the rules that an argument names, or with those in force.

    Raises:
        SettingsError: something has errors, or cannot be read.
        VersionUnknown: ``rules`` is neither a folder nor a version that is kept.
        RolloutUnavailable: the database does not answer.
    """
    if rules is None:
        return load_configuration_in_force(folder, secrets=secrets)
    return load_configuration(folder, secrets=secrets, rules=read_named_rules(rules, folder))


def read_named_rules(text: str, folder: Path) -> RuleFiles:
    """Return the files that an argument names: a folder, or the first digits (7 to 64) of a version that is kept.

    Raises as :func:`load_with_rules`.
    """
    path = Path(text)
    if path.is_dir():
        return read_rule_files(path)
    with closing(open_tables(load_settings(folder))) as tables:
        versions = Versions(tables)
        try:
            return versions.read(versions.find(text).version)
        except VersionUnknown as error:
            raise VersionUnknown(f"{text} is no folder, and {error.detail}") from error
