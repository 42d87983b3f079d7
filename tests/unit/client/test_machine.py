import sys

import pytest

from bridge.client.machine import has_browser

NAMES = ("BROWSER", "SSH_CONNECTION", "SSH_TTY", "DISPLAY", "WAYLAND_DISPLAY")


@pytest.fixture
def environment(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.skipif(sys.platform != "linux", reason="a Mac has a browser always")
def test_without_a_display_there_is_no_browser(environment):
    assert not has_browser()


def test_over_ssh_a_browser_would_open_on_the_other_machine(environment):
    environment.setenv("DISPLAY", ":0")
    environment.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
    assert not has_browser()


def test_who_names_a_browser_has_one(environment):
    environment.setenv("SSH_TTY", "/dev/pts/1")
    environment.setenv("BROWSER", "firefox")
    assert has_browser()
