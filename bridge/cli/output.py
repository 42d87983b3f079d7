"""How commands speak: problems, errors and exit codes."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from bridge.errors import BridgeError, Problem, SettingsError

FAILED = 1


@contextmanager
def errors_to_exit_code() -> Iterator[None]:
    """Turn an error of the tree into words on standard error and exit code 1."""
    try:
        yield
    except SettingsError as error:
        print_problems(error.problems)
        sys.exit(FAILED)
    except BridgeError as error:
        click.echo(f"{error.public}\n  {error.code}: {error.detail}", err=True)
        sys.exit(FAILED)


def print_problems(problems: Sequence[Problem]) -> None:
    """Print each problem with its place, then their count, on standard error."""
    for problem in problems:
        colour = "red" if problem.severity == "error" else "yellow"
        place = f"{short_path(problem.file)}:{problem.line}:{problem.column}"
        click.secho(f"{place}: {problem.severity}: {problem.message} [{problem.kind}]", fg=colour, err=True)
        click.echo(f"    {problem.fix}", err=True)
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    click.echo(f"{count(errors, 'error')}, {count(warnings, 'warning')}.", err=True)


def short_path(path: Path) -> str:
    """Return a path as one would type it here: relative where it lies below the current folder."""
    here, path = Path.cwd().resolve(), path.resolve()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def printable(text: object) -> str:
    """Return text that cannot move the cursor or colour the terminal, whatever a stranger put into it."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in str(text))


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where there is not exactly one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
