"""Trying again, only where that is safe, and never beyond the deadline.

Safe is a call that STS has certainly not acted on (no connection, throttled) or has certainly given up (5xx). Each try
is a new request with a new assertion, token or nonce: those are for one use. A call without an answer is not tried
again: STS may have issued something, and the time is gone anyway (threat STS-15).

The pauses have full jitter, so that a thousand waiting people do not come back at the same moment:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from bridge.errors import ExchangeUnavailable
from bridge.exchange.deadline import Deadline

TRIES = 3
FIRST_PAUSE_SECONDS = 0.1
LARGEST_PAUSE_SECONDS = 2.0

Answer = TypeVar("Answer")


def try_repeatedly(
    attempt: Callable[[], Answer],
    deadline: Deadline,
    *,
    draw: Callable[[float, float], float] = random.uniform,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """Return what the first attempt that succeeds returns.

    Args:
        attempt: makes one whole request; raises ExchangeUnavailable, which says whether another one is safe.
        deadline: no pause ends after it.
        draw: draws a pause between two bounds, in seconds.
        sleep: waits so many seconds.

    Raises:
        ExchangeUnavailable: of the last attempt.
    """
    pause_limit = FIRST_PAUSE_SECONDS
    for number in range(1, TRIES + 1):
        try:
            return attempt()
        except ExchangeUnavailable as failure:
            pause = (failure.retry_after_seconds or 0) + draw(0, pause_limit)
            if not failure.may_retry or number == TRIES or pause >= deadline.left():
                raise
        sleep(pause)
        pause_limit = min(LARGEST_PAUSE_SECONDS, pause_limit * 2)
    raise AssertionError("unreachable")
