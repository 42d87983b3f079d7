"""Asks the rules about the person of each test, as a sign-in would, and compares."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.explanation import Verdict, explain
from bridge.entitlements.resolve import GrantOutcome, Resolution, resolve
from bridge.entitlements.rule_tests.language import Denied, Expected
from bridge.entitlements.rule_tests.report import CaseResult, Difference, RuleTestReport
from bridge.entitlements.rules import Rule, RuleSet, build_rule_set
from bridge.identity.verified import VerifiedIdentity
from bridge.language import ENGLISH, speaking

_Target: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True)
class RuleTestCase:
    """One test with everything that it leaves to its file or to the settings filled in."""

    name: str
    file: Path
    line: int
    column: int
    identity: VerifiedIdentity
    at: datetime
    source_address: str | None
    expect: Sequence[Expected]
    denied: Sequence[Denied] = ()


def run_cases(cases: Iterable[RuleTestCase], rules: RuleSet) -> RuleTestReport:
    """Return what comes of the tests under these rules. It is kept and shown to others, so it is in English."""
    with speaking(ENGLISH):
        return _run_cases(cases, rules)


def _run_cases(cases: Iterable[RuleTestCase], rules: RuleSet) -> RuleTestReport:
    applied = Counter({rule.id: 0 for rule in rules.rules})
    results: list[CaseResult] = []
    for case in cases:
        resolution = resolve(case.identity, rules, case.at, case.source_address)
        applied.update(outcome.rule for outcome in resolution.explanations if outcome.applied)
        differences = tuple(_Comparison(case, rules, resolution).find_differences())
        results.append(CaseResult(case.name, case.file, case.line, case.column, differences))
    return RuleTestReport(tuple(results), rules.version, dict(applied))


class _Comparison:
    """What one test expects beside what it got."""

    def __init__(self, case: RuleTestCase, rules: RuleSet, resolution: Resolution) -> None:
        self._case = case
        self._rules = rules
        self._outcomes = {outcome.rule: outcome for outcome in resolution.explanations}
        self._got = {_aim(each): each for each in resolution.entitlements}

    def find_differences(self) -> Iterator[Difference]:
        expected = {each.target: each for each in self._case.expect}
        for target, wanted in expected.items():
            got = self._got.get(target)
            if got is None:
                yield Difference("missing", _write(target), "granted", "not granted", self._explain_absence(target))
            else:
                yield from self._compare(wanted, got)
        for target, got in self._got.items():
            if target not in expected:
                because = self._explain(got.rule)
                yield Difference("unexpected", _write(target), "not granted", "granted", because)
        for denied in self._case.denied:
            yield from self._compare_denial(denied)

    def _compare(self, wanted: Expected, got: Entitlement) -> Iterator[Difference]:
        target = _write(wanted.target)
        if wanted.duration_seconds not in {None, got.duration_seconds}:
            limits = (f"{wanted.duration_seconds} s", f"{got.duration_seconds} s")
            yield Difference("duration", target, *limits, self._explain(got.rule))
        if wanted.rule not in {None, got.rule}:
            yield Difference("rule", target, str(wanted.rule), got.rule, self._explain(got.rule))

    def _compare_denial(self, wanted: Denied) -> Iterator[Difference]:
        deniers = self._find_deniers(wanted.target)
        expected = f"denied by {wanted.rule or 'a rule'}"
        if wanted.target in self._got:
            got, because = "granted", self._explain(self._got[wanted.target].rule)
        elif not any(_aim(grant) == wanted.target for grant in self._iterate_grants()):
            got, because = "not granted in the first place", self._explain_absence(wanted.target)
        elif not deniers or wanted.rule not in {None, *deniers}:
            got = f"denied by {', '.join(deniers)}" if deniers else "withheld for another reason"
            because = self._explain_absence(wanted.target)
        else:
            return
        yield Difference("denied", _write(wanted.target), expected, got, because)

    def _iterate_grants(self) -> Iterator[GrantOutcome]:
        for outcome in self._outcomes.values():
            yield from outcome.grants

    def _find_deniers(self, target: _Target) -> list[str]:
        """Return the rules that apply and deny this target."""
        applied = (rule for rule in self._rules.rules if rule.id in self._outcomes and self._outcomes[rule.id].applied)
        return [rule.id for rule in applied if _denies(rule, target)]

    def _explain_absence(self, target: _Target) -> str:
        """Return of each rule that grants the target why the person does not have it."""
        granting = {rule.id for rule in self._rules.rules if any(_could_be(rule, target))}
        if not granting:
            return "no rule grants it"
        # Only these decide about it; looking at all rules for each difference would take seconds.
        deciding = [rule for rule in self._rules.rules if rule.id in granting or rule.denials]
        return "; ".join(_describe(verdict, target) for verdict in self._judge(deciding) if verdict.rule.id in granting)

    def _explain(self, rule_id: str) -> str:
        (verdict,) = self._judge([rule for rule in self._rules.rules if rule.id == rule_id])
        return f"{verdict.sentence} ({rule_id})"

    def _judge(self, rules: Sequence[Rule]) -> Sequence[Verdict]:
        few = build_rule_set(self._rules.version, rules, self._rules.groups_claims, self._rules.schemas)
        return explain(self._case.identity, few, self._case.at, self._case.source_address).verdicts


def _describe(verdict: Verdict, target: _Target) -> str:
    """Return why a rule that grants the target does not give it to this person."""
    text = verdict.sentence
    if verdict.outcome.applied:
        reasons = [given.reason.text for given in verdict.given if _aim(given.outcome) == target]
        text = f"not granted, though `{verdict.name}` applies: {'; '.join(reasons) or 'it gives another name'}"
    return f"{text} ({verdict.rule.id})"


def _could_be(rule: Rule, target: _Target) -> Iterator[bool]:
    kind, account, name = target
    for grant in rule.grants:
        same_place = (grant.kind, grant.account) == (kind, account)
        yield same_place and (not grant.name.is_literal or grant.name.text == name)


def _denies(rule: Rule, target: _Target) -> bool:
    kind, account, name = target
    return any(
        denial.account == account
        and ((denial.role is None and denial.user is None) or (denial.role if kind == "role" else denial.user) == name)
        for denial in rule.denials
    )


def _aim(what: Entitlement | GrantOutcome) -> _Target:
    return what.kind, what.account, what.name


def _write(target: _Target) -> str:
    kind, account, name = target
    return f"{kind} {account}/{name}"
