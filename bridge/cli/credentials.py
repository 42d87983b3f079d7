"""``rambridge credentials`` and ``rambridge env``: credentials for a program, by the person's own sign-in."""

import json

import click

from bridge.cli.person import Asked, at_screen, choose_role, open_access, takes
from bridge.cli.told import command, option
from bridge.client.credentials import FORMATS
from bridge.client.roles import read_credentials
from bridge.language import mark


@command(
    "credentials",
    mark("Print credentials for one role, for programs."),
    mark(
        "Signs this terminal in, in the browser, where that is needed. Only the credentials go to standard output. A "
        "program that cannot ask anybody, such as an SDK in mode External, gets exit code 3 and a sentence on standard "
        "error instead of a sign-in."
    ),
)
@takes(role=True, sign_in=True)
@option(
    "--format",
    "form",
    type=click.Choice(sorted(FORMATS)),
    default="external",
    show_default=True,
    help=mark(
        "external: for the mode External of the CLI and the SDKs; json: as a credentials service; env: shell lines."
    ),
)
def credentials(asked: Asked, form: str) -> None:
    """Print credentials for one role, for programs."""
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        given = read_credentials(access, choose_role(access, asked))
        click.echo(FORMATS["json" if asked.as_json else form](given))


@command(
    "env",
    mark("Print shell lines that set credentials."),
    mark('In a shell: eval "$(rambridge env)". For one program alone: rambridge exec -- CMD.'),
)
@takes(role=True, sign_in=True)
def env(asked: Asked) -> None:
    """Print shell lines that set credentials."""
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        given = read_credentials(access, choose_role(access, asked))
        click.echo(json.dumps(given.environment, indent=2) if asked.as_json else FORMATS["env"](given))
