"""SIGHUP takes over a good configuration without a failed request, and a broken one changes nothing."""

import os
import signal
import subprocess
import threading
import time

import pytest
import requests

from bridge import embedded_store
from bridge.cli.sequencing import NICENESS
from bridge.sandbox.servers import run_sandbox
from tests.installation import BridgeProcess, prepare
from tests.integration.test_main_job import entitlements

LONGEST_SECONDS = 120


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    installation = prepare(tmp_path_factory.mktemp("reload"))
    with run_sandbox(installation.config, installation.folder / "certs" / "sandbox"):
        with BridgeProcess(installation) as bridge:
            yield installation, bridge
        embedded_store.stop(installation.store_folder)


def hang_up(bridge):
    os.kill(bridge.pid, signal.SIGHUP)


def wait_until(condition):
    deadline = time.monotonic() + LONGEST_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def test_a_broken_configuration_changes_nothing_and_a_good_one_takes_over(served):
    installation, bridge = served
    browser = installation.sign_in()
    rules = installation.config / "rules" / "10-platform.yaml"
    good = rules.read_text()
    log = installation.folder / "bridge.log"

    rules.write_text(good + "  - nonsense\n")
    hang_up(bridge)
    wait_until(lambda: "10-platform.yaml" in log.read_text())
    time.sleep(1)
    assert "role acme-production/PlatformAdmin" in entitlements(installation, browser)

    rules.write_text(good.replace("role: PlatformAdmin", "role: DatabaseOperator"))
    hang_up(bridge)
    wait_until(lambda: "role acme-production/DatabaseOperator" in entitlements(installation, browser))
    wait_until(lambda: "role acme-production/PlatformAdmin" not in entitlements(installation, browser))


def test_a_configuration_without_its_key_changes_nothing(served):
    installation, bridge = served
    log = installation.folder / "bridge.log"
    provider = installation.config / "providers" / "acme-oidc.yaml"
    good = provider.read_text()
    keys = installation.folder / "certs" / "oidc-decryption"
    keys.rename(keys.with_name("away"))
    provider.write_text(f"{good}encryption: allow\n")
    hang_up(bridge)
    wait_until(lambda: "there is no oidc-decryption key" in log.read_text())
    time.sleep(2)
    assert requests.get(f"{installation.bridge}/health/live", timeout=60).status_code == 200
    keys.with_name("away").rename(keys)
    provider.write_text(good)


def test_one_process_beside_the_workers_orders_the_records_and_is_started_again(served):
    installation, bridge = served

    def find_child():
        """Return the process with the low priority."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,nice="], capture_output=True, text=True, check=True)
        rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines() if "-" not in line.split()[2]]
        return next((pid for pid, parent, nice in rows if parent == bridge.pid and nice == NICENESS), None)

    def count(table):
        with installation.open_audit() as log, log.engine.connect().execution_options(read_only=True) as connection:
            return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()

    installation.sign_in()
    wait_until(lambda: count("audit_index") == count("audit_records") > 0)
    wait_until(lambda: count("audit_checkpoints") > 0)
    wait_until(find_child)
    killed = find_child()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: find_child() not in {None, killed})
    installation.sign_in()
    wait_until(lambda: count("audit_index") == count("audit_records"))


def test_no_request_fails_during_a_reload(served):
    installation, bridge = served
    failures, answers, stop = [], [], threading.Event()

    def ask():
        while not stop.is_set():
            try:
                answers.append(requests.get(f"{installation.bridge}/health/live", timeout=60).status_code)
            except requests.RequestException as error:
                failures.append(repr(error))

    people = [threading.Thread(target=ask) for _ in range(4)]
    for thread in people:
        thread.start()
    try:
        for _ in range(2):
            before = bridge.processes()[1:]
            hang_up(bridge)
            wait_until(lambda before=before: not any(each.is_running() for each in before))
    finally:
        stop.set()
        for thread in people:
            thread.join()
    assert not failures
    assert set(answers) == {200}
