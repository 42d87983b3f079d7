"""A private window, by a browser that is a script on the path and writes down how it was started."""

import os
import shlex
import shutil
import signal
import stat

import pytest

from bridge.client import private_window
from bridge.client.private_window import open_private

ADDRESS = "https://access.example.com/go/a-token"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that installs a browser on a machine that has no other, and a file of how it was started."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER", raising=False)
    started = tmp_path / "started"

    def install(name, exit_code=0, runs_seconds=0):
        path, sleep = tmp_path / name, shutil.which("sleep", path="/bin:/usr/bin")
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{started}"\n{sleep} {runs_seconds}\nexit {exit_code}\n')
        path.chmod(stat.S_IRWXU)
        return path

    def read():
        return started.read_text().splitlines() if started.exists() else []

    return install, read


@pytest.mark.parametrize(
    ("browser", "option"),
    [
        ("firefox", "--private-window"),
        ("google-chrome", "--incognito"),
        ("chromium", "--incognito"),
        ("microsoft-edge", "--inprivate"),
    ],
)
def test_each_browser_is_started_with_its_own_option(machine, browser, option):
    install, read = machine
    install(browser)
    assert open_private(ADDRESS, list).is_open
    assert read() == [f"{browser} {option} {ADDRESS}"]


def test_the_persons_own_browser_comes_first(machine, monkeypatch):
    install, read = machine
    install("firefox")
    chosen = install("chromium")
    monkeypatch.setenv("BROWSER", f"{shlex.quote(str(chosen))} %s")
    assert open_private(ADDRESS, list).is_open
    assert read() == [f"chromium --incognito {ADDRESS}"]


def test_the_desktops_default_comes_before_others(machine, tmp_path):
    install, read = machine
    for name in ("firefox", "google-chrome"):
        install(name)
    asked = tmp_path / "xdg-settings"
    asked.write_text("#!/bin/sh\necho google-chrome.desktop\n")
    asked.chmod(stat.S_IRWXU)
    assert open_private(ADDRESS, list).is_open
    assert read() == [f"google-chrome --incognito {ADDRESS}"]


def test_a_browser_that_fails_is_passed_over(machine):
    install, read = machine
    install("firefox", exit_code=1)
    install("chromium")
    assert open_private(ADDRESS, list).is_open
    assert read() == [f"firefox --private-window {ADDRESS}", f"chromium --incognito {ADDRESS}"]


def test_a_browser_that_fails_only_after_a_while_is_not_taken_for_one_that_opened(machine):
    install, read = machine
    install("firefox", exit_code=1, runs_seconds=0.8)
    said = []
    attempt = open_private(ADDRESS, lambda: said.append(len(read())))
    assert (attempt.is_open, attempt.failed[1:]) == (False, ("--private-window",))
    assert said == [1], "while it ran"


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # it is left to run, as a browser is
def test_a_browser_that_goes_on_running_is_not_waited_for(machine, monkeypatch):
    install, read = machine
    path = install("firefox", exit_code=1)
    path.write_text(
        f"#!/bin/sh\necho $$ >> '{path.parent}/started'\nexec {shutil.which('sleep', path='/bin:/usr/bin')} 60\n"
    )
    monkeypatch.setattr(private_window, "WATCHED_SECONDS", 0.6)
    said = []
    try:
        assert open_private(ADDRESS, lambda: said.append(1)).is_open
    finally:
        os.kill(int(read()[0]), signal.SIGKILL)
    assert said == [1]


def test_a_browser_that_runs_already_and_takes_the_address_is_watched_no_longer(machine, monkeypatch):
    install, _ = machine
    install("firefox")
    monkeypatch.setattr(private_window, "WATCHED_SECONDS", float("nan"))
    said = []
    assert open_private(ADDRESS, lambda: said.append(1)).is_open
    assert said == [1]


@pytest.mark.parametrize("browser", ["w3m %s", "unclosed 'quote", os.pathsep, ""])
def test_a_browser_of_which_no_option_is_known_is_never_started_in_an_open_window(machine, monkeypatch, browser):
    install, read = machine
    install("w3m")
    monkeypatch.setenv("BROWSER", browser)
    assert not open_private(ADDRESS, list).is_open
    assert read() == []
