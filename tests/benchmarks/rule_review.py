"""How long `rambridge check` looks at ten thousand rules, and `rambridge test-rules` at 500 tests of 500 rules.

``python -m tests.benchmarks.rule_review``. The baseline is what both need anyway: reading and compiling the same rules.
"""

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bridge.entitlements.rules import RuleFiles, compile_rules, read_rules
from bridge.identity.providers import SAMLProvider
from bridge.settings import load_configuration, run_rule_tests
from bridge.settings.review import place_rules, review_rules
from tests.unit.configurations import write_configuration

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
PROVIDERS = {"p": SAMLProvider(name="p", title="P", protocol="saml", entity_id="e", metadata="m")}
RULES, TESTS = 10_000, 500
SHAPES = {
    "40 accounts, 50 roles, 3,000 groups": "groups: [g{group}], grant: [{{account: a{account}, role: R{role}}}]",
    "all grant the same": "groups: [g{n}], grant: [{{account: a, role: R}}]",
    "the same with other limits": "groups: [g{n}], grant: [{{account: a, role: R, duration_seconds: {long}}}]",
    "one group, other claims": "groups: [g], claims: {{d: x{n}}}, grant: [{{account: a, role: R}}]",
    "one group, other expressions": "groups: [g], when: 'claims.d == \"{n}\"', grant: [{{account: a, role: R}}]",
}


def measure_review(shape):
    lines = [
        f"- {{name: r{n}, {shape.format(n=n, group=n % 3000, account=n % 40, role=n % 50, long=900 + n)}}}"
        for n in range(RULES)
    ]
    content = "\n".join(["rules:", *lines]).encode()
    path = Path("/rules/r.yaml")
    started = time.process_time()
    document, problems = read_rules(path, content)
    assert not problems
    rules = compile_rules([document], {"p": "groups"}, RuleFiles(path.parent, {"r.yaml": content}))
    compiled = time.process_time()
    found = list(review_rules(place_rules([document], rules), PROVIDERS, NOW, {"p": frozenset({"groups", "d"})}))
    return compiled - started, time.process_time() - compiled, len(found)


def measure_tests(folder):
    rules = "\n".join(
        f"- {{name: r{n}, groups: [g{n}], require: {{amr: [mfa]}}, grant: [{{account: sandbox, role: R{n}}}]}}"
        for n in range(TESTS)
    )
    tests = "\n".join(
        f"- {{name: t{n}, given: {{claims: {{groups: [g{n}]}}}}, expect: [{{account: sandbox, role: R{n}}}]}}"
        for n in range(TESTS)
    )
    files = {
        "rules/10-platform.yaml": f"rules:\n{rules}\n",
        "rules/tests/t.yaml": f"given: {{provider: acme-oidc, amr: [mfa]}}\ntests:\n{tests}\n",
    }
    started = time.process_time()
    configuration = load_configuration(write_configuration(folder, files))
    loaded = time.process_time()
    assert not run_rule_tests(configuration, NOW).failed
    return loaded - started, time.process_time() - loaded


def main():
    """Print each figure in seconds of CPU, and as a share of the baseline."""
    for name, shape in SHAPES.items():
        compiling, reviewing, found = measure_review(shape)
        print(
            f"{RULES:,} rules, {name}: compile {compiling:.2f} s, review {reviewing:.2f} s "
            f"({reviewing / compiling:.2f}), {found:,} findings"
        )
    with tempfile.TemporaryDirectory() as folder:
        loading, testing = measure_tests(Path(folder))
    print(f"{TESTS} tests, {TESTS} rules: load {loading:.2f} s, test {testing:.2f} s ({testing / loading:.2f})")


if __name__ == "__main__":
    main()
