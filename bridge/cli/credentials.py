"""``rambridge credentials``: credentials for a program, from the service, by the person's own sign-in."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from bridge.client.credentials import FORMATS
from bridge.client.failure import ClientError
from bridge.client.portal import Portal
from bridge.client.terminal import Terminal
from bridge.client.token_file import TokenFile

FAILED = 1


def client_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which role of which service is meant."""
    for option in (
        click.option("--role", required=True, metavar="NAME", help="The role, as the portal names it."),
        click.option(
            "--account", required=True, metavar="ID", help="The account's number, or its title in the portal."
        ),
        click.option(
            "--server",
            required=True,
            metavar="URL",
            envvar="RAMBRIDGE_SERVER",
            show_envvar=True,
            help="The service's address.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@client_options
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(FORMATS)),
    default="external",
    show_default=True,
    help="external: for the mode External of the CLI and the SDKs; json: as a credentials service; env: shell lines.",
)
@click.option("--sign-in", "ask", is_flag=True, help="Ask to sign in even where no terminal is attached.")
def credentials(server: str, account: str, role: str, form: str, ask: bool) -> None:  # noqa: FBT001  click passes flags
    """Print credentials for one role. Signs this terminal in, in the browser, where that is needed.

    Only the credentials go to standard output. A program that cannot show a code to anybody, such as an SDK in mode
    External, gets exit code 1 and a sentence on standard error instead of a sign-in.
    """
    with failures_to_exit_code():
        terminal = open_terminal(server, account, role, ask=ask or sys.stderr.isatty())
        click.echo(FORMATS[form](terminal.get_credentials()))


def open_terminal(server: str, account: str, role: str, *, ask: bool) -> Terminal:
    """Return what asks the service; ``ask`` whether somebody is there to sign in. Raises ClientError."""
    portal = Portal(server)
    return Terminal(portal, TokenFile(portal.origin), account, role, _show if ask else None)


@contextmanager
def failures_to_exit_code() -> Iterator[None]:
    """Turn what goes wrong on this side into a sentence on standard error and exit code 1."""
    try:
        yield
    except ClientError as failure:
        click.echo(str(failure), err=True)
        sys.exit(FAILED)


def _show(address: str, code: str) -> None:
    click.echo("Sign in to go on. Open this address, and allow it only if the page shows the same code:\n", err=True)
    click.echo(f"  {address}\n  {click.style(code, bold=True)}\n", err=True)
