"""The command ``rambridge``. What a subcommand needs is imported when it runs, since programs wait for some of them."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from pathlib import Path

import click

from bridge import __version__


class _Commands(MutableMapping[str, click.Command]):
    """Subcommands by name, each imported when somebody looks at it."""

    def __init__(self, places: dict[str, str]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> click.Command:
        module, _, attribute = self._places[name].partition(":")
        return getattr(import_module(f"bridge.cli.{module}"), attribute)  # type: ignore[no-any-return]

    def __setitem__(self, name: str, command: click.Command) -> None:
        raise TypeError("subcommands stand in the table")

    def __delitem__(self, name: str) -> None:
        raise TypeError("subcommands stand in the table")

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


COMMANDS = _Commands(
    {
        "serve": "serve:serve",
        "check": "check:check",
        "test-rules": "rule_tests:test_rules",
        "explain": "explain:explain_command",
        "preview": "preview:preview",
        "rules": "rules:rules",
        "setup": "setup:setup",
        "doctor": "doctor:doctor",
        "providers": "providers:providers",
        "attack": "attack:attack",
        "keys": "keys:keys",
        "audit": "audit:audit",
        "trail": "trail:trail",
        "trace": "trace:trace",
        "credentials": "credentials:credentials",
        "agent": "agent:agent",
        "demo": "demo:demo",
    }
)
"""Where each subcommand stands: module and name, below ``bridge.cli``."""


@click.group(commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rambridge")
@click.option(
    "--config",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("config"),
    envvar="RAMBRIDGE_CONFIG",
    show_default=True,
    help="The folder with bridge.yaml, providers/, accounts/ and rules/.",
)
@click.pass_context
def main(context: click.Context, folder: Path) -> None:
    """Rambridge: from an enterprise identity provider to exactly the RAM roles that IT has written down."""
    context.obj = folder
