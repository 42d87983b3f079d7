"""What keeping sign-ins costs, and reading a hundred thousand of them again.

    python -m tests.benchmarks.history

=========  ========================================================================================
note       what a sign-in itself pays, against resolving the rules once
keep       CPU time of the thread for each sign-in, against sealing the same inputs alone
read       each sign-in of a hundred thousand, against unsealing and parsing the same bytes alone
usage      last use and number of people of 1,000 rules over all of them
=========  ========================================================================================

On SQLite in a temporary folder. The sign-ins are of 20,000 people in ten groups each, so ten rules apply to each.
"""

import os
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.entitlements.resolve import resolve
from bridge.entitlements.rules import RulesInForce
from bridge.history import writer
from bridge.history.history import History
from bridge.history.mapping_inputs import pack_inputs, reduce_identity
from bridge.history.tables import sign_ins
from bridge.identity.verified import VerifiedIdentity
from bridge.sealing import Sealer
from tests.unit.entitlements.factories import Rules, make_identity

SIGN_INS, PEOPLE, RULES = 100_000, 20_000, 1_000
SAMPLE = 5_000
_RULE = "- {{name: r{0}, groups: [group-{0:04}-of-the-company], grant: [{{account: acme, role: R{0}}}]}}\n"


def make_person(number: int) -> VerifiedIdentity:
    """Return one of the people."""
    number %= PEOPLE
    groups = [f"group-{(number * 7 + place * 101) % RULES:04}-of-the-company" for place in range(10)]
    claims = {"groups": groups, "email": f"person.{number}@example.com", "name": f"Person {number}"}
    return make_identity(subject=f"subject-{number}", claims=claims)


def time_each(count: int, step: Callable[[int], object]) -> float:
    """Return the microseconds of CPU that one step takes."""
    began = time.process_time()
    for number in range(count):
        step(number)
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    """Print the figures and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        rules = Rules(Path(folder)).compile("rules:\n" + "".join(_RULE.format(number) for number in range(RULES)))
        engine, sealer, clock = open_engine(f"sqlite:///{folder}/bridge.db"), Sealer(os.urandom(32)), SystemClock()
        history = History(engine, sealer, clock, keep_days=30)
        history.start(RulesInForce(rules))
        people = [make_person(number) for number in range(PEOPLE)]
        resolutions = [resolve(person, rules, clock.now(), "192.0.2.7") for person in people]
        begin = clock.now() - timedelta(days=1)

        def note(number: int) -> None:
            at = begin + timedelta(milliseconds=number * 100)
            history.note(people[number % PEOPLE], "192.0.2.7", at, resolutions[number % PEOPLE])

        def seal(number: int) -> bytes:
            reduced = reduce_identity(people[number], rules.claims_read)
            return sealer.seal_json("name", pack_inputs(reduced, "192.0.2.7", resolutions[number]))

        floor = time_each(SAMPLE, lambda number: resolve(people[number], rules, begin, "192.0.2.7"))
        history.flush()
        writer.WAITING, noted, kept = SIGN_INS, 0.0, 0.0
        sealing = time_each(SAMPLE, seal)
        for start in range(0, SIGN_INS, SAMPLE):
            noted += time_each(SAMPLE, lambda number, start=start: note(start + number)) * SAMPLE
            began = time.process_time()
            while not history.flush(1):
                pass
            kept += (time.process_time() - began) * 1e6
        print(f"note   {noted / SIGN_INS:7.1f} µs {noted / SIGN_INS / floor:6.3f} × resolving ({floor:.0f} µs)")
        print(f"keep   {kept / SIGN_INS:7.1f} µs {kept / SIGN_INS / sealing:6.3f} × sealing alone ({sealing:.0f} µs)")

        with engine.connect() as connection:
            rows = connection.execute(select(sign_ins).limit(SAMPLE)).all()
        names = [writer.name_of(row.at, row.tie, row.person) for row in rows]
        opening = time_each(SAMPLE, lambda number: sealer.open_json(names[number], rows[number].sealed))
        began = time.process_time()
        count = sum(1 for _ in history.read(begin, clock.now()))
        each = (time.process_time() - began) / count * 1e6
        print(f"read   {each:7.1f} µs {each / opening:6.3f} × opening alone ({opening:.0f} µs), {count} sign-ins")
        began = time.perf_counter()
        usage = history.usage()
        print(f"usage  {(time.perf_counter() - began) * 1e3:7.1f} ms for {len(usage)} rules")
        size = sum(path.stat().st_size for path in Path(folder).glob("bridge.db*"))
        print(f"disk   {size / SIGN_INS:7.0f} bytes for each sign-in")


if __name__ == "__main__":
    main()
