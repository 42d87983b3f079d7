"""``rambridge preview``: who would gain and who would lose what under other rules."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from bridge.cli.in_force import load_with_rules, read_named_rules
from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.cli.output import FAILED, errors_to_exit_code, short_path
from bridge.cli.preview_text import describe_markdown, describe_text
from bridge.clock import SystemClock
from bridge.entitlements.rules import RuleSet
from bridge.history.history import History
from bridge.history.kept_sign_in import KeptSignIn
from bridge.preview.compare import Comparison, compare
from bridge.preview.drawing import draw
from bridge.preview.graph import build_graph
from bridge.preview.layout import place
from bridge.preview.report import REPORT, Report, build_report
from bridge.settings import Configuration, compile_rule_files

STEPS = 10
"""How many lines of progress are printed where there is no terminal."""
_PERIOD = re.compile(r"([0-9]{1,4})([dh])", re.ASCII)
_FORMATS: dict[str, Callable[[Report], str]] = {
    "text": describe_text,
    "markdown": describe_markdown,
    "json": lambda report: REPORT.dump_json(report, indent=2).decode(),
}


class _Period(click.ParamType):  # type: ignore[type-arg]
    name = "period"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = _PERIOD.fullmatch(value)
        if match is None:
            self.fail(f"{value!r} is no period: write days or hours, such as 30d or 12h", param, ctx)
        number = int(match[1])
        return timedelta(days=number) if match[2] == "d" else timedelta(hours=number)


@click.command("preview", short_help="Say who would gain and lose what by other rules.")
@click.option("--rules", "draft", required=True, metavar="FOLDER|VERSION", help="The rules to try.")
@click.option("--against", metavar="FOLDER|VERSION", help="Compare with these rules instead of those in force.")
@click.option("--since", type=_Period(), help="How far back to go: 30d, 12h. As far as sign-ins are kept where absent.")
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), default="text", show_default=True)
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Also write the picture, as SVG.")
@click.option(
    "--fail-over",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Exit with 1 if more than this share of the people change: 0.05 is one in twenty.",
)
@click.pass_obj
def preview(  # noqa: PLR0917  each is an option
    folder: Path,
    draft: str,
    against: str | None,
    since: timedelta | None,
    form: str,
    picture: Path | None,
    fail_over: float | None,
) -> None:
    """Replay the sign-ins that are kept against other rules: who would gain, and who would lose what.

    Each sign-in is decided on twice, at its own time. Nothing is changed, and the service need not run. People who did
    not sign in since then are not seen; rules that read a claim that is not kept cannot be judged, and are named.
    """
    with errors_to_exit_code():
        configuration = load_with_rules(folder, against)
        before = configuration.rules
        after = compile_rule_files(configuration, read_named_rules(draft, folder))
        until = SystemClock().now()
        begin = until - (since or timedelta(days=configuration.settings.rules.keep_days))
        with open_kept_sign_ins(configuration.settings) as history:
            comparison = _compare(history, begin, until, before, after)
    report = build_report(
        comparison,
        before,
        after,
        since=begin,
        until=until,
        kept_claims=_find_kept_claims(configuration, before),
        unreadable=history.unreadable,
    )
    click.echo(_FORMATS[form](report))
    if picture:
        style = (files("bridge.web") / "static" / "picture.css").read_text()
        picture.write_text(draw(place(build_graph(before, after, comparison)), style))
        click.echo(f"The picture is in {short_path(picture)}.", err=True)
    if fail_over is not None and report.share > fail_over:
        click.secho(f"{report.share:.1%} of the people change: more than {fail_over:.1%}.", fg="red", err=True)
        sys.exit(FAILED)


def _find_kept_claims(configuration: Configuration, rules: RuleSet) -> frozenset[str] | None:
    kept = configuration.settings.rules.kept_claims
    return rules.claims_read if kept is None else frozenset(kept)


def _compare(history: History, since: datetime, until: datetime, before: RuleSet, after: RuleSet) -> Comparison:
    count = history.count(since, until)
    sign_ins = history.read(since, until)
    if sys.stderr.isatty():
        with click.progressbar(sign_ins, count, "Replaying sign-ins", file=sys.stderr) as bar:
            return compare(bar, before, after)
    return compare(_print_progress(sign_ins, count), before, after)


def _print_progress(sign_ins: Iterable[KeptSignIn], count: int) -> Iterator[KeptSignIn]:
    step = max(1, count // STEPS)
    for number, kept in enumerate(sign_ins, 1):
        yield kept
        if number % step == 0:
            click.echo(f"{number:,} of {count:,} sign-ins replayed", err=True)
