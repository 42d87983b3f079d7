"""What a test may need is named where a skip says it, and installed where nothing may be skipped."""

from pathlib import Path

import pytest

from tests.requirements import REQUIREMENTS, Requirement, require

INSTALLED_BY_CI = (Path(__file__).parents[2] / ".ci" / "system-packages.txt").read_text().splitlines()


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.setitem(REQUIREMENTS, "unobtainium", Requirement(lambda: False, "unobtainium-bin"))


def test_every_package_that_a_skip_names_is_installed_in_ci():
    named = {package for name, each in REQUIREMENTS.items() if name != "node" for package in each.packages.split()}

    assert named <= set(INSTALLED_BY_CI)


def test_what_is_absent_skips_with_the_package_to_install(absent, monkeypatch):
    monkeypatch.delenv("RAMBRIDGE_STRICT", raising=False)

    with pytest.raises(pytest.skip.Exception, match="needs unobtainium: apt-get install unobtainium-bin"):
        require("unobtainium")


def test_what_is_absent_fails_where_nothing_may_be_skipped(absent, monkeypatch):
    monkeypatch.setenv("RAMBRIDGE_STRICT", "1")

    with pytest.raises(pytest.fail.Exception, match="needs unobtainium: apt-get install unobtainium-bin"):
        require("unobtainium")
