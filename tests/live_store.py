"""A real server for the tests that need one, started by our own launcher, and a clock that they can move."""

import shutil
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from bridge import embedded_store
from bridge.identity.verified import VerifiedIdentity
from bridge.store_connection import connect_store
from tests.ended import wait_for_the_end


class MovableClock:
    """A clock that stands until it is moved; it begins at the real time, since the server has its own."""

    def __init__(self):
        self.moment = datetime.now(UTC)

    def now(self):
        return self.moment

    def advance(self, seconds):
        self.moment += timedelta(seconds=seconds)


@contextmanager
def running_store():
    """Yield a client of a server that is ours alone and ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="rambridge-test-"))
    try:
        client = connect_store(embedded_store.start(folder))
        yield client
        client.close()
    finally:
        embedded_store.stop(folder)
        shutil.rmtree(folder)


def kill_store(folder):
    """SIGKILL for the embedded server of this folder, after what it answered is with the system; returns when it ended.

    While the disk is busy, a server that syncs every second keeps what it ought to write to itself, for up to two.
    """
    client = connect_store(embedded_store.find(folder))
    while client.info("persistence")["aof_buffer_length"]:
        time.sleep(0.01)
    client.close()
    process = psutil.Process(int((folder / "store.pid").read_text()))
    process.kill()
    wait_for_the_end([process])


def make_identity(**changes):
    """Return an employee of ten groups, as a provider would state her."""
    now = datetime.now(UTC)
    fields = {
        "provider": "corporate",
        "protocol": "saml",
        "issuer": "https://idp.example.com/saml/metadata",
        "subject": "zhang.wei@example.com",
        "claims": {
            "email": ["zhang.wei@example.com"],
            "displayName": ["张伟"],
            "department": ["Platform Engineering"],
            "groups": [f"cn=cloud-team-{number},ou=groups,dc=example,dc=com" for number in range(10)],
        },
        "authenticated_at": now - timedelta(seconds=40),
        "message_id": "_3c39bc0fe7b13769cab2f6f45eba801b1245264310738",
        "accept_until": now + timedelta(seconds=300),
        "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        "session_index": "_be9967abd904ddcae3c0eb4189adbe3f71e327cf93",
    }
    return VerifiedIdentity(**(fields | changes))
