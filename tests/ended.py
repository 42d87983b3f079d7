"""Processes that somebody else started, and when they are gone."""

import time
from collections.abc import Iterable
from contextlib import suppress

import psutil


def wait_for_the_end(processes: Iterable[psutil.Process]) -> None:
    """Return when all have ended, also those that nobody has asked about since then."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.005)
