"""A process that appends to an audit log from many threads, and says what was appended; to be killed.

``python -m tests.killed_writer DATABASE-URL NAME``
"""

import os
import sys
import threading
import time

from bridge.audit.database import open_database
from bridge.audit.events import CredentialsDelivered, Origin, SessionEnded
from bridge.errors import BridgeError
from tests.audit_log import open_log

THREADS = 8


def main():
    url, name = sys.argv[1:]
    opened = open_log(open_database(url))
    log = opened.build_log()
    os.write(1, b"begun\n")
    for thread in range(THREADS):
        threading.Thread(target=append_for_ever, args=(log, f"{name}-{thread}"), daemon=True).start()
    threading.Thread(target=opened.sequencer.run_forever, args=(threading.Event(),), daemon=True).start()
    sys.stdin.read()


def append_for_ever(log, name):
    number = 0
    while True:
        number += 1
        reference = f"{name}-{number}"
        who = {"provider": "p", "issuer": "https://idp.example", "subject": name, "person": "Lin Wei"}
        what = {"account": "production", "entitlement": "role ReadOnly", "access_key_id": f"STS.{reference}"}
        try:
            log.append(Origin(reference, "192.0.2.7"), CredentialsDelivered(**who, **what), SessionEnded(**who))
        except BridgeError:
            time.sleep(0.01)  # nothing is released
            continue
        os.write(1, f"{reference}\n".encode())  # released


if __name__ == "__main__":
    main()
