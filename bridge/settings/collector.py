"""Python's collector of cyclic garbage, paused while much is built that stays."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Collect no cyclic garbage meanwhile, in any thread.

    Each few hundred new objects start a collection. Of ten thousand rules every object stays, so that going through
    them again and again took more than a third of the time of loading them, and freed nothing.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
