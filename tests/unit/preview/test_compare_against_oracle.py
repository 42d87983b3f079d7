"""The gains and losses of a preview are those of a slow evaluator that shares nothing with it.

In the suite there are few examples and always the same. ``RAMBRIDGE_TEST_EXAMPLES=200`` runs that many edits, each on
10,000 sign-ins, which takes a while; it prints how far it is.
"""

import os
import sys
from random import Random

from bridge.preview.compare import compare
from tests.unit.preview import oracle
from tests.unit.preview.material import compile_files, edit, make_rules, make_sign_ins

EXAMPLES = int(os.environ.get("RAMBRIDGE_TEST_EXAMPLES", "0"))
SIGN_INS = 10_000 if EXAMPLES else 100


def test_gains_and_losses_are_exactly_those_of_the_oracle():
    random = Random(4)
    changed = 0
    for number in range(EXAMPLES or 60):
        if number % 20 == 0:  # another base, another history
            files = make_rules(random, random.choice([3, 12, 30]))
            sign_ins = list(make_sign_ins(random, SIGN_INS, people=SIGN_INS // 10))
            before = compile_files(files)
            held = [oracle.decide(kept, files) for kept in sign_ins]
        draft = edit(random, files)
        comparison = compare(sign_ins, before, compile_files(draft))
        found = {
            (each.difference.effect, each.person, what.kind, what.account, what.name)
            for each in comparison.differences
            for what in [each.difference.what]
        }
        pairs = zip(sign_ins, held, strict=True)
        expected = set().union(*(oracle.differ(kept, old, oracle.decide(kept, draft)) for kept, old in pairs))
        assert found == expected, f"edit {number}: {files} → {draft}"
        assert comparison.changed_people == len({each[1] for each in expected})
        changed += bool(found)
        if EXAMPLES:
            sys.stderr.write(f"{number + 1} of {EXAMPLES} edits, {changed} of which change something\n")
    assert changed > (EXAMPLES or 60) // 4, "edits that change nothing prove nothing"
