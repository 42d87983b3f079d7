"""What came of a run of tests for mappings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Difference:
    """One thing that is not as a test expects it."""

    kind: Literal["missing", "unexpected", "duration", "rule", "denied"]
    target: str
    """Such as ``role acme-production/PlatformAdmin``."""
    expected: str
    got: str
    because: str
    """Which rule decided so, and which of its conditions."""


@dataclass(frozen=True)
class CaseResult:
    """What came of one test."""

    name: str
    file: Path
    line: int
    column: int
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return not self.differences


@dataclass(frozen=True)
class RuleTestReport:
    """What came of all tests, and which rules they cover."""

    results: tuple[CaseResult, ...]
    rules_version: str
    applied: Mapping[str, int]
    """For each rule, by its id and in the order of the rules: in how many tests it applied."""

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """Return the tests that failed."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def uncovered(self) -> tuple[str, ...]:
        """Return the rules that applied in no test."""
        return tuple(rule for rule, times in self.applied.items() if not times)

    @property
    def coverage(self) -> float:
        """Return the share (0 to 1) of the rules that applied in some test; 1 where there are no rules."""
        return 1 - len(self.uncovered) / len(self.applied) if self.applied else 1.0
