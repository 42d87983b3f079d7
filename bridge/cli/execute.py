"""``rambridge exec``: a program with credentials for one role in its environment."""

import os
import sys

import click

from bridge.cli.person import Asked, at_screen, choose_role, open_access, takes
from bridge.cli.told import command
from bridge.client.failure import name_reason
from bridge.client.roles import read_credentials
from bridge.language import mark, translate

CANNOT_RUN = 126
NOT_FOUND = 127


@command(
    "exec",
    mark("Run a program with credentials for one role."),
    mark(
        "They are in its environment, and nowhere else. The exit code is the program's. They are not renewed: for what "
        "runs longer than they last, see `rambridge configure` and `rambridge agent`."
    ),
    settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@takes(role=True, sign_in=True)
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD [ARG]...")
def execute(asked: Asked, program: tuple[str, ...]) -> None:
    """Run a program with credentials for one role."""
    with at_screen(asked) as screen:
        access = open_access(asked, screen)
        given = read_credentials(access, choose_role(access, asked))
    try:
        os.execvpe(program[0], program, os.environ | given.environment)  # noqa: S606  what the person typed
    except FileNotFoundError:
        click.echo(translate("There is no program '%(name)s' here.", name=program[0]), err=True)
        sys.exit(NOT_FOUND)
    except OSError as error:
        click.echo(translate("%(name)s cannot be run: %(why)s.", name=program[0], why=name_reason(error)), err=True)
        sys.exit(CANNOT_RUN)
