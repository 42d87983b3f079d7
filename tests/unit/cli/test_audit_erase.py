"""``rambridge audit erase`` as a person types it."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge import database, embedded_store
from bridge.audit.events import Origin, SessionEnded
from bridge.audit_log import opened_audit_log
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from bridge.sessions.habits import Habits, HabitStore
from bridge.settings import load_settings
from bridge.store_connection import connect_store
from tests.live_store import make_identity
from tests.ready_keys import put_keys

CONFIG = Path(__file__).parents[3] / "config"
ISSUERS = ("https://idp.example", "https://other.example")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with configuration, keys and records of two who are called the same, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(CONFIG, folder / "config")
    settings, clock = load_settings(folder / "config"), SystemClock()
    put_keys(settings.key_folder)
    with opened_audit_log(settings, clock) as opened:
        log = opened.build_log()
        for number, issuer in enumerate((*ISSUERS, "https://third.example")):
            origin = Origin("ref", f"192.0.2.{number}")
            name = "Ada" if number == 2 else "林薇"
            log.append(origin, SessionEnded(provider="p", issuer=issuer, subject="s-1", person=name))
    return folder


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return lambda *arguments: CliRunner().invoke(main, ["--config", str(tmp_path / "config"), "audit", *arguments])


def test_whoever_is_meant_is_shown_first_and_nobody_is_erased_without_a_yes(run):
    shown = run("erase", "--person", "ada", "--yes").output
    assert "Ada, s-1 of https://third.example\n    1 record, and what else came from 1 network address" in shown
    assert "Nothing of the keys is left" in shown
    for arguments, said in ((("--person", "林薇", "--yes"), "Say --all"), (("--person", "nobody"), "says nothing of")):
        result = run("erase", *arguments)
        assert (result.exit_code, said in result.output) == (1, True)
    assert run("erase", "--issuer", ISSUERS[0], "--subject", "s-1").exit_code == 1  # no answer is a no
    assert run("tail").output.count("林薇") == 2


def test_several_who_are_one_person_go_together(run):
    result = run("erase", "--person", "林薇", "--all", "--yes")
    assert result.exit_code == 0, result.output
    shown = run("tail").output
    assert ("林薇" in shown, "Ada" in shown) == (False, True)


def test_the_name_of_whoever_changed_the_rules_is_in_no_file_of_the_installation(run, tmp_path):
    with (tmp_path / "config" / "bridge.yaml").open("a") as file:
        file.write("rules:\n  rollout: promote\n")
    arguments = [
        "--config",
        str(tmp_path / "config"),
        "rules",
        "promote",
        "--author",
        "Qzxwvkjp Lin <qzxwvkjp@acme.example>",
    ]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    files = [path for path in (tmp_path / "var").rglob("*") if path.is_file()]
    assert any(b"Qzxwvkjp" in path.read_bytes() for path in files)
    assert run("erase", "--person", "qzxwvkjp lin", "--yes").exit_code == 0
    assert not [path for path in files if path.exists() and b"qzxwvkjp" in path.read_bytes().lower()]
    assert "somebody who was erased" in CliRunner().invoke(main, [*arguments[:3], "list"]).output


def test_exports_in_the_clear_that_may_name_the_person_are_listed(run):
    run("export", "--format", "csv", "--author", "Grace")
    run("export", "--format", "ocsf", "--sealed")
    run("export", "--until", "2020-01-01")
    shown = run("erase", "--person", "Ada", "--yes").output
    assert "1 export in the clear may name them" in shown
    assert "csv, by Grace, SHA-256 " in shown


def test_favourites_and_most_used_roles_go_too_and_nobody_elses(run, tmp_path):
    settings = load_settings(tmp_path / "config")
    folder = settings.data_folder / "store"
    sealer, clock = Sealer(*KeyFolder(settings.key_folder).sealing_keys()), SystemClock()
    ada, other = (make_identity(issuer=issuer, subject="s-1") for issuer in ("https://third.example", ISSUERS[0]))
    try:
        redis = connect_store(embedded_store.start(folder))
        habits = HabitStore(redis, sealer, clock)
        for each in (ada, other):
            habits.mark(each, "a-role", favourite=True)
            habits.note_use(each, "a-role")
        shown = run("erase", "--person", "Ada", "--yes").output
        assert habits.load(ada) == Habits()
        assert habits.load(other).favourites == ("a-role",)
        assert "not forgotten" not in shown
        redis.close()
    finally:
        embedded_store.stop(folder)


def test_habits_that_cannot_be_reached_are_told_with_the_command_that_reaches_them(run):
    shown = run("erase", "--person", "Ada", "--yes").output
    assert "Favourites and most used roles are not forgotten" in shown
    assert "rambridge audit erase --issuer https://third.example --subject s-1\n" in shown


def test_it_fails_while_something_is_in_the_way_and_says_what_to_say_again(run, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "EMPTYING_SECONDS", 0.2)
    reader = sqlite3.connect(tmp_path / "var" / "audit.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM audit_keys").fetchone()
    result = run("erase", "--person", "Ada", "--yes")
    assert result.exit_code == 1
    assert "The keys are not gone from the files of the database yet" in result.stderr
    again = "rambridge audit erase --issuer https://third.example --subject s-1"
    assert again in result.stderr
    assert "Ada" not in run("tail").output
    reader.close()
    assert run(*again.split()[2:], "--yes").exit_code == 0
