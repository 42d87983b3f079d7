"""The process dies at any moment: what left it is in the log."""

import random
import signal
import threading
import time

import pytest
import requests

from bridge import embedded_store
from bridge.sandbox.servers import run_sandbox
from tests.installation import BridgeProcess, prepare
from tests.integration.test_main_job import entitlements, read_credentials

SIGN_INS = 200
SEED = 20261124


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = prepare(tmp_path_factory.mktemp("killed"))
    with run_sandbox(installation.config, installation.folder / "certs" / "sandbox"):
        yield installation
    embedded_store.stop(installation.store_folder)


def test_sigkill_at_random_moments_never_leaves_released_credentials_without_a_record(installation):
    """200 sign-ins by four people at once, while the whole process group is killed again and again."""
    released = []
    bridge = BridgeProcess(installation)
    bridge.start()
    people = [threading.Thread(target=sign_in_repeatedly, args=(installation, released), daemon=True) for _ in range(4)]
    for thread in people:
        thread.start()
    moments = random.Random(SEED)
    kills = 0
    while any(thread.is_alive() for thread in people):
        time.sleep(moments.uniform(0.2, 2.5))
        bridge.end(signal.SIGKILL)
        bridge.start()
        kills += 1
    bridge.end()

    records = installation.records()
    recorded = {record["access_key_id"] for record in records if record["event"] == "exchange.issued"}
    delivered = {record["access_key_id"] for record in records if record["event"] == "delivery.credentials"}
    assert len(released) >= SIGN_INS
    assert kills >= 5
    assert set(released) <= recorded
    assert set(released) <= delivered
    places = {}
    for record in records:
        places.setdefault(record["writer"], []).append(record["number"])
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in places.values()), "none twice, and no gap"
    assert [record["position"] for record in records] == list(range(len(records)))


def sign_in_repeatedly(installation, released):
    while len(released) < SIGN_INS:
        try:
            browser = installation.sign_in(tile=random.choice(["Rambridge", "Rambridge (OpenID Connect)"]))
            chosen = entitlements(installation, browser)["role acme-production/ReadOnly"]
            released.append(read_credentials(browser.submit(f"/credentials/{chosen['id']}"))["AccessKeyId"])
        except (requests.RequestException, LookupError, TypeError, ValueError):
            time.sleep(0.05)  # the bridge was dead at that moment, or is starting
