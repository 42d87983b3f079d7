"""``rambridge exec``: a program with credentials for one role in its environment."""

import os
import sys

import click

from bridge.cli.person import Asked, at_screen, choose_role, open_access, takes
from bridge.client.roles import read_credentials

CANNOT_RUN = 126
NOT_FOUND = 127


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@takes(role=True, sign_in=True)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD [ARG]...")
def execute(asked: Asked, command: tuple[str, ...]) -> None:
    """Run a program with credentials for one role.

    They are in its environment, and nowhere else. The exit code is the program's. They are not renewed: for what runs
    longer than they last, see `rambridge configure` and `rambridge agent`.
    """
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        given = read_credentials(access, choose_role(access, asked))
    try:
        os.execvpe(command[0], command, os.environ | given.environment)  # noqa: S606  what the person typed
    except FileNotFoundError:
        click.echo(f"There is no program {command[0]!r} here.", err=True)
        sys.exit(NOT_FOUND)
    except OSError as error:
        click.echo(f"{command[0]} cannot be run: {error.strerror}.", err=True)
        sys.exit(CANNOT_RUN)
