"""A private window, by a browser that is a script on the path and writes down how it was started."""

import os
import shlex
import stat

import pytest

from bridge.client.private_window import open_private

ADDRESS = "https://access.example.com/go/a-token"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that installs a browser on a machine that has no other, and a file of how it was started."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BROWSER", raising=False)
    started = tmp_path / "started"

    def install(name, exit_code=0):
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{started}"\nexit {exit_code}\n')
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
    assert open_private(ADDRESS)
    assert read() == [f"{browser} {option} {ADDRESS}"]


def test_the_persons_own_browser_comes_first(machine, monkeypatch):
    install, read = machine
    install("firefox")
    chosen = install("chromium")
    monkeypatch.setenv("BROWSER", f"{shlex.quote(str(chosen))} %s")
    assert open_private(ADDRESS)
    assert read() == [f"chromium --incognito {ADDRESS}"]


def test_the_desktops_default_comes_before_others(machine, tmp_path):
    install, read = machine
    for name in ("firefox", "google-chrome"):
        install(name)
    asked = tmp_path / "xdg-settings"
    asked.write_text("#!/bin/sh\necho google-chrome.desktop\n")
    asked.chmod(stat.S_IRWXU)
    assert open_private(ADDRESS)
    assert read() == [f"google-chrome --incognito {ADDRESS}"]


def test_a_browser_that_fails_is_passed_over(machine):
    install, read = machine
    install("firefox", exit_code=1)
    install("chromium")
    assert open_private(ADDRESS)
    assert read() == [f"firefox --private-window {ADDRESS}", f"chromium --incognito {ADDRESS}"]


@pytest.mark.parametrize("browser", ["w3m %s", "unclosed 'quote", os.pathsep, ""])
def test_a_browser_of_which_no_option_is_known_is_never_started_in_an_open_window(machine, monkeypatch, browser):
    install, read = machine
    install("w3m")
    monkeypatch.setenv("BROWSER", browser)
    assert not open_private(ADDRESS)
    assert read() == []
