"""The command ``rambridge``."""

from pathlib import Path

import click

from bridge import __version__
from bridge.cli.agent import agent
from bridge.cli.attack import attack
from bridge.cli.audit import audit
from bridge.cli.check import check
from bridge.cli.credentials import credentials
from bridge.cli.demo import demo
from bridge.cli.explain import explain_command
from bridge.cli.keys import keys
from bridge.cli.preview import preview
from bridge.cli.providers import providers
from bridge.cli.rule_tests import test_rules
from bridge.cli.rules import rules
from bridge.cli.serve import serve
from bridge.cli.trace import trace


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
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


for command in (
    serve,
    check,
    test_rules,
    explain_command,
    preview,
    rules,
    providers,
    attack,
    keys,
    audit,
    trace,
    credentials,
    agent,
    demo,
):
    main.add_command(command)
