"""``rambridge completion``: what makes the shell complete this command."""

import click
from click.shell_completion import get_completion_class

from bridge.cli.told import command
from bridge.language import mark


@command(
    "completion",
    mark("Print what completes commands in your shell."),
    mark("For bash, this line belongs in ~/.bashrc:"),
    '\b\n  eval "$(rambridge completion bash)"',
    mark("For zsh, in ~/.zshrc after compinit:"),
    '\b\n  eval "$(rambridge completion zsh)"',
    mark("For fish, type once:"),
    "\b\n  rambridge completion fish > ~/.config/fish/completions/rambridge.fish",
)
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what completes commands in the shell."""
    of_shell = get_completion_class(shell)
    if of_shell is None:
        raise LookupError(shell)
    click.echo(of_shell(context.find_root().command, {}, "rambridge", "_RAMBRIDGE_COMPLETE").source())
