"""The command ``rambridge``: what everybody has, and what needs the extra ``server``.

What a subcommand needs is imported when it runs, since programs wait for some of them.
"""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from bridge import __version__

PEOPLE = {
    "login": "login:login",
    "logout": "login:logout",
    "whoami": "login:whoami",
    "roles": "roles:roles",
    "use": "roles:use",
    "exec": "execute:execute",
    "env": "credentials:env",
    "credentials": "credentials:credentials",
    "console": "console:console",
    "configure": "configure:configure",
    "agent": "agent:agent",
    "completion": "completion:completion",
}
"""Where each subcommand for people who have roles stands: module and name, below ``bridge.cli``."""

SERVICE = {
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
    "demo": "demo:demo",
}
"""The same for people who run the service."""


class _Commands(MutableMapping[str, click.Command]):
    """Subcommands by name, each imported when somebody looks at it."""

    def __getitem__(self, name: str) -> click.Command:
        if name in SERVICE and not has_service():
            return _name_the_extra(name)
        module, _, attribute = (PEOPLE | SERVICE)[name].partition(":")
        return getattr(import_module(f"bridge.cli.{module}"), attribute)  # type: ignore[no-any-return]

    def __setitem__(self, name: str, command: click.Command) -> None:
        raise TypeError("subcommands stand in the table")

    def __delitem__(self, name: str) -> None:
        raise TypeError("subcommands stand in the table")

    def __iter__(self) -> Iterator[str]:
        return iter(PEOPLE | SERVICE)

    def __len__(self) -> int:
        return len(PEOPLE | SERVICE)


class _Group(click.Group):
    """Lists the subcommands in two parts."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both parts; without the extra ``server``, the names in the second are enough."""
        parts = [("With your roles", list(PEOPLE))]
        if has_service():
            parts.append(("Running the service", list(SERVICE)))
        for title, names in parts:
            found = [(name, self.get_command(ctx, name)) for name in names]
            width = formatter.width - 6 - max(map(len, names))
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(width)) for name, command in found if command])
        if not has_service():
            with formatter.section("Running the service, with the extra rambridge[server]"):
                formatter.write_text(", ".join(SERVICE))


def has_service() -> bool:
    """Return whether the extra ``server`` is installed."""
    return all(find_spec(library) for library in ("flask", "lxml", "sqlalchemy"))


def _name_the_extra(name: str) -> click.Command:
    def refuse(rest: tuple[str, ...]) -> None:
        del rest
        raise click.ClickException(f"{name!r} belongs to the service. Install it with: pip install 'rambridge[server]'")

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        add_help_option=False,
    )


@click.group(cls=_Group, commands=_Commands(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rambridge")
@click.option(
    "--config",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("config"),
    envvar="RAMBRIDGE_CONFIG",
    show_default=True,
    help="For the service: the folder with bridge.yaml, providers/, accounts/ and rules/.",
)
@click.pass_context
def main(context: click.Context, folder: Path) -> None:
    """Rambridge: from an enterprise identity provider to exactly the RAM roles that IT has written down."""
    context.obj = folder
