"""``rambridge explain``: why somebody gets these roles, and why not the others."""

import difflib
import json
import sys
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

import click
from pydantic_core import PydanticCustomError

from bridge.cli.explained import describe_explanation, print_explanation, print_rule
from bridge.cli.in_force import load_with_rules
from bridge.cli.output import FAILED, errors_to_exit_code, printable
from bridge.cli.subject import Subject, find_person, read_claims, read_response, read_token
from bridge.clock import SystemClock, format_utc
from bridge.entitlements.explanation import Explanation, Verdict, explain
from bridge.entitlements.resolve import look_at_all
from bridge.entitlements.rules import RuleSet
from bridge.entitlements.supposed import parse_moment

FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)


@click.command("explain", short_help="Explain which roles somebody gets, and why.")
@click.option("--person", metavar="TEXT", help="The latest sign-in of whoever has this name, address or subject.")
@click.option(
    "--claims", type=FILE, metavar="FILE", help="A person who is made up: YAML or JSON, `-` is standard input."
)
@click.option("--saml-response", type=FILE, metavar="FILE", help="A SAML response, as the browser sent it or as XML.")
@click.option("--id-token", type=FILE, metavar="FILE", help="An ID token.")
@click.option("--rule", metavar="NAME", help="Only this rule, with what each of its conditions comes to.")
@click.option("--at", metavar="TIME", help="The moment to ask for: 2026-11-24T09:00:00Z, or `now`.")
@click.option("--address", metavar="ADDRESS", help="The address that the person comes from.")
@click.option("--rules", metavar="FOLDER|VERSION", help="Other rules than those in force.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--all", "every", is_flag=True, help="List also the rules that could not concern the person.")
@click.pass_obj
def explain_command(  # noqa: PLR0917  one for each option
    folder: Path,
    person: str | None,
    claims: Path | None,
    saml_response: Path | None,
    id_token: Path | None,
    rule: str | None,
    at: str | None,
    address: str | None,
    rules: str | None,
    form: Literal["text", "json"],
    every: bool,  # noqa: FBT001  click passes flags
) -> None:
    """Explain which roles somebody gets and why, and why not the others: rule by rule, by which claim.

    Say whom by exactly one of --person, --claims, --saml-response and --id-token. Messages of a provider are
    verified as in a sign-in; what fails that is marked UNVERIFIED. Nobody is signed in, and nothing is recorded.

    A file for --claims has `provider`, `claims`, and where it matters `acr`, `amr`, `authenticated_at` or
    `age_seconds`, `source_address` and `time`. The exit code is 1 if nobody is found or a message is not verified.
    """
    given = [each for each in (person, claims, saml_response, id_token) if each is not None]
    if len(given) != 1:
        raise click.UsageError("Give exactly one of --person, --claims, --saml-response and --id-token.")
    moment = None if at is None else _parse_at(at)
    _check_address(address)
    with errors_to_exit_code():
        configuration = load_with_rules(folder, rules, secrets=id_token is not None)
        if person is not None:
            subject = find_person(folder, person)
        elif claims is not None:
            subject = read_claims(claims, configuration, moment)
        elif saml_response is not None:
            subject = read_response(configuration, saml_response)
        elif id_token is not None:
            subject = read_token(configuration, id_token)
    explanation = explain(
        subject.identity, configuration.rules, moment or subject.at, address or subject.source_address
    )
    verdicts = _select(explanation, configuration.rules, rule, every=every)
    if form == "json":
        described = describe_explanation(explanation, verdicts)
        source = {"source": subject.source, "standing": subject.standing, "reason": subject.reason}
        click.echo(json.dumps({"of": source} | described, indent=2))
    else:
        _print_heading(subject, explanation)
        if rule is None:
            print_explanation(explanation, every=every)
        for verdict in verdicts if rule is not None else ():
            print_rule(verdict)
    if subject.standing == "UNVERIFIED":
        sys.exit(FAILED)


def _select(explanation: Explanation, rules: RuleSet, rule: str | None, *, every: bool) -> tuple[Verdict, ...]:
    """Return the verdicts to show. Raises BadParameter for a rule that is not there."""
    if rule is None:
        return tuple(each for each in explanation.verdicts if every or each.concerns or each.standing != "missed")
    found = tuple(
        _look_at_all(each, explanation, rules) for each in explanation.verdicts if rule in {each.name, each.rule.id}
    )
    if not found and explanation.verdicts:
        names = sorted({each.name for each in explanation.verdicts})
        close = difflib.get_close_matches(rule, names[:1000], 3)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise click.BadParameter(f"there is no rule {rule!r}{hint}", param_hint="--rule")
    return found


def _look_at_all(verdict: Verdict, explanation: Explanation, rules: RuleSet) -> Verdict:
    """Return the verdict with each condition, also those behind the first that fails."""
    findings = look_at_all(verdict.rule, explanation.identity, rules, explanation.at, explanation.source_address)
    return replace(verdict, outcome=replace(verdict.outcome, findings=findings))


def _print_heading(subject: Subject, explanation: Explanation) -> None:
    identity = subject.identity
    if subject.standing == "UNVERIFIED":
        click.secho("UNVERIFIED", fg="red", bold=True, nl=False)
        click.echo(printable(f": {subject.reason}. What follows is only what it claims."))
    name = "" if subject.label == identity.subject else f"{subject.label}, "
    click.secho(printable(f"{name}subject {identity.subject}, provider {identity.provider}"), bold=True)
    verified = f" ({subject.reason})" if subject.reason and subject.standing != "UNVERIFIED" else ""
    click.echo(printable(f"  {subject.source}: {subject.standing}{verified}"))
    address = f", from {explanation.source_address}" if explanation.source_address else ""
    version = explanation.resolution.rules_version[:12]
    click.echo(printable(f"  as of {format_utc(explanation.at)}{address}, by the rules {version}"))


def _parse_at(text: str) -> datetime:
    if text == "now":
        return SystemClock().now()
    try:
        return parse_moment(text)
    except PydanticCustomError as error:
        raise click.BadParameter(error.message(), param_hint="--at") from error


def _check_address(text: str | None) -> None:
    try:
        if text is not None:
            ip_address(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not an address", param_hint="--address") from error
