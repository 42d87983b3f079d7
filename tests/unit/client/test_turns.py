import subprocess
import sys
import time

import pytest

from bridge.client.failure import SignInFailed
from bridge.client.turns import FailedForAll, Turns

SERVER = "https://access.example.com"
HOLDER = """
import pathlib, sys, time
from bridge.client.failure import SignInFailed
from bridge.client.turns import Turns
folder = pathlib.Path(sys.argv[1])
with Turns({server!r}, folder).take(lambda _: None):
    (folder / "holds").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    {then}
"""


@pytest.fixture
def hold(tmp_path):
    """Start a process that has the turn, and does something once somebody waits for it."""
    started = []

    def start(then):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER.format(server=SERVER, then=then), str(tmp_path)], stderr=-1
        )
        started.append(process)
        while not (tmp_path / "holds").exists():
            time.sleep(0.01)

    yield start
    for process in started:
        process.communicate(timeout=20)


def let_go(folder):
    def report(what):
        assert what == "Waiting until another rambridge has signed in"
        (folder / "go").touch()

    return report


def test_who_comes_second_waits_and_goes_on(tmp_path, hold):
    hold("pass")
    with Turns(SERVER, tmp_path).take(let_go(tmp_path)):
        assert (tmp_path / "go").exists()


def test_who_waited_for_a_failure_fails_as_well(tmp_path, hold):
    hold("raise SignInFailed('This was refused in the browser.')")
    turns = Turns(SERVER, tmp_path)
    with pytest.raises(FailedForAll, match="refused in the browser") as raised, turns.take(let_go(tmp_path)):
        pytest.fail("the person would have been asked once more")
    assert (raised.value.exit_code, raised.value.kind) == (SignInFailed.exit_code, SignInFailed.kind)
    with turns.take(pytest.fail):  # who comes later begins anew
        pass


def test_a_process_that_dies_leaves_the_turn_free(tmp_path, hold):
    hold("import os; os.abort()")
    with Turns(SERVER, tmp_path).take(let_go(tmp_path)):
        pass


def test_turns_at_two_services_have_nothing_to_do_with_one_another(tmp_path):
    with Turns(SERVER, tmp_path).take(pytest.fail), Turns("https://other.example.com", tmp_path).take(pytest.fail):
        pass
