"""What a refusal costs somebody who holds 400 roles, and misses five rules by something that they can do themself.

    python -m tests.benchmarks.refusal

Both searches of a refusal are compared with one decision about the same person by the same rules: what the person can
do alone, and the smallest change for the record, where there is such a role and where there is none. What is left
between these two tells whether a role exists (WEB-15). CPU time counts, and what is compared takes turns.
"""

import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bridge.entitlements.entitlement import identify
from bridge.entitlements.rules import RuleFiles, RuleSet
from bridge.entitlements.smallest_change import find_smallest_change, list_own_changes
from bridge.entitlements.steps import Situation
from bridge.identity.verified import VerifiedIdentity
from bridge.settings import load_configuration
from bridge.settings.configuration import compile_rule_files
from tests.unit.configurations import write_configuration

HELD = (60, 400)
ROUNDS = 30
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)  # a Tuesday
OFFICE, LINE = "10.0.0.0/8", "10.9.0.0/16"
HOURS = {"days": ["sat"], "from": "08:00", "to": "18:00", "time_zone": "UTC"}
STRONG: dict[str, Any] = {"acr": ["gold", "platinum"], "amr": ["hwk", "mfa"]}
PERSON = VerifiedIdentity(
    provider="acme-oidc",
    protocol="oidc",
    issuer="https://idp.example",
    subject="lin.wei",
    claims={"groups": ["platform", *(f"other-{number}" for number in range(19))]},
    authenticated_at=NOW - timedelta(hours=1),
    message_id="1",
    accept_until=NOW + timedelta(minutes=5),
)


def grant(role: str, **conditions: Any) -> dict[str, Any]:
    """Return a rule that gives a role."""
    given = {"account": "production", "role": role, "title": role, "purpose": "To work."}
    return {"name": role.lower(), "grant": [given], "groups": ["platform"]} | conditions


def write_rules(held: int) -> RuleFiles:
    """Return the rules: so many that hold, five of which something is missing, one for others, and three that deny."""
    rules = [
        *(grant(f"Role{number}") for number in range(held)),
        grant("Office", networks=[OFFICE]),
        grant("Saturday", hours=HOURS, networks=[OFFICE]),
        grant("Strong", require=STRONG),
        grant("Fresh", require={**STRONG, "max_age_seconds": 300}),
        grant("Everything", hours=HOURS, networks=[OFFICE], require={**STRONG, "max_age_seconds": 600}),
        grant("Hidden", groups=["finance"], networks=[OFFICE], require={**STRONG, "max_age_seconds": 60}),
        *(
            {"name": f"never-{number}", "everyone": True, "networks": [LINE]}
            | {"deny": [{"account": "production", "role": f"Role{number}"}]}
            for number in range(3)
        ),
    ]
    return RuleFiles(Path("rules"), {"10.yaml": json.dumps({"rules": rules}).encode()})


def measure(call: Callable[[], object]) -> float:
    """Return the CPU time of one call in milliseconds."""
    started = time.thread_time()
    call()
    return (time.thread_time() - started) * 1e3


def compare(rules: RuleSet, held: int) -> None:
    """Print a line for each search, beside one decision."""
    situation = Situation(PERSON, rules, NOW, "192.0.2.7")
    assert len(situation.list_granted()) == held
    assert len(list_own_changes(situation)) == 5
    hidden, missing = (identify("role", "production", role) for role in ("Hidden", "NoSuchRole"))
    assert find_smallest_change(situation, hidden)
    assert find_smallest_change(situation, missing) is None
    searches: dict[str, Callable[[], object]] = {
        "one decision": situation.resolve,
        "what one can do alone": lambda: list_own_changes(situation),
        "for the record, a role that exists": lambda: find_smallest_change(situation, hidden),
        "for the record, a role that does not": lambda: find_smallest_change(situation, missing),
    }
    rounds = [[measure(search) for search in searches.values()] for _ in range(ROUNDS)]
    print(f"{held} roles held")
    for place, name in enumerate(searches):
        took = statistics.median(each[place] for each in rounds)
        ratio = statistics.median(each[place] / each[0] for each in rounds)
        print(f"  {took:8.2f} ms, {ratio:6.2f} times one decision: {name}")


def main() -> None:
    """Print what it costs who holds much, and very much."""
    with TemporaryDirectory(prefix="rambridge-benchmark-") as folder:
        configuration = load_configuration(write_configuration(Path(folder)))
    for held in HELD:
        compare(compile_rule_files(configuration, write_rules(held)), held)


if __name__ == "__main__":
    main()
