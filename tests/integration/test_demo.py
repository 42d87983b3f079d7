"""The demo as a newcomer runs it."""

import fcntl
import re
import signal
import subprocess
import sys
import time

import pytest
import requests

from bridge.sandbox.workspace import copy_configuration
from tests.installation import ROOT
from tests.ports import reserve_ports


@pytest.fixture
def workspace(tmp_path):
    ports = reserve_ports(3)
    copy_configuration(ROOT / "config", tmp_path, ports)
    return tmp_path, ports


def command(folder, *arguments):
    return [sys.executable, "-m", "bridge", "--config", str(folder / "config"), "demo", *arguments]


def test_once_makes_both_sign_ins_lets_a_job_in_and_prints_every_step(workspace):
    folder, _ = workspace
    result = subprocess.run(command(folder, "--once"), capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    for expected in ("SAML 2.0", "OpenID Connect", "Granted", "assumed-role/ReadOnly", "assumed-role/Developer"):
        assert expected in result.stdout
    job = result.stdout.partition("A CI job")[2]
    assert "assumed-role/Developer/deploy (AssumedRoleUser)" in job
    assert "a job on another branch is refused: AuthenticationFail.NoPermission" in job
    assert "a fork's job is refused: AuthenticationFail.OIDCToken.Invalid" in job
    assert "delivery.credentials" in result.stdout
    assert "records verified" in result.stdout
    assert re.search(r"\d+\.\d ms", result.stdout)
    assert "CAI" in result.stdout
    assert not re.search(r"CAI[A-Za-z0-9]{20}", result.stdout), "the token is shown"


def test_the_demo_says_what_to_click_and_ends_without_leaving_anything_behind(workspace):
    folder, ports = workspace
    process = subprocess.Popen(command(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        ready = requests.get(f"http://localhost:{ports[0]}/health/ready", timeout=60)
        process.terminate()
    assert process.returncode == 0
    assert f"http://127.0.0.1:{ports[1]}" in "".join(lines)
    assert ready.json()["status"] == "ready"
    for port in ports:
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://127.0.0.1:{port}/", timeout=60)
    assert not (folder / "var" / "store" / "store.sock").exists()


def heed_interrupts():
    """Let SIGINT be heard by a child, also where this suite runs in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("file", "number"),
    [
        pytest.param("logs/bridge.log", signal.SIGINT, id="while the bridge starts"),
        pytest.param("store/store.lock", signal.SIGTERM, id="while the store starts"),
    ],
)
def test_a_demo_that_is_ended_while_it_starts_leaves_nothing_behind(workspace, file, number):
    folder, _ = workspace
    process = subprocess.Popen(
        command(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509
    )
    deadline = time.monotonic() + 300
    while not (folder / "var" / file).exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(number)
    printed, _ = process.communicate(timeout=300)
    assert "Everything is running" not in printed
    assert "Traceback" not in printed
    assert process.returncode != 0
    running = subprocess.run(["ps", "-axww", "-o", "command"], capture_output=True, text=True, check=True).stdout
    assert [line for line in running.splitlines() if str(folder) in line] == []
    lock = folder / "var" / "store" / "store.lock"
    if lock.exists():
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the store has it as long as it lives


def test_once_fails_when_a_step_does_not_lead_where_it_should(workspace):
    folder, _ = workspace
    (folder / "config" / "rules" / "10-platform.yaml").unlink()
    result = subprocess.run(command(folder, "--once"), capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
