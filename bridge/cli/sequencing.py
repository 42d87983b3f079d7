"""The process of ``rambridge serve`` that gives the audit records of a machine their order, beside those that serve."""

import contextlib
import logging
import os
import signal
import threading
import time

from bridge.audit_log import opened_audit_log
from bridge.clock import SystemClock
from bridge.errors import BridgeError
from bridge.settings import Settings

_logger = logging.getLogger(__name__)

NICENESS = 10
"""Sign-ins come first: nobody waits for the order, and whoever reads makes up for what is not done yet."""
RESTART_SECONDS = 1.0
_SIGNALS = ("SIGHUP", "SIGQUIT", "SIGINT", "SIGTERM", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCHLD")


class SequencingProcess:
    """A child of the process that supervises the workers; started again when it has died."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._pid = 0
        self._started_at = 0.0

    def keep_running(self) -> bool:
        """Start it if it does not run. Returns True in the child, which has to call :func:`sequence` then."""
        if self._is_alive() or time.monotonic() - self._started_at < RESTART_SECONDS:
            return False
        self._started_at = time.monotonic()
        self._pid = os.fork()
        return self._pid == 0

    def stop(self) -> None:
        """End it. What it was at is done as a whole or not at all."""
        if self._is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    def _is_alive(self) -> bool:
        if not self._pid:
            return False
        try:
            ended, _ = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:  # the supervisor has noticed before us
            ended = self._pid
        if ended:
            self._pid = 0
        return not ended


def sequence(settings: Settings, parent: int) -> None:
    """Sequence until the process with the number ``parent`` is gone; then, and after an error, end this process."""
    for name in _SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.nice(NICENESS)
    stop = threading.Event()
    threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    try:
        with opened_audit_log(settings, SystemClock()) as log:
            log.sequencer.run_forever(stop)
    except BridgeError as error:
        _logger.error("audit records are not sequenced: %s", error.detail)  # noqa: TRY400  the detail says all
    finally:
        os._exit(0)


def _watch(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    stop.set()
