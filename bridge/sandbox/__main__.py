"""``python -m bridge.sandbox CONFIG KEYS``: both stand-ins, until the process is told to stop."""

import signal
import sys
from pathlib import Path

from bridge.sandbox.servers import run_sandbox


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    config, keys = (Path(argument) for argument in sys.argv[1:3])
    with run_sandbox(config, keys):
        print("ready", flush=True)  # noqa: T201  whoever started us waits for this line
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
main()
