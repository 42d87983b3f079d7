"""``rambridge completion``: what makes the shell complete this command."""

import click
from click.shell_completion import get_completion_class

_HELP = """Print what completes commands in your shell.

\b
bash:  eval "$(rambridge completion bash)"     in ~/.bashrc
zsh:   eval "$(rambridge completion zsh)"      in ~/.zshrc, after compinit
fish:  rambridge completion fish > ~/.config/fish/completions/rambridge.fish
"""


@click.command(help=_HELP)
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what completes commands in the shell."""
    of_shell = get_completion_class(shell)
    if of_shell is None:
        raise click.ClickException(f"There is no completion for {shell}.")
    click.echo(of_shell(context.find_root().command, {}, "rambridge", "_RAMBRIDGE_COMPLETE").source())
