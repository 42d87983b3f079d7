"""What the fuzzers share: how one input is judged, where inputs come from, and how many there were.

An input is fine if it is accepted, or refused with a leaf of ``IdentityError`` (or what else the fuzzer names), in at
most a second of this thread's time. Everything else stops the fuzzer with the input in a file.
"""

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris

from bridge.errors import BridgeError, IdentityError

SECONDS = 1.0
MAX_BYTES = 40_000


class Judge:
    """Counts what becomes of the inputs, and raises for what should not happen."""

    def __init__(self, *refusals: type[Exception]) -> None:
        """Take what a refusal is; without, it is a leaf of ``IdentityError``."""
        self._refusals = refusals or (IdentityError,)
        self.outcomes: Counter[str] = Counter()
        self._started = time.monotonic()
        self._next = 60.0

    def judge(self, verify: Callable[[], object]) -> object:
        """Return what ``verify`` returns, None if it refuses."""
        accepted: object = None
        started = time.thread_time()
        try:
            accepted = verify()
        except self._refusals as error:
            if isinstance(error, BridgeError) and "code" not in vars(type(error)):
                raise AssertionError("refused with an error that is no leaf") from error
            self.outcomes[error.code if isinstance(error, BridgeError) else type(error).__name__] += 1
        else:
            self.outcomes["accepted"] += 1
        seconds = time.thread_time() - started
        if seconds > SECONDS:
            raise AssertionError(f"{seconds:.1f} s for one input")
        self._tell()
        return accepted

    def _tell(self) -> None:
        now = time.monotonic() - self._started
        if now >= self._next:
            self._next = now + 60
            total = self.outcomes.total()
            print(f"{total} messages judged in {now:.0f} s: {dict(self.outcomes.most_common())}", flush=True)


def fuzz(
    test: Callable[[bytes], None],
    seeds: Iterable[bytes],
    words: Iterable[bytes] = (),
    change: Callable[[bytes, random.Random], bytes] | None = None,
) -> None:
    """Run the fuzzer until it is stopped; arguments are libFuzzer's, for instance ``-max_total_time=600``.

    ``seeds`` are the inputs that it begins with, ``words`` what it likes to put in, and ``change`` makes one input of
    another where the fuzzer's own changes would only break it.
    """
    with tempfile.TemporaryDirectory(prefix="rambridge-fuzz-") as folder:
        corpus, dictionary = Path(folder, "seeds"), Path(folder, "words")
        corpus.mkdir()
        for number, seed in enumerate(seeds):
            (corpus / f"{number:04}").write_bytes(seed)
        dictionary.write_text("".join(f'"{_escape(word)}"\n' for word in words))
        options = [f"-dict={dictionary}", f"-max_len={MAX_BYTES}", "-timeout=20", "-rss_limit_mb=1024"]

        def mutate(content: bytes, max_size: int, seed: int) -> bytes:
            source = random.Random(seed)
            if change is None or source.random() < 0.3:
                return atheris.Mutate(content, max_size)
            return change(content, source)[:max_size]

        child = os.fork()  # libFuzzer ends its process, and nobody would remove the folder
        if child == 0:
            one = any(Path(argument).is_file() for argument in sys.argv[1:])
            places = [] if one else [str(corpus)]
            atheris.Setup([sys.argv[0], *options, *sys.argv[1:], *places], test, custom_mutator=mutate)
            atheris.Fuzz()
        _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


def _escape(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)
