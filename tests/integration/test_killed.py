"""The service and its database die at any moment: what left the bridge is in the log, once, and the log verifies.

``RAMBRIDGE_TEST_KILLS=300 .venv/bin/pytest -s tests/integration/test_killed.py`` kills so often, at other moments each
time, and says how much was released meanwhile.
"""

import os
import random
import signal
import threading
import time
from collections import Counter

import pytest
import requests

from bridge import embedded_store
from bridge.audit.proof.verification import Scope, verify_log
from bridge.sandbox.servers import run_sandbox
from tests.installation import BridgeProcess, prepare
from tests.integration.test_main_job import entitlements, read_credentials
from tests.own_postgresql import OwnPostgreSQL

KILLS = int(os.environ.get("RAMBRIDGE_TEST_KILLS", "2"))
PEOPLE = 4
SEED = 20261129 if KILLS < 10 else None


@pytest.fixture
def installation(tmp_path):
    installation = prepare(tmp_path)
    with run_sandbox(installation.config, installation.folder / "certs" / "sandbox"):
        yield installation
    embedded_store.stop(installation.store_folder)


class People:
    """Four who sign in and take credentials again and again; whoever is stopped in between begins anew."""

    def __init__(self, installation):
        self.released = []
        self._installation = installation
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._sign_in, daemon=True) for _ in range(PEOPLE)]

    def _sign_in(self):
        while not self._stop.is_set():
            try:
                browser = self._installation.sign_in(tile=random.choice(["Rambridge", "Rambridge (OpenID Connect)"]))
                chosen = entitlements(self._installation, browser)["role acme-production/ReadOnly"]
                self.released.append(read_credentials(browser.submit(f"/credentials/{chosen['id']}"))["AccessKeyId"])
            except (requests.RequestException, LookupError, TypeError, ValueError):
                self._stop.wait(0.05)  # something was dead at that moment, or is starting

    def wait_for_more(self):
        """Return when somebody has got credentials again: all of it works by itself."""
        before, deadline = len(self.released), time.monotonic() + 60
        while len(self.released) == before:
            assert time.monotonic() < deadline, "nobody gets credentials any more"
            time.sleep(0.02)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def check_log(installation, released):
    """Everything that was released is recorded, nothing twice, and all of it verifies."""
    with installation.open_audit() as log:
        log.sequencer.sign_now()
        verified = verify_log(log.engine, Scope(log.signer.verifier_keys, log.secrets.mac_key))
        records = log.reader.after(-1, limit=1_000_000)
    assert (verified.size, verified.unsigned) == (len(records), 0)
    issued = Counter(record["access_key_id"] for record in records if record["event"] == "exchange.issued")
    delivered = Counter(record["access_key_id"] for record in records if record["event"] == "delivery.credentials")
    reused = Counter(record["access_key_id"] for record in records if record["event"] == "exchange.reused")
    assert Counter(released) <= issued + reused
    assert set(issued.values()) == {1}, "an exchange is recorded once"
    assert Counter(released) <= delivered, "each release has a record of its own"
    once = Counter((record["reference"], record["event"]) for record in records if record["reference"])
    assert set(once.values()) == {1}, "what one request did is recorded once"
    print(f"{KILLS} kills, {len(released)} releases, {len(issued)} exchanges, {len(records)} records")  # noqa: T201


def test_sigkill_of_the_service_at_random_moments_leaves_no_release_unrecorded(installation):
    bridge, moments = BridgeProcess(installation), random.Random(SEED)
    bridge.start()
    with People(installation) as people:
        for _ in range(KILLS):
            people.wait_for_more()
            time.sleep(moments.uniform(0.0, 0.7))
            bridge.end(signal.SIGKILL)
            bridge.start()
        people.wait_for_more()
    bridge.end()
    check_log(installation, people.released)


def test_sigkill_of_the_database_at_random_moments_leaves_no_release_unrecorded(installation):
    """Now and then of the service instead; after the database came back, the service works on by itself."""
    moments = random.Random(SEED)
    with OwnPostgreSQL() as server:
        file = installation.config / "bridge.yaml"
        url = server.url.render_as_string(hide_password=False)
        file.write_text(file.read_text().replace("sqlite:///../var/audit.db", url))
        bridge = BridgeProcess(installation)
        bridge.start()
        with People(installation) as people:
            for _ in range(KILLS):
                people.wait_for_more()
                time.sleep(moments.uniform(0.0, 0.7))
                if moments.random() < 0.25:
                    bridge.end(signal.SIGKILL)
                    bridge.start()
                    continue
                server.kill()
                time.sleep(moments.uniform(0.0, 0.3))
                server.start()
            people.wait_for_more()
        bridge.end()
        check_log(installation, people.released)
