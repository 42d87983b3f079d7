"""click's commands and options for people, whose words are translated when they are shown."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import click

from bridge.cli.columns import fill, is_wide
from bridge.language import join_sentences, mark, translate

_AS_IT_IS = "\b\n"
"""click's own mark for a paragraph that keeps its lines."""


class _Formatter(click.HelpFormatter):
    """Breaks lines by the columns that they take: click counts characters."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line of usage, with the colon of its language."""
        super().write_usage(prog, args, translate("Usage: ") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write a heading, with the colon of its language."""
        title = translate("%(heading)s:", heading=heading)
        self.write(f"{'':>{self.current_indent}}{title}\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        super().write_text(_fill_paragraphs(text, self.width - self.current_indent))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write options, or commands, with what each is for."""
        rows = list(rows)
        first = min(max(len(name) for name, _ in rows), col_max) + col_spacing
        filled = [(name, _fill_paragraphs(text, self.width - first - 2)) for name, text in rows]
        super().write_dl(filled, col_max, col_spacing)


class _Context(click.Context):
    formatter_class = _Formatter


class Option(click.Option):
    """Has its help in English, and shows it in the language that is spoken."""

    @property
    def help(self) -> str | None:
        """Return what it is for."""
        return translate(self._help) if self._help else self._help

    @help.setter  # noqa: A003  click's own name
    def help(self, text: str | None) -> None:
        self._help = text


class Told(click.Command):
    """The same for a command."""

    context_class = _Context

    @property
    def help(self) -> str | None:
        """Return what it is for, in paragraphs."""
        return "\n\n".join(translate(paragraph) for paragraph in self._help.split("\n\n")) if self._help else self._help

    @help.setter  # noqa: A003  click's own name
    def help(self, text: str | None) -> None:
        self._help = text

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words of a command line; of an argument that is missing, click would write the full stop itself."""
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as missing:
            if not isinstance(missing.param, click.Argument):
                raise
            argument = missing.param
            said = translate("Missing argument %(name)s.", name=argument.get_error_hint(ctx))
            choices = argument.type.get_missing_message(param=argument, ctx=ctx)
            raise click.UsageError(join_sentences(filter(None, (said, choices))), ctx) from None

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return the option ``--help``, which click makes once, in one language."""
        found = super().get_help_option(ctx)
        if found is not None:
            found.help = translate("Show this message and exit.")
        return found

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence."""
        text = self.help or ""
        if not any(map(is_wide, text)):
            return super().get_short_help_str(limit)
        return text.partition("\n")[0].partition("。")[0] + "。"

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what the line of usage has after the command's name."""
        return [translate(piece) for piece in super().collect_usage_pieces(ctx)]


USAGE = (mark("[OPTIONS]"), mark("COMMAND [ARGS]..."))
"""What click writes into the line of usage."""

option: Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]] = partial(click.option, cls=Option)
"""``click.option``, whose help is a message."""


def command(
    name: str, *paragraphs: str, settings: dict[str, Any] | None = None
) -> Callable[[Callable[..., None]], click.Command]:
    """Return a decorator that makes a command of a function; its help is in paragraphs, each of them a message."""
    return click.command(name, cls=Told, help="\n\n".join(paragraphs), context_settings=settings or {})


def _fill_paragraphs(text: str, columns: int) -> str:
    paragraphs: Sequence[str] = text.split("\n\n")
    return "\n\n".join(
        _AS_IT_IS + fill(paragraph, columns) if any(map(is_wide, paragraph)) else paragraph for paragraph in paragraphs
    )
