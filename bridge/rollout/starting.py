"""The configuration with the rules that are in force, for whoever starts."""

from contextlib import closing
from pathlib import Path

from bridge.database import open_engine
from bridge.rollout.tables import Tables
from bridge.rollout.versions import Versions
from bridge.settings import Configuration, Settings, load_configuration, load_settings


def open_tables(settings: Settings) -> Tables:
    """Return the tables of the roll-out in the database of these settings. Nothing is asked of it yet."""
    return Tables(open_engine(settings.database_url()))


def load_configuration_in_force(folder: Path, *, secrets: bool = True) -> Configuration:
    """Return the configuration in a folder with the rules by which a service has to start.

    Where rules are promoted, those are the ones in force: what stands in the folder is a draft, which may have errors.
    Otherwise, and before the first promotion, those of the folder.

    Raises:
        SettingsError: with every error.
        RolloutUnavailable: rules are promoted, and the database does not answer: nobody knows what is in force.
    """
    settings = load_settings(folder)
    if settings.rules.rollout == "files":
        return load_configuration(folder, secrets=secrets)
    with closing(open_tables(settings)) as tables:  # before a fork: no child may inherit a connection
        versions = Versions(tables)
        latest = versions.latest()
        files = versions.read(latest.version) if latest else None
    return load_configuration(folder, secrets=secrets, rules=files)
