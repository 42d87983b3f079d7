"""Tests for mappings: given these claims, expect exactly these entitlements.

``language.py`` is what somebody writes in ``config/rules/tests/*.yaml``, ``run.py`` asks the rules, ``report.py`` is
what comes of it. Which files there are, ``settings`` finds out. A test is not part of a version of the rules: what
decides is the same with and without it (docs/decisions/0085).
"""

from bridge.entitlements.rule_tests.language import RULE_TEST_FILE, Expected, Given, RuleTestEntry, RuleTestFile
from bridge.entitlements.rule_tests.report import CaseResult, Difference, RuleTestReport
from bridge.entitlements.rule_tests.run import RuleTestCase, run_cases

__all__ = [
    "RULE_TEST_FILE",
    "CaseResult",
    "Difference",
    "Expected",
    "Given",
    "RuleTestCase",
    "RuleTestEntry",
    "RuleTestFile",
    "RuleTestReport",
    "run_cases",
]
