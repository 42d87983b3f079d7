"""Prints what was done, step by step, with every request and its time."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from bridge.sandbox.browser.browser import Step

URL_WIDTH = 60
TEXT_WIDTH = 72


@dataclass
class StepPrinter:
    """Prints what happened since it last printed."""

    trace: Sequence[Step]
    """The requests, as they are made."""
    printed: int = 0

    def step(self, text: str) -> None:
        """Print a step's name and its requests with their times."""
        steps = self.trace[self.printed :]
        self.printed = len(self.trace)
        self.print_line(text, sum(step.milliseconds for step in steps))
        for step in steps:
            url = step.url if len(step.url) <= URL_WIDTH else step.url[: URL_WIDTH - 1] + "…"
            line = f"      {step.method:<4} {url:<{URL_WIDTH}} {step.status}  {step.milliseconds:6.1f} ms"
            click.secho(line, dim=True)

    def print_line(self, text: str, milliseconds: float) -> None:
        """Print one finished step."""
        click.echo(f"  {click.style('✓', fg='green')} {text:<{TEXT_WIDTH}} {milliseconds:7.1f} ms")
