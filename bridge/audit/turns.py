"""Whose turn it is to write into SQLite.

SQLite lets one transaction write at a time. Whoever finds the database taken asks again after a while, longer each
time, and somebody who came later may be luckier: with four processes that write all the time, one in a hundred waited
for more than a second. So those that write often wait in the kernel for a lock on a file beside the database, and get
it as soon as it is free. SQLite's own lock is what keeps the database whole, and whoever writes without taking a turn
is only unlucky more often.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine


@contextmanager
def turn(engine: Engine) -> Iterator[None]:
    """Let the block be the only one on this machine that takes a turn; on PostgreSQL nobody has to wait for one."""
    path = engine.url.database if engine.dialect.name == "sqlite" else None
    if not path:
        yield
        return
    descriptor = os.open(f"{path}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
