"""The moment that a release does not outlast, whatever the other side does."""

import time


class Deadline:
    """Counts down by the monotonic clock: setting the machine's time neither lengthens nor shortens it."""

    def __init__(self, seconds: float) -> None:
        """Begin now; ``seconds`` are for everything together, tries, pauses and waiting for others included."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return how many seconds are left; 0 when it is over."""
        return max(0.0, self._end - time.monotonic())
