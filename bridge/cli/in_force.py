"""The rules that a command works on: those in force, a version that is kept, or a folder."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bridge.cli.output import short_path
from bridge.entitlements.rules import RuleFiles, RuleSet
from bridge.errors import VersionUnknown
from bridge.rollout.starting import open_tables
from bridge.rollout.versions import Versions
from bridge.settings import Configuration, compile_rule_files, load_settings, read_rule_files


@dataclass(frozen=True)
class RulesFound:
    """Rules, and what they are."""

    rules: RuleSet
    files: RuleFiles
    note: str
    """In words: which rules these are."""


def find_rules_in_force(folder: Path, configuration: Configuration) -> RulesFound:
    """Return the rules by which a service with this configuration decides.

    Where rules are promoted, that is the version that the database names. Otherwise, and before the first promotion,
    the files of the folder.

    Raises:
        SettingsError: they have errors.
        RolloutUnavailable: the database does not answer.
    """
    settings = load_settings(folder)  # those of the configuration may have been read without secrets
    if settings.rules.rollout == "promote":
        with closing(open_tables(settings)) as tables:
            versions = Versions(tables)
            latest = versions.latest()
            files = versions.read(latest.version) if latest else None
        if files:
            return _compile(configuration, files, f"version {files.version[:12]}, which is in force")
    return RulesFound(configuration.rules, configuration.rule_files, f"the files in {short_path(folder / 'rules')}")


def find_rules(text: str, folder: Path, configuration: Configuration) -> RulesFound:
    """Return the rules that an argument names: a folder, or the first digits (7 to 64) of a version that is kept.

    Raises:
        SettingsError: they have errors, or cannot be read.
        VersionUnknown: it is neither.
        RolloutUnavailable: the database does not answer.
    """
    path = Path(text)
    if path.is_dir():
        return _compile(configuration, read_rule_files(path), f"the files in {short_path(path)}")
    with closing(open_tables(load_settings(folder))) as tables:
        versions = Versions(tables)
        try:
            files = versions.read(versions.find(text).version)
        except VersionUnknown as error:
            raise VersionUnknown(f"{text} is no folder, and {error.detail}") from error
    return _compile(configuration, files, f"version {files.version[:12]}")


def _compile(configuration: Configuration, files: RuleFiles, note: str) -> RulesFound:
    return RulesFound(compile_rule_files(configuration, files), files, note)
