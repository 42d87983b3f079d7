"""The tests for mappings of a configuration: read, compared with what they name, and run."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from bridge.entitlements.rule_tests import (
    RULE_TEST_FILE,
    Given,
    RuleTestCase,
    RuleTestEntry,
    RuleTestFile,
    RuleTestReport,
    run_cases,
)
from bridge.entitlements.rules import RuleSet
from bridge.errors import Problem, SettingsError
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.verified import VerifiedIdentity
from bridge.identity.workloads import Workload
from bridge.settings.configuration import Configuration
from bridge.yaml_documents import Loc, Positions, read_model, sort_problems


def run_rule_tests(
    configuration: Configuration, now: datetime, rules: RuleSet | None = None, folder: Path | None = None
) -> RuleTestReport:
    """Return what comes of the tests for mappings.

    Args:
        configuration: its providers and accounts.
        now: the moment (UTC) for tests that name none.
        rules: the rules to test; None: those of the configuration.
        folder: where the tests are; None: ``tests`` in the folder that the configuration's rules come from. One that is
            not there holds no tests.

    Raises:
        SettingsError: with every mistake in the test files; then no test was run.
    """
    rules = rules or configuration.rules
    folder = folder or configuration.rule_files.folder / "tests"
    problems: list[Problem] = []
    cases: list[RuleTestCase] = []
    for path in sorted(path for path in folder.glob("*.yaml") if not path.name.startswith(".")):
        reading = read_model(path, RULE_TEST_FILE)
        problems += reading.problems
        if reading.content and not reading.problems:
            reader = _Reader(configuration, rules, now, reading.document.positions, problems)
            cases += reader.build_cases(reading.content)
    if problems:
        raise SettingsError(sort_problems(problems))
    return run_cases(cases, rules)


Vouching: TypeAlias = SAMLProvider | OIDCProvider | Workload


class _Reader:
    """Makes cases of one file, and notes each name in it that does not exist."""

    def __init__(
        self,
        configuration: Configuration,
        rules: RuleSet,
        now: datetime,
        positions: Positions,
        problems: list[Problem],
    ) -> None:
        self._configuration = configuration
        self._rules = {rule.id for rule in rules.rules}
        self._now = now
        self._positions = positions
        self._problems = problems

    def build_cases(self, file: RuleTestFile) -> Iterator[RuleTestCase]:
        for number, entry in enumerate(file.tests):
            loc: Loc = ("tests", number)
            given = file.given.override(entry.given)
            provider = self._find_provider(given, entry, loc)
            self._check_names(entry, loc)
            if provider is None:
                continue
            mark = self._positions.locate((*loc, "name"))
            at = given.time or self._now
            yield RuleTestCase(
                name=entry.name,
                file=self._positions.file,
                line=mark.line,
                column=mark.column,
                identity=_build_identity(given, provider, at),
                at=at,
                source_address=given.source_address,
                expect=entry.expect,
                denied=entry.denied,
            )

    def _find_provider(self, given: Given, entry: RuleTestEntry, loc: Loc) -> Vouching | None:
        providers: dict[str, Vouching] = {**self._configuration.providers, **self._configuration.workloads}
        if given.provider is None:
            known = ", ".join(sorted(providers))
            message = f"the test `{entry.name}` names no provider"
            self._problems.append(self._positions.problem(loc, message, f"Add `provider` to `given`: one of {known}."))
            return None
        at = (*loc, "given", "provider") if entry.given.provider else ("given", "provider")
        self._check("provider", given.provider, providers, at)
        return providers.get(given.provider)

    def _check_names(self, entry: RuleTestEntry, loc: Loc) -> None:
        for key, entitled in (("expect", entry.expect), ("denied", entry.denied)):
            for number, each in enumerate(entitled):
                self._check("account", each.account, self._configuration.accounts, (*loc, key, number, "account"))
                if each.rule is not None:
                    self._check("rule", each.rule, self._rules, (*loc, key, number, "rule"))

    def _check(self, kind: str, name: str, known: Collection[str], loc: Loc) -> None:
        if name not in known:
            fix = f"Write one of: {', '.join(sorted(known)) or 'none'}."
            message = f"there is no {kind} named `{name}`"
            self._problems.append(self._positions.problem(loc, message, fix, kind=f"unknown-{kind}"))


def _build_identity(given: Given, provider: Vouching, at: datetime) -> VerifiedIdentity:
    authenticated_at = given.authenticated_at or at - timedelta(seconds=given.age_seconds or 0)
    return VerifiedIdentity(
        provider=provider.name,
        protocol=provider.protocol,
        issuer=given.issuer or (provider.entity_id if isinstance(provider, SAMLProvider) else provider.issuer),
        subject=given.subject,
        claims={"sub": given.subject, **given.claims} if isinstance(provider, Workload) else given.claims,
        authenticated_at=authenticated_at,
        message_id="",
        accept_until=at,
        acr=given.acr,
        amr=given.amr,
        authentication_time_stated=given.age_seconds is not None or given.authenticated_at is not None,
    )
