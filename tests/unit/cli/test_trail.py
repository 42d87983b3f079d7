"""``rambridge trail`` as a person types it."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.audit_log import opened_audit_log
from bridge.cli.main import main
from bridge.settings import load_settings
from tests.ready_keys import put_keys
from tests.synthetic_trail import ACCOUNTS, LogClock, record, synthesize

CONFIG = Path(__file__).parents[3] / "config"
NAMES = {"acme-production": "production", "acme-sandbox": "staging"}
GOVERNED = '\ntrail:\n  governed: ["*/Admin", "*/Developer", "production/Auditor", "production/Breaker*"]\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with configuration, keys, records, and a trail of what was done with what left."""
    folder = tmp_path_factory.mktemp("made")
    config = folder / "config"
    shutil.copytree(CONFIG, config, ignore=shutil.ignore_patterns("role_policies"))  # they are named by account
    ids = {name: number for number, name in ACCOUNTS.items()}
    for path in config.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        for number, (theirs, name) in enumerate(NAMES.items(), 1):
            text = text.replace(theirs, name).replace(f"100000000000000{number}", ids[name])
        path.write_text(text, encoding="utf-8")
    with (config / "audit.yaml").open("a", encoding="utf-8") as file:
        file.write(GOVERNED)
    settings, clock = load_settings(config), LogClock()
    put_keys(settings.key_folder)
    trail = synthesize(2_000, seed=5)
    with opened_audit_log(settings, clock) as opened:
        record(trail.log, opened.build_log(), clock)
    (folder / "trail").mkdir()
    trail.write(folder / "trail")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def run(folder):
    return lambda *arguments: CliRunner().invoke(
        main, ["--config", str(folder / "config"), "trail", *map(str, arguments)]
    )


def test_an_import_says_what_is_new_and_the_strays_are_listed_with_their_reasons(run, folder):
    result = run("import", folder / "trail")
    assert result.exit_code == 0, result.output
    assert "2 new strays: `rambridge trail strays` lists them." in result.stdout
    assert run("import", folder / "trail").stdout.endswith("0 new calls.\nNo new stray.\n")
    listed = run("strays")
    assert listed.exit_code == 1
    assert "The newest event that was imported is of 2026-01-" in listed.stdout
    assert "What was first used in the 3600 s before is told later" in listed.stdout
    lines = [json.loads(line) for line in run("strays", "--json").stdout.splitlines()]
    assert len(lines) == 2
    assert all(line["access_key_id"] in listed.stdout and line["reason"] for line in lines)


def test_a_file_that_cannot_be_read_is_named_and_nothing_is_said_of_strays_in_it(run, folder):
    (folder / "bad.json").write_text('{"eventId": "x"')
    (folder / "noise").write_bytes(b"\xff\xfe\xfd")
    result = run("import", folder / "bad.json", folder / "noise")
    assert result.exit_code == 1
    assert "bad.json: no JSON at character 0" in result.stderr
    assert "noise: it is neither gzip nor text in UTF-8" in result.stderr
    assert "Nothing was read" in result.stdout
    assert "No new stray" not in result.stdout
    run("import", folder / "trail")
    result = run("import", folder / "trail", folder / "bad.json")
    assert result.exit_code == 1
    assert result.stdout.endswith("No new stray in what could be read.\n")


def test_before_the_first_import_nothing_is_said_to_be_in_order(run):
    result = run("strays")
    assert result.exit_code == 0, result.output
    assert "Nothing was imported yet" in result.stdout
    assert "No stray" not in result.stdout
