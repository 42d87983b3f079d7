"""An explanation as text for a person, and as one JSON object for a script."""

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import click

from bridge.cli.output import count, printable
from bridge.clock import format_utc
from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.explanation import Explanation, Verdict, describe_origin, describe_targets
from bridge.entitlements.spans import describe_span

MAX_LISTED = 20
_MARKS = {True: ("holds", "green"), False: ("fails", "red"), None: ("unknown", "yellow")}
_SECTIONS = (
    ("denies", "Denied", "red"),
    ("withheld", "Withheld", "yellow"),
    ("reach", "Within reach of another sign-in", "yellow"),
    ("near", "Near misses", "yellow"),
)


def print_explanation(explanation: Explanation, *, every: bool) -> None:
    """Print what the person gets, then what was denied or missed, the near misses first, then how many more there are.

    With ``every`` also the rules that could not concern the person.
    """
    for note in explanation.notes:
        _print(f"Note: {note}", "", colour="yellow")
    entitlements = explanation.resolution.entitlements
    click.secho(f"\nGets {_count_kinds(entitlements)}", bold=True)
    for entitlement in entitlements:
        verdict = explanation.find_giver(entitlement.id)
        limit = f"for at most {describe_span(entitlement.duration_seconds)}"
        click.secho(printable(f"  {entitlement.kind} {entitlement.account}/{entitlement.name}, {limit}"), fg="green")
        _print(_sentence(verdict), "      ")
        _print(verdict.caution, "      ", colour="yellow")
    for standing, title, colour in _SECTIONS:
        _print_section(title, explanation.find(standing), colour)  # type: ignore[arg-type]
    missed = explanation.find("missed")
    listed = missed if every else [verdict for verdict in missed if verdict.concerns][:MAX_LISTED]
    _print_section("Did not match", listed, None)
    if len(listed) < len(missed):
        left_out = len(missed) - len(listed)
        more = "more " if listed else ""
        click.echo(f"\n{left_out} {more}rule{'s' if left_out != 1 else ''} did not match; --all lists them.")


def print_rule(verdict: Verdict) -> None:
    """Print everything about one rule: one condition after the other, and what came of it."""
    click.echo()
    _print(_sentence(verdict), "", colour=None)
    _print(verdict.caution, "", colour="yellow")
    for finding in verdict.outcome.findings:
        mark, colour = _MARKS[finding.holds]
        click.secho(f"  {mark:<8}", fg=colour, nl=False)
        click.echo(printable(f"{finding.condition:<9} {finding.reason}"))
    for given in verdict.given:
        what = "would be" if verdict.standing == "reach" else "is"
        text = "granted" if given.outcome.entitlement else given.reason.text
        _print(f"{given.what} {what} {text}" if given.outcome.entitlement else text, "  ")
    if verdict.rule.denials:
        _print(f"it denies {describe_targets(verdict.rule.denials)}", "  ")
    for text in describe_origin(verdict.rule):
        _print(text, "  ")


def describe_explanation(explanation: Explanation, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the same as JSON values, with these of the verdicts."""
    identity = explanation.identity
    return {
        "person": {
            "name": identity.name,
            "provider": identity.provider,
            "issuer": identity.issuer,
            "subject": identity.subject,
        },
        "at": format_utc(explanation.at),
        "source_address": explanation.source_address,
        "rules_version": explanation.resolution.rules_version,
        "gets": [
            {
                "kind": each.kind,
                "account": each.account,
                "name": each.name,
                "rule": each.rule,
                "duration_seconds": each.duration_seconds,
            }
            for each in explanation.resolution.entitlements
        ],
        "rules": [_describe(verdict) for verdict in verdicts],
        "not_listed": len(explanation.verdicts) - len(verdicts),
        "notes": list(explanation.notes),
    }


def _describe(verdict: Verdict) -> dict[str, Any]:
    return {
        "rule": verdict.rule.id,
        "line": verdict.rule.line,
        "effect": verdict.rule.effect,
        "owner": verdict.rule.owner,
        "stated_reason": verdict.rule.reason,
        "standing": verdict.standing,
        "decided_by": {"rule": verdict.decided_by, "claim": verdict.reason.claim, "kind": verdict.reason.kind},
        "sentence": verdict.sentence,
        "caution": verdict.caution,
        "looked_at": [
            {"condition": each.condition, "holds": each.holds, "reason": each.reason, "claims": list(each.claims)}
            for each in verdict.outcome.findings
        ],
        "gives": [
            {"what": given.what, "granted": given.outcome.entitlement is not None, "reason": given.reason.text}
            for given in verdict.given
        ],
    }


def _count_kinds(entitlements: Sequence[Entitlement]) -> str:
    numbers = ((kind, sum(each.kind == kind for each in entitlements)) for kind in ("role", "user"))
    return " and ".join(count(number, kind) for kind, number in numbers if number) or "nothing"


def _print_section(title: str, verdicts: Sequence[Verdict], colour: str | None) -> None:
    if not verdicts:
        return
    click.secho(f"\n{title} ({len(verdicts)})", bold=True)
    for verdict in verdicts:
        for number, line in enumerate(_wrap(_sentence(verdict), "  ", "      ")):
            click.secho(line, fg=colour if number == 0 else None)
        _print(verdict.caution, "      ", colour="yellow")


def _print(text: str, indent: str, colour: str | None = None) -> None:
    for line in _wrap(text, indent, indent):
        click.secho(line, fg=colour)


def _wrap(text: str, first: str, further: str) -> Iterator[str]:
    width = max(shutil.get_terminal_size().columns, 80)
    yield from textwrap.wrap(
        printable(text), width, initial_indent=first, subsequent_indent=further, break_on_hyphens=False
    )


def _sentence(verdict: Verdict) -> str:
    """Return what became of a rule, and where the rule stands."""
    return f"{verdict.sentence} [{verdict.rule.id.partition(':')[0]}:{verdict.rule.line}]"
