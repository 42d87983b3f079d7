"""How fast an auditor's questions are answered, at ten million records as at ten thousand.

    python -m tests.benchmarks.audit_search DATABASE-URL [COUNT]

With COUNT the database is filled first (``tests/synthetic_log.py``). Each of the ten usual questions, and some searches
that are harder, are asked with values of records from all over the log, and with a value that is not there. What is
timed is all of ``AuditSearch.find``, opened records included; a page that a browser shows adds its own work to that.
On a busy machine, the CPU time of this process tells more than the time that passed; PostgreSQL's own is not in it.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from bridge.audit import tables
from bridge.audit.database import open_database
from bridge.audit.reader import AuditReader
from bridge.audit.search.query import Search
from bridge.audit.search.questions import QUESTIONS
from bridge.audit.search.search import AuditSearch
from bridge.audit.secrets import AuditSecrets
from bridge.sealing import Sealer
from tests.synthetic_log import write_log

GOAL_MS = 100.0
_ASKED = 20
_SAMPLE = 400


class _Sequenced:
    """Everything has its place already."""

    def catch_up(self) -> None:
        """Do nothing."""


class _Now:
    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        """Return the moment after the last record."""
        return self._moment


def main() -> None:
    """Ask, and print the median, the 95th percentile and the slowest answer of each question."""
    engine = open_database(sys.argv[1])
    secrets = AuditSecrets(engine, Sealer(bytes(32)))
    if len(sys.argv) > 2:
        print(write_log(engine, secrets, int(sys.argv[2])))
    draw = random.Random(1)
    reader = AuditReader(engine, secrets, _Sequenced())
    with engine.connect().execution_options(read_only=True) as connection:
        size = connection.execute(select(func.max(tables.index.c.position))).scalar_one() + 1
        positions = [draw.randrange(size) for _ in range(_SAMPLE)]
        query = select(tables.index).where(tables.index.c.position.in_(positions))
        rows = [dict(row) for row in connection.execute(query).mappings()]
        last = connection.execute(select(func.max(tables.index.c.time))).scalar_one()
    signed_in = next(row["position"] for row in rows if row["event"] == "sign_in.accepted")
    message = reader.after(signed_in - 1, 1)[0]["message_id"]
    now = datetime.fromtimestamp(last // 1_000_000).astimezone()
    search = AuditSearch(engine, secrets, _Now(now), reader, _Sequenced())
    print(f"{engine.dialect.name}, {size:,} records, {len(search._people._everybody()):,} people; milliseconds")
    print(f"{'':40}{'least':>9}{'median':>9}{'p95':>9}{'cpu':>9}{'cpu max':>9}{'rows':>6}")
    values = _Values(rows, draw)
    slow = False
    for name, ask in {**_questions(now, values), **_harder(now, values, size, message)}.items():
        slow |= _time(name, search, ask)
    slow |= _time_calls("overview of 7 days", lambda: search.overview(now - timedelta(days=7), now))
    slow |= _time_calls("overview of 30 days", lambda: search.overview(now - timedelta(days=30), now))
    slow |= _time_calls(
        "refusals by code, yesterday", lambda: search.counts("code", now - timedelta(days=1), now, refused=True)
    )
    sys.exit(slow)


class _Values:
    def __init__(self, rows: list[dict[str, Any]], draw: random.Random) -> None:
        self._rows, self._draw = rows, draw

    def any(self, column: str) -> str:
        """Return what some record has in a column; sometimes what none has."""
        if self._draw.random() < 0.1:
            return "0" * 32
        return str(self._draw.choice([row[column] for row in self._rows if row[column] is not None]))


def _questions(now: datetime, values: _Values) -> dict[str, Callable[[], tuple[Search, int | None]]]:
    columns = {
        "person": "subject",
        "access_key_id": "access_key_id",
        "role": "entitlement",
        "reference": "reference",
        "address": "network",
        "session_name": "session_name",
    }

    def ask(name: str) -> Callable[[], tuple[Search, int | None]]:
        question = QUESTIONS[name]
        if not question.asks_for:
            return lambda: (question.build(now, ""), None)
        return lambda: (question.build(now, values.any(columns[question.asks_for])), None)

    return {name: ask(name) for name in QUESTIONS}


def _harder(
    now: datetime, values: _Values, size: int, message: str
) -> dict[str, Callable[[], tuple[Search, int | None]]]:
    old = now - timedelta(days=200)
    return {
        "newest": lambda: (Search(), None),
        "one page in the middle": lambda: (Search(), size // 2),
        "refused, in the middle": lambda: (Search(outcome="refused"), size // 2),
        "accepted, in the middle": lambda: (Search(outcome="accepted"), size // 2),
        "one hour long ago": lambda: (Search(since=old, until=old + timedelta(hours=1)), None),
        "provider, code, one day long ago": lambda: (
            Search(provider=values.any("provider"), code=values.any("code"), since=old, until=old + timedelta(days=1)),
            None,
        ),
        "account and role of different records": lambda: (
            Search(account=values.any("account"), role=values.any("entitlement")),
            None,
        ),
        "provider and privileged, without mfa": lambda: (
            Search(provider=values.any("provider"), privileged=True, mfa=False),
            None,
        ),
        "person, refused, 30 days long ago": lambda: (
            Search(person=values.any("subject"), outcome="refused", since=old, until=old + timedelta(days=30)),
            None,
        ),
        "person, role": lambda: (Search(person=values.any("subject"), role=values.any("entitlement")), None),
        "part of a name": lambda: (Search(person="svensson 1"), None),
        "network, refused": lambda: (Search(address=values.any("network"), outcome="refused"), None),
        "word: common": lambda: (Search(text="production"), None),
        "word: part, in the middle": lambda: (Search(text="atformadm"), size // 2),
        "word: rare (a message id)": lambda: (Search(text=message), None),
        "word: not there": lambda: (Search(text="nowhere"), None),
        "words: two": lambda: (Search(text="okta databaseoperator"), None),
        "event, rare": lambda: (Search(event="rules.promoted"), None),
    }


def _time(name: str, search: AuditSearch, ask: Callable[[], tuple[Search, int | None]]) -> bool:
    found = 0

    def call() -> None:
        nonlocal found
        asked, before = ask()
        if asked.address and "/" not in asked.address:
            asked = Search(reference="0")
        found = max(found, len(search.find(asked, before).records))

    return _time_calls(name, call, lambda: found)


def _time_calls(name: str, call: Callable[[], Any], found: Callable[[], int] = lambda: 0) -> bool:
    call()
    took, used = [], []
    for _ in range(_ASKED):
        began, begun = time.perf_counter(), time.process_time()
        call()
        used.append((time.process_time() - begun) * 1_000)
        took.append((time.perf_counter() - began) * 1_000)
    p95 = sorted(took)[int(_ASKED * 0.95) - 1]
    figures = (min(took), statistics.median(took), p95, statistics.median(used), max(used))
    print(f"{name:40}" + "".join(f"{figure:9.1f}" for figure in figures) + f"{found():6}", flush=True)
    return p95 > GOAL_MS


if __name__ == "__main__":
    main()
