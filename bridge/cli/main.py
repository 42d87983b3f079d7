"""The command ``rambridge``: what everybody has, and what needs the extra ``server``.

What a subcommand needs is imported when it runs, since programs wait for some of them.
"""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from bridge import __version__
from bridge.cli.speech import speaking_here
from bridge.cli.told import Option, Told, option
from bridge.language import ENGLISH, mark, speak, translate

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


SUMMARIES = {
    "login": "Sign this terminal in, in the browser.",
    "logout": "End this terminal's sign-in, and forget its tokens.",
    "whoami": "Say who is signed in here, and until when.",
    "roles": "List your roles, or those that WORDS find.",
    "use": "Choose the role that other commands take.",
    "exec": "Run a program with credentials for one role.",
    "env": "Print shell lines that set credentials.",
    "credentials": "Print credentials for one role, for programs.",
    "console": "Open the console as one role. The browser signs in by itself: the address works for you alone.",
    "configure": "Write profiles into ~/.aliyun/config.json.",
    "agent": "Serve credentials for programs on this machine.",
    "completion": "Print what completes commands in your shell.",
    "serve": "Serve people and programs until the process is told to stop.",
    "check": "Check settings, providers, accounts and rules.",
    "test-rules": "Run the tests for mappings.",
    "explain": "Explain which roles somebody gets, and why.",
    "preview": "Say who would gain and lose what by other rules.",
    "rules": "See which rules are in force, and bring others into force.",
    "setup": "Bring RAM to what the configuration needs.",
    "doctor": "Verify the whole chain, link by link.",
    "providers": "List the identity providers, and what ends when.",
    "attack": "Send every hostile message; each must be refused.",
    "keys": "Make, list and rotate the bridge's own keys.",
    "audit": "Verify the audit log, watch its end, and keep its database.",
    "trail": "Import ActionTrail events, and find strays.",
    "trace": "Explain the reference that an error page shows.",
    "demo": "Start a company, a cloud and the bridge here.",
}
"""What each one's help begins with, or its short help, so that a list of them need not import the whole service."""


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


class _Group(Told, click.Group):
    """Speaks the person's language; lists the subcommands in two parts."""

    def main(self, *args: Any, **settings: Any) -> Any:
        """Do what the command line says."""
        with speaking_here():
            return super().main(*args, **settings)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand. Those who run the service read English: what they do is recorded in it."""
        found = super().resolve_command(ctx, args)
        if found[0] in SERVICE and has_service():
            speak(ENGLISH)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what the shell may complete this with."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=summarize(name)) for name in names), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both parts; without the extra ``server``, the names in the second are enough."""
        del ctx
        parts = [(translate("With your roles"), list(PEOPLE))]
        if has_service():
            parts.append((translate("Running the service"), list(SERVICE)))
        for title, names in parts:
            width = formatter.width - 6 - max(map(len, names))
            with formatter.section(title):
                formatter.write_dl([(name, summarize(name, width)) for name in names])
        if not has_service():
            with formatter.section(translate("Running the service, with the extra rambridge[server]")):
                formatter.write_text(", ".join(SERVICE))


def summarize(name: str, width: int = 45) -> str:
    """Return what a subcommand is for, in the language that is spoken, in so many columns."""
    return Told(name, help=SUMMARIES[name]).get_short_help_str(width)


def has_service() -> bool:
    """Return whether the extra ``server`` is installed."""
    return all(find_spec(library) for library in ("flask", "lxml", "sqlalchemy"))


def _name_the_extra(name: str) -> click.Command:
    def refuse(rest: tuple[str, ...]) -> None:
        del rest
        said = translate(
            "'%(name)s' belongs to the service. Install it with: pip install 'rambridge[server]'", name=name
        )
        raise click.ClickException(said)

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["rest"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        add_help_option=False,
    )


@click.group(
    cls=_Group,
    commands=_Commands(),
    help=mark("Rambridge: from an enterprise identity provider to exactly the RAM roles that IT has written down."),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(
    __version__,
    prog_name="rambridge",
    message="%(prog)s, version %(version)s",
    help=mark("Show the version and exit."),
    cls=Option,
)
@option(
    "--config",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("config"),
    envvar="RAMBRIDGE_CONFIG",
    show_default=True,
    help=mark("For the service: the folder with bridge.yaml, providers/, accounts/ and rules/."),
)
@click.pass_context
def main(context: click.Context, folder: Path) -> None:
    """Begin a command line."""
    context.obj = folder
