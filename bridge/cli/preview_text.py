"""A preview's report as text for a terminal, and as Markdown for a pull request."""

from collections.abc import Iterator

import click

from bridge.cli.output import printable
from bridge.preview.report import Report, Row
from bridge.preview.words import describe_change, describe_people, describe_unjudged

_SIGNS = {"gains": "+", "loses": "-", "limits": "~"}
_COLOURS = {"gains": "green", "loses": "red", "limits": "yellow"}
_WORDS = {"gains": "gain", "loses": "**lose**", "limits": "other limits"}
_MARKUP = "\\`*_{}[]<>#|~"
_MOST_RULES = 30
_WIDTH = 110


def describe_text(report: Report) -> str:
    """Return the report for a terminal."""
    return "\n".join(_iterate_text(report))


def describe_markdown(report: Report) -> str:
    """Return the report as GitHub-flavoured Markdown; no name in it becomes markup."""
    return "\n".join(_iterate_markdown(report))


def _iterate_text(report: Report) -> Iterator[str]:
    yield (
        f"{report.sign_ins:,} sign-ins since {report.since:%Y-%m-%d %H:%M} UTC, "
        f"rules {report.before[:12]} → {report.after[:12]}"
    )
    yield describe_change(report)
    if report.unjudged:
        yield click.style("\nNOT JUDGED, since these rules read what is not kept:", fg="yellow", bold=True)
        yield from (f"  {printable(each.rule)} {printable(describe_unjudged(each))}" for each in report.unjudged)
    if report.unreadable:
        text = f"\nNOT COUNTED: {report.unreadable:,} kept sign-ins, since the key that sealed them is gone."
        yield click.style(text, fg="yellow", bold=True)
    account = ""
    for row in report.rows:
        if row.account != account:
            account = row.account
            yield f"\n{printable(account)}"
        detail = f": {row.detail}" if row.detail else ""
        sign = click.style(_SIGNS[row.effect], fg=_COLOURS[row.effect], bold=True)
        yield f"  {sign} {row.kind} {printable(row.name)}   {_describe_effect(row)}{printable(detail)}"
        names = f"by {printable(row.rule)}: {printable(_describe_names(row))}"
        yield click.wrap_text(names, _WIDTH, "      ", "      ")
    if report.rules:
        yield "\nBy rule   (+ gain, - lose, ~ other limits)"
        width = max(len(each.rule) for each in report.rules)
        for each in report.rules[:_MOST_RULES]:
            yield f"  {printable(each.rule):<{width}}  +{each.gains}  -{each.loses}  ~{each.limits}"
        if len(report.rules) > _MOST_RULES:
            yield f"  and {len(report.rules) - _MOST_RULES} more rules"


def _iterate_markdown(report: Report) -> Iterator[str]:
    yield f"**{describe_change(report)}**"
    yield ""
    yield (
        f"{report.sign_ins:,} sign-ins since {report.since:%Y-%m-%d %H:%M} UTC, "
        f"rules `{report.before[:12]}` → `{report.after[:12]}`."
    )
    if report.unjudged:
        yield "\n> **Not judged,** since these rules read what is not kept:"
        yield from (f"> - {_cell(each.rule)} {_cell(describe_unjudged(each))}" for each in report.unjudged)
    if report.unreadable:
        yield f"\n> **Not counted:** {report.unreadable:,} kept sign-ins, since the key that sealed them is gone."
    if report.rows:
        yield "\n| | Account | Role or user | People | By rule | Who |"
        yield "|---|---|---|---|---|---|"
        for row in report.rows:
            what = row.name + (f": {row.detail}" if row.detail else "")
            cells = [row.account, what, f"{row.people:,}", row.rule, _describe_names(row)]
            yield f"| {_WORDS[row.effect]} | {' | '.join(map(_cell, cells))} |"


def _describe_effect(row: Row) -> str:
    verbs = {"gains": ("gains it", "gain it"), "loses": ("loses it", "lose it")}
    singular, plural = verbs.get(row.effect, ("keeps it with other limits", "keep it with other limits"))
    return f"{describe_people(row.people)} {singular if row.people == 1 else plural}"


def _describe_names(row: Row) -> str:
    names = ", ".join(row.names)
    return f"{names} and {row.more:,} more" if row.more else names


def _cell(text: str) -> str:
    """Return a text that Markdown takes letter by letter."""
    return "".join(f"\\{letter}" if letter in _MARKUP else letter for letter in printable(text))
