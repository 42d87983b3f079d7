"""Previews that run beside the requests, one at a time in each process, and what became of them.

State and result lie sealed in Redis for an hour, so that whichever process is asked next can tell. The replay itself
is a thread that lets go of the interpreter after each batch: sign-ins of other people go on.
"""

import logging
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from bridge.clock import Clock
from bridge.entitlements.rules import RuleSet
from bridge.errors import BridgeError, StoreUnavailable, Unsealable
from bridge.history.history import History
from bridge.history.kept_sign_in import KeptSignIn
from bridge.language import LANGUAGES, Said, speaking
from bridge.preview.compare import Comparison, compare
from bridge.preview.drawing import draw
from bridge.preview.graph import build_graph
from bridge.preview.layout import place
from bridge.preview.picture_table import PictureRow, describe_rows
from bridge.preview.report import Report, build_report
from bridge.sealing import Sealer
from bridge.store_connection import RedisClient, build_key, store_errors

KEPT_SECONDS = 3600
SILENT_SECONDS = 30
"""A run of which nothing was heard for so long has died with its process."""
TOLD_SECONDS = 0.5
BATCH = 100
REST_SECONDS = 0.002

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What a run found, in the words of one language."""

    report: Report
    picture: str
    """An ``<svg>`` element that our own code has drawn."""
    table: tuple[PictureRow, ...]


@dataclass(frozen=True)
class Run:
    """One run, as far as it is."""

    id: str
    """128 random bits, hexadecimal."""
    title: Said
    """What was tried."""
    state: Literal["running", "done", "failed"]
    done: int
    total: int
    told_at: datetime
    fault: str = ""
    """Why it failed: a code of our own."""
    results: Mapping[str, Result] = field(default_factory=dict)
    """What it found, in each language: whoever looks at it may speak another one than whoever started it."""


_RUN: TypeAdapter[Run] = TypeAdapter(Run)


@dataclass(frozen=True)
class Task:
    """What to replay, against what."""

    title: Said
    before: RuleSet
    after: RuleSet
    since: datetime
    until: datetime
    kept_claims: frozenset[str] | None
    """As for :func:`bridge.preview.unjudged.find_unjudged`."""


class Runs:
    """The runs of all processes; this one's are started here."""

    def __init__(self, history: History, redis: RedisClient, sealer: Sealer, clock: Clock) -> None:
        """Take the kept sign-ins, and where states are kept."""
        self._history = history
        self._redis = redis
        self._sealer = sealer
        self._clock = clock
        self._busy = threading.Lock()

    def start(self, task: Task) -> str | None:
        """Begin a run and return its id; None if this process has one under way.

        Raises:
            HistoryUnavailable: the kept sign-ins cannot be read.
            StoreUnavailable: the state cannot be kept.
        """
        if not self._busy.acquire(blocking=False):
            return None
        try:
            total = self._history.count(task.since, task.until)
            run = Run(secrets.token_hex(16), task.title, "running", 0, total, self._clock.now())
            self._save(run)
            threading.Thread(target=self._work, args=(run, task), name="preview", daemon=True).start()
        except BaseException:
            self._busy.release()
            raise
        return run.id

    def find(self, run_id: str) -> Run | None:
        """Return a run; None if there is none or it is too long ago. Raises StoreUnavailable."""
        key = build_key("preview", run_id)
        with store_errors():
            sealed = self._redis.get(key)
        if sealed is None:
            return None
        try:
            run = _RUN.validate_python(self._sealer.open_json(key, sealed))
        except (Unsealable, ValidationError):
            return None
        silent = self._clock.now() - run.told_at > timedelta(seconds=SILENT_SECONDS)
        return replace(run, state="failed", fault="stopped") if run.state == "running" and silent else run

    def _work(self, run: Run, task: Task) -> None:
        try:
            finished = replace(run, state="done", done=run.total, results=self._replay(run, task))
        except BridgeError as error:
            finished = replace(run, state="failed", fault=error.code)
        except Exception as error:  # a thread that dies would leave a run that never ends
            _logger.exception("a preview failed: %s", type(error).__name__)
            finished = replace(run, state="failed", fault="internal")
        finally:
            self._busy.release()
        self._tell(finished)

    def _replay(self, run: Run, task: Task) -> dict[str, Result]:
        sign_ins = self._watch(run, self._history.read(task.since, task.until))
        comparison = compare(sign_ins, task.before, task.after)
        return {language: self._describe(task, comparison, language) for language in LANGUAGES}

    def _describe(self, task: Task, comparison: Comparison, language: str) -> Result:
        with speaking(language):
            report = build_report(
                comparison,
                task.before,
                task.after,
                since=task.since,
                until=task.until,
                kept_claims=task.kept_claims,
                unreadable=self._history.unreadable,
            )
            graph = build_graph(task.before, task.after, comparison)
            return Result(report, draw(place(graph)), describe_rows(graph))

    def _watch(self, run: Run, sign_ins: Iterable[KeptSignIn]) -> Iterator[KeptSignIn]:
        """Yield the sign-ins, tell how far it is, and let others have the interpreter."""
        told = time.monotonic()
        for number, kept in enumerate(sign_ins, 1):
            yield kept
            if number % BATCH == 0:
                time.sleep(REST_SECONDS)
                if time.monotonic() - told > TOLD_SECONDS:
                    self._tell(replace(run, done=min(number, run.total)))
                    told = time.monotonic()

    def _tell(self, run: Run) -> None:
        try:
            self._save(replace(run, told_at=self._clock.now()))
        except StoreUnavailable as error:
            _logger.warning("how far a preview is cannot be kept: %s", error.detail)

    def _save(self, run: Run) -> None:
        key = build_key("preview", run.id)
        sealed = self._sealer.seal_json(key, _RUN.dump_python(run, mode="json"))
        with store_errors():
            self._redis.set(key, sealed, px=timedelta(seconds=KEPT_SECONDS))
