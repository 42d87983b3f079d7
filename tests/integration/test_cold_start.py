"""One worker, an account with ``trust: oidc``, and more first calls than threads: RAM still gets our keys from it."""

import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest
import yaml

from bridge import embedded_store
from bridge.sandbox import servers
from bridge.sandbox.servers import run_sandbox
from tests.installation import BridgeProcess, prepare
from tests.integration.terminal import sign_in_terminal

THREADS, CALLS = 3, 9
TIMEOUT_SECONDS = 60


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = prepare(tmp_path_factory.mktemp("cold-start"))
    changes = {"bridge.yaml": {"workers": 1, "threads": THREADS}}
    changes["accounts/acme-sandbox.yaml"] = {"timeout_seconds": TIMEOUT_SECONDS}
    for name, change in changes.items():
        file = installation.config / name
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | change))
    with (
        patch.object(servers, "FETCH_SECONDS", TIMEOUT_SECONDS),
        run_sandbox(installation.config, installation.folder / "certs" / "sandbox"),
        BridgeProcess(installation),
    ):
        yield installation
    embedded_store.stop(installation.store_folder)
    assert "Traceback" not in (installation.folder / "bridge.log").read_text()


def test_first_calls_that_fill_all_threads_get_credentials_or_are_told_to_come_back(installation):
    terminal = sign_in_terminal(installation, installation.sign_in())
    begun = time.monotonic()
    with ThreadPoolExecutor(CALLS) as callers:
        asked = [callers.submit(terminal.credentials, "1000000000000002", "Developer") for _ in range(CALLS)]
        answers = [each.result() for each in asked]
    assert time.monotonic() - begun < TIMEOUT_SECONDS / 2, "nobody waited for a deadline"
    got = [answer for answer in answers if answer.status_code == 200]
    late = [answer for answer in answers if answer.status_code != 200]
    assert len(got) >= THREADS - 1
    assert all(answer.json()["ErrorCode"] == "exchange_crowded" for answer in late)
    assert all(answer.headers["Retry-After"] for answer in late)
    assert terminal.credentials("1000000000000002", "Developer").status_code == 200
