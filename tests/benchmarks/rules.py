"""What ten thousand rules cost: one evaluation, reading and compiling all of them, and reading them again.

    python -m tests.benchmarks.rules

An evaluation against 10,000 rules is compared with one against 10 and against 100 when ten rules match in each: the
goal is a ratio of at most 3. Reading and compiling are compared with PyYAML's C loader on the same files; reading again
after one of 50 files has changed, with reading them all. CPU time counts, and what is compared takes turns.
"""

import gc
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RuleFiles, RuleSet
from bridge.identity.verified import VerifiedIdentity
from bridge.settings import Configuration, load_configuration
from bridge.settings.configuration import compile_rule_files
from tests.unit.configurations import write_configuration

RULES, FILES, MATCHING = 10_000, 50, 10
ROUNDS, CALLS_PER_ROUND = 60, 20
GOAL = 3.0
NOW = datetime.now(UTC)
CONDITIONS = {
    "groups": "groups: [team-{number}]",
    "a claim": "claims: {{team: team-{number}, company: acme}}",
    "an expression": "when: 'claims.team == \"team-{number}\" && claims.level >= 3'",
}
SHARED = {  # what the ten rules have that match; no two expressions are the same
    "groups": "groups: [platform]",
    "a claim": "claims: {{team: platform, company: acme}}",
    "an expression": "when: 'claims.team == \"platform\" && claims.level >= {number} - {number} + 3'",
}
PERSON = VerifiedIdentity(
    provider="acme-oidc",
    protocol="oidc",
    issuer="https://idp.example",
    subject="lin.wei",
    claims={"groups": ["platform", *(f"other-{number}" for number in range(19))], "team": "platform"}
    | {"company": "acme", "level": 7, "department": "Platform", "email": "lin.wei@acme.example"},
    authenticated_at=NOW,
    message_id="1",
    accept_until=NOW + timedelta(minutes=5),
)


def write_rules(kind: str, count: int, changed: str = "") -> RuleFiles:
    """Return ``count`` rules in up to 50 files, of which ten match the person; ``changed`` changes the first file."""
    rules = [
        f"- name: rule-{number}\n  {(SHARED if number % (count // MATCHING) == 0 else CONDITIONS)[kind]}\n"
        "  grant:\n  - {{account: production, role: Role{number}, title: Role {number}, purpose: To work.}}\n"
        for number in range(count)
    ]
    per_file = max(1, count // FILES)
    texts = {
        f"{start:05}.yaml": "rules:\n"
        + "".join(rules[number].format(number=number) for number in range(start, min(start + per_file, count)))
        for start in range(0, count, per_file)
    }
    texts["00000.yaml"] += changed
    return RuleFiles(Path("rules"), {name: text.encode() for name, text in texts.items()})


def load_plainly(files: RuleFiles) -> list[Any]:
    """Return what PyYAML makes of the same files."""
    return [yaml.load(content, Loader=yaml.CSafeLoader) for _, content in files.iterate_rules()]


def measure(call: Callable[[], object]) -> float:
    """Return the CPU time of one call in milliseconds, without what earlier ones left to collect."""
    gc.collect()
    started = time.thread_time()
    call()
    return (time.thread_time() - started) * 1e3


def compare_evaluations(configuration: Configuration, kind: str) -> None:
    """Print one line: evaluations against 10, 100 and 10,000 rules, ten of which match."""
    rule_sets = [compile_rule_files(configuration, write_rules(kind, count)) for count in (MATCHING, 100, RULES)]
    for rules in rule_sets:
        assert len(resolve(PERSON, rules, NOW).entitlements) == MATCHING
    rounds = [[_microseconds(rules) for rules in rule_sets] for _ in range(ROUNDS)]
    few, some, many = (statistics.median(column) for column in zip(*rounds, strict=True))
    to_few = statistics.median(after / before for before, _, after in rounds)
    to_some = statistics.median(after / before for _, before, after in rounds)
    print(
        f"one evaluation by {kind:14} 10 rules {few:5.0f} µs  100 rules {some:5.0f} µs  10,000 rules {many:5.0f} µs"
        f"  ratio to 10 {to_few:.2f}, to 100 {to_some:.2f}  goal {GOAL}"
    )


def _microseconds(rules: RuleSet) -> float:
    started = time.thread_time()
    for _ in range(CALLS_PER_ROUND):
        resolve(PERSON, rules, NOW)
    return (time.thread_time() - started) / CALLS_PER_ROUND * 1e6


def compare_loading(configuration: Configuration, kind: str) -> None:
    """Print one line: reading and compiling 10,000 rules, and again after one file of 50 has changed."""
    files = write_rules(kind, RULES)
    baseline = min(measure(lambda: load_plainly(files)) for _ in range(3))
    kept = []
    first = measure(lambda: kept.append(compile_rule_files(configuration, files)))
    changed = [write_rules(kind, RULES, changed=f"# change {number}\n") for number in range(3)]
    again = min(measure(lambda each=each: kept.append(compile_rule_files(configuration, each))) for each in changed)
    print(
        f"10,000 rules by {kind:14} PyYAML {baseline:5.0f} ms  read and compiled {first:5.0f} ms, ratio "
        f"{first / baseline:.2f}  again with 1 of {FILES} files changed {again:5.0f} ms, ratio {again / first:.2f}"
    )


def main() -> None:
    """Print a line for each kind of condition."""
    with TemporaryDirectory(prefix="rambridge-benchmark-") as folder:
        configuration = load_configuration(write_configuration(Path(folder)))
    for kind in CONDITIONS:
        compare_evaluations(configuration, kind)
    for kind in CONDITIONS:
        compare_loading(configuration, kind)


if __name__ == "__main__":
    main()
