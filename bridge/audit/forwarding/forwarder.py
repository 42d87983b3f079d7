"""Send what a receiver does not have yet, in order, until it has said that it has it."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.exclusive import Turn
from bridge.audit.feed import Feed
from bridge.audit.forwarding.cursor import Cursor, Place
from bridge.clock import Clock
from bridge.errors import BridgeError, ForwardingFailed

_logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
OTHERS_TURN_SECONDS = 5.0
"""How often a process asks whether the one that sends has ended."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
"""After a failure; doubled with each that follows."""
LONGEST_RETRY_SECONDS = 600.0
"""How long a receiver may ask to be left alone."""
MAX_RECORDS = 500


class Sender(Protocol):
    """The way to one receiver."""

    def send(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Return once the receiver has all of ``records``, in this order.

        Raises:
            BridgeError: it does not, or it is not known; they are sent again.
        """


@dataclass(frozen=True)
class Receiver:
    """Who gets records."""

    name: str
    sender: Sender
    feed: Feed
    """The records as this receiver gets them: opened or sealed."""
    from_the_beginning: bool = False
    """Whether it gets what was recorded before it was first configured."""

    @property
    def target(self) -> str:
        """Its name in the table of places."""
        return f"forwarding/{self.name}"


class Forwarder:
    """Hands records on to one receiver."""

    def __init__(self, receiver: Receiver, engine: Engine, clock: Clock) -> None:
        """Take the receiver, the database and the clock."""
        self._receiver = receiver
        self._cursor = Cursor(engine, receiver.target, clock)
        self._turn = Turn(engine, receiver.target)
        self._limit = MAX_RECORDS

    def forward_once(self) -> int:
        """Send one batch, and return how many records it had; 0 if the receiver has everything.

        Raises:
            ForwardingFailed: the receiver does not have them for certain. The place stays, the failure stands with it.
            sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        place = self._cursor.read() or self._begin()
        records = self._receiver.feed.read(place.position, limit=self._limit)
        if not records:
            return 0
        try:
            self._receiver.sender.send(records)
        except BridgeError as error:
            # Half of it next time: a receiver may be too slow for so much at once, or refuse it for its size.
            self._limit = max(1, len(records) // 2)
            failure = error.detail or error.code
            self._cursor.note_failure(place, failure)
            retry = error.retry_seconds if isinstance(error, ForwardingFailed) else 0.0
            raise ForwardingFailed(failure, retry_seconds=retry) from error
        self._cursor.advance(place, records[-1]["position"] + 1)
        self._limit = min(MAX_RECORDS, self._limit * 2)
        return len(records)

    def run_forever(self, stop: threading.Event) -> None:
        """Forward until ``stop`` is set; whatever fails is tried again, each time after a longer pause."""
        pause, failures = 0.0, 0
        while not stop.wait(pause):
            try:
                if not self._turn.take():
                    pause = OTHERS_TURN_SECONDS
                    continue
                pause = 0.0 if self.forward_once() else POLL_SECONDS
                if failures:
                    _logger.warning("audit records reach %s again", self._receiver.name)
                failures = 0
            except ForwardingFailed as error:
                pause, failures = self._pause(failures, error.retry_seconds), failures + 1
                _logger.warning("audit records do not reach %s: %s", self._receiver.name, error.detail)
            except (SQLAlchemyError, OSError) as error:
                pause, failures = self._pause(failures), failures + 1
                _logger.warning(
                    "forwarding to %s waits for the database: %s", self._receiver.name, type(error).__name__
                )
            except Exception:  # a thread that died would stop forwarding until somebody restarts the service
                pause, failures = self._pause(failures), failures + 1
                _logger.exception("forwarding to %s failed", self._receiver.name)
        self._turn.leave()

    @staticmethod
    def _pause(failures: int, asked: float = 0.0) -> float:
        usual = min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures, 10), LONGEST_PAUSE_SECONDS)
        return max(usual, min(asked, LONGEST_RETRY_SECONDS))

    def _begin(self) -> Place:
        feed = self._receiver.feed
        return self._cursor.begin(0 if self._receiver.from_the_beginning else feed.size())
