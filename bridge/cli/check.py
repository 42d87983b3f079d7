"""``rambridge check``: every problem of the configuration at once."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from bridge.cli.finding_formats import write_github, write_json, write_sarif
from bridge.cli.output import FAILED, print_problems
from bridge.cli.seen_claims import read_seen_claims
from bridge.clock import SystemClock
from bridge.errors import Problem
from bridge.settings import check_configuration

_FORMATS: Mapping[str, Callable[[Sequence[Problem]], str]] = {
    "json": write_json,
    "sarif": write_sarif,
    "github": write_github,
}


@click.command(short_help="Check settings, providers, accounts and rules.")
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", *_FORMATS]),
    default="text",
    show_default=True,
    help="text for people; sarif (2.1.0) and github (workflow commands) for pull requests.",
)
@click.option("--strict", is_flag=True, help="A warning fails as well.")
@click.option(
    "--rules",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Take the rules from this folder, such as a draft.",
)
@click.option(
    "--no-secrets", is_flag=True, help="Do not read secrets, which a build server does not have. Implies --no-history."
)
@click.option("--no-history", is_flag=True, help="Do not compare with the claims in the sign-ins that are kept.")
@click.pass_obj
def check(folder: Path, output: str, rules: Path | None, *, strict: bool, no_secrets: bool, no_history: bool) -> None:
    """Check settings, providers, accounts and rules; report all problems in one run.

    Each problem has its file, line and column, what is wrong, and what to write instead. Nothing is started and
    nothing is changed. The exit code is 1 if there is an error, or with --strict a warning.
    """
    problems = check_configuration(
        folder,
        now=SystemClock().now(),
        secrets=not no_secrets,
        rules=rules,
        seen_claims=(lambda _: None) if no_history or no_secrets else read_seen_claims,
    )
    if output != "text":
        click.echo(_FORMATS[output](problems), nl=False)
    elif problems:
        print_problems(problems)
    if any(strict or problem.severity == "error" for problem in problems):
        sys.exit(FAILED)
    if output == "text":
        click.secho(f"The configuration in {folder} can be used.", fg="green")
