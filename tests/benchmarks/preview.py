"""How long a preview takes: 10,000 kept sign-ins, 500 rules, and which stage takes what share.

    python -m tests.benchmarks.preview

Baseline, in the same run: the same sign-ins from memory, decided on twice by ``bridge.entitlements.resolve`` with
nothing left out. CPU seconds of one process count, so that a busy machine disturbs both alike. Three drafts: twelve
rules of 500 differ; a new denial concerns everybody; every rule differs. Two histories: a thousand people, who come
ten times each; ten thousand people, who come once, so that nothing is known from before.
"""

import copy
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.entitlements import resolve as engine
from bridge.entitlements.rules import RuleSet, RulesInForce
from bridge.history.history import History
from bridge.identity.verified import VerifiedIdentity
from bridge.preview import compare as comparing
from bridge.preview import replay
from bridge.sealing import Sealer
from tests.unit.preview.material import compile_files
from tests.unit.preview.oracle import WHEN

SIGN_INS, RULES, GROUPS, ACCOUNTS = 10_000, 500, 200, 25
ROLES = ("ReadOnly", "Admin", "Developer", "Operator", "Auditor")
GOAL_SECONDS = 3.0


def make_rules(random: Random) -> list[dict[str, Any]]:
    """Return rules as a large company has them: by group, some by claim or expression, some for fresh sign-ins only."""
    rules: list[dict[str, Any]] = []
    for number in range(RULES):
        rule: dict[str, Any] = {
            "name": f"rule-{number}",
            "groups": random.sample([f"g-{n}" for n in range(GROUPS)], random.randint(1, 2)),
        }
        chance = random.random()
        if chance < 0.1:
            rule["when"] = random.choice(list(WHEN))
        elif chance < 0.2:
            rule["claims"] = {"department": ["Platform"]}
        if chance > 0.95:
            rule["deny"] = [{"account": f"account-{random.randrange(ACCOUNTS)}", "role": random.choice(ROLES)}]
        else:
            if chance > 0.85:
                rule["require"] = {"max_age_seconds": 900}
            rule["grant"] = [
                {"account": f"account-{random.randrange(ACCOUNTS)}", "role": random.choice(ROLES)}
                for _ in range(random.randint(1, 2))
            ]
        rules.append(rule)
    return rules


def make_drafts(random: Random, rules: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    few = copy.deepcopy(rules)
    for number, rule in enumerate(random.sample(few, 12)):
        if number % 3 == 0:
            few.remove(rule)
        else:
            rule["groups"] = [*rule["groups"], "g-7"]
    yield "12 rules differ", few
    denial = {"name": "no", "everyone": True, "deny": [{"account": "account-1"}]}
    yield "a denial for everybody", [*copy.deepcopy(rules), denial]
    every = copy.deepcopy(rules)
    for rule in every:
        rule["groups"] = [*rule["groups"], f"x-{rule['name']}"]
    yield "every rule differs", every


def fill(history: History, rules: RuleSet, people: int, random: Random) -> None:
    """Let people sign in, as the service notes it."""
    now = datetime.now(UTC)
    persons = [
        {
            "groups": random.sample([f"g-{n}" for n in range(GROUPS)], random.randint(2, 6)),
            "department": random.choice(["Platform", "Finance", "Support"]),
            "email": f"p{number}@acme.example",
            "level": random.randint(1, 5),
        }
        for number in range(people)
    ]
    history.start(RulesInForce(rules))
    for number in range(SIGN_INS):
        person = number % people
        at = now - timedelta(days=29) + timedelta(days=29) * number / SIGN_INS
        identity = VerifiedIdentity(
            provider="acme-saml",
            protocol="saml",
            issuer="https://idp.example",
            subject=f"p{person}",
            claims=persons[person],
            authenticated_at=at - timedelta(seconds=random.randint(1, 3000)),
            message_id="_",
            accept_until=at,
            acr="strong",
        )
        history.note(identity, random.choice(["10.1.2.3", "203.0.113.7"]), at, engine.resolve(identity, rules, at))
        if number % 1000 == 999:
            assert history.flush(60)


class Stages:
    """CPU seconds by stage; what a stage contains of another one is counted there."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inside: list[float] = []

    def measure(self, name: str, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        self._inside.append(0.0)
        try:
            return function(*arguments, **named)
        finally:
            spent = time.process_time() - start
            self.seconds[name] += spent - self._inside.pop()
            if self._inside:
                self._inside[-1] += spent

    def iterate(self, name: str, items: Iterator[Any]) -> Iterator[Any]:
        end = object()
        while (item := self.measure(name, next, items, end)) is not end:
            yield item


@contextmanager
def watching(stages: Stages, before: RuleSet, after: RuleSet) -> Iterator[None]:
    """Measure what a replay calls."""
    names = {before.version: "evaluate before", after.version: "evaluate after"}
    resolve, bind, differ, key = engine.resolve, engine.bind_variables, replay.find_differences, replay.Replay._key

    def timed_resolve(identity: Any, rules: RuleSet, *rest: Any) -> Any:
        name = names.get(rules.version, "evaluate what looks at the moment")
        return stages.measure(name, resolve, identity, rules, *rest)

    with (
        patch.object(replay, "resolve", timed_resolve),
        patch.object(engine, "bind_variables", lambda *all_: stages.measure("bind", bind, *all_)),
        patch.object(replay, "find_differences", lambda *all_: iter(stages.measure("differ", list, differ(*all_)))),
        patch.object(replay.Replay, "_key", lambda self, kept: stages.measure("recognise", key, self, kept)),
    ):
        yield


def measure(history: History, before: RuleSet, after: RuleSet) -> tuple[float, float, Stages, int]:
    """Return the CPU seconds of a preview, of the baseline, and the stages of another preview."""
    now = datetime.now(UTC)
    since = now - timedelta(days=30)
    start = time.process_time()
    comparison = comparing.compare(history.read(since, now), before, after)
    total = time.process_time() - start
    sign_ins = list(history.read(since, now))
    start = time.process_time()
    for kept in sign_ins:
        old = engine.resolve(kept.identity, before, kept.at, kept.source_address)
        new = engine.resolve(kept.identity, after, kept.at, kept.source_address)
        {each.id for each in old.entitlements} ^ {each.id for each in new.entitlements}
    baseline = time.process_time() - start
    stages = Stages()
    with watching(stages, before, after):
        items = stages.iterate("read and open", history.read(since, now))
        stages.measure("group", comparing.compare, items, before, after)
    return total, baseline, stages, comparison.changed_people


def main() -> None:
    random = Random(1)
    rules = make_rules(random)
    start = time.process_time()
    before = compile_files({"10.yaml": rules})
    print(f"compile {RULES} rules: {time.process_time() - start:.2f} s")
    for people in (1_000, SIGN_INS):
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'bridge.db'}"
            history = History(open_engine(url), Sealer(os.urandom(32)), SystemClock(), keep_days=30)
            fill(history, before, people, random)
            for name, draft in make_drafts(random, rules):
                total, baseline, stages, changed = measure(history, before, compile_files({"10.yaml": draft}))
                print(f"\n{SIGN_INS} sign-ins of {people} people, {name}: {changed} people change")
                goal = "within" if total < GOAL_SECONDS else "NOT within"
                print(f"  {total:.2f} CPU s, {goal} {GOAL_SECONDS:g} s; ratio to the baseline {total / baseline:.2f}")
                whole = sum(stages.seconds.values())
                for stage, seconds in stages.seconds.most_common():
                    print(f"  {seconds / whole:5.0%}  {stage}")


if __name__ == "__main__":
    main()
