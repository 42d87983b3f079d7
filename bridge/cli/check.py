"""``rambridge check``: every problem of the configuration at once."""

import sys
from pathlib import Path

import click

from bridge.cli.output import FAILED, print_problems
from bridge.settings import check_configuration


@click.command()
@click.pass_obj
def check(folder: Path) -> None:
    """Check settings, providers, accounts and rules; report all problems in one run.

    Each problem has its file, line and column, what is wrong, and what to write instead. Nothing is started and
    nothing is changed. The exit code is 1 if there is an error; a warning alone leaves it 0.
    """
    problems = check_configuration(folder)
    if problems:
        print_problems(problems)
    if any(problem.severity == "error" for problem in problems):
        sys.exit(FAILED)
    click.secho(f"The configuration in {folder} can be used.", fg="green")
