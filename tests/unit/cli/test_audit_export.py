"""``rambridge audit export`` and ``forwarding`` as a person types them."""

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.audit.events import Origin, SessionEnded
from bridge.audit_log import opened_audit_log
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.settings import load_settings
from tests.ready_keys import put_keys

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with configuration, keys and three records, to be copied: making keys takes seconds."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(CONFIG, folder / "config")
    settings, clock = load_settings(folder / "config"), SystemClock()
    put_keys(settings.key_folder)
    with opened_audit_log(settings, clock) as opened:
        log = opened.build_log()
        for name in ("林薇", "=1+1", "Ada"):
            log.append(Origin("ref", "192.0.2.1"), SessionEnded(provider="p", issuer="i", subject=name, person=name))
    return folder


@pytest.fixture
def config(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "config"


@pytest.fixture
def run(config):
    return lambda *arguments: CliRunner().invoke(main, ["--config", str(config), "audit", *arguments])


def test_records_go_to_standard_output_and_what_was_done_to_standard_error(run):
    result = run("export")
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["person"] for line in result.stdout.splitlines()] == ["林薇", "=1+1", "Ada"]
    assert "3 records written to standard output" in result.stderr


def test_csv_is_for_spreadsheets(run):
    head, *rows = csv.reader(io.StringIO(run("export", "--format", "csv").stdout.removeprefix("\ufeff")))
    assert [row[head.index("person")] for row in rows] == ["林薇", "'=1+1", "Ada"]


def test_sealed_shows_nobody(run):
    for form in ("jsonl", "csv", "ocsf"):
        shown = run("export", "--format", form, "--sealed").stdout
        assert "Ada" not in shown
        assert "192.0.2.1" not in shown


@pytest.mark.parametrize("form", ["jsonl", "csv", "ocsf"])
def test_what_erasing_does_not_reach_says_so_as_it_is_made(run, form):
    assert "`audit erase` does not reach it" in run("export", "--format", form).stderr
    assert "erase" not in run("export", "--format", form, "--sealed").stderr


def test_the_export_is_in_the_log_with_its_author(run):
    run("export", "--author", "Grace Hopper", "--since", "1h", "--until", "2999-01-01")
    (line,) = [each for each in run("tail", "--json").stdout.splitlines() if "audit.exported" in each]
    recorded = json.loads(line)
    assert (recorded["author"], recorded["records"], recorded["form"]) == ("Grace Hopper", 3, "jsonl")


def test_a_bundle_needs_a_file_and_verifies_by_what_is_in_it(run, tmp_path):
    assert "--output FILE.zip" in run("export", "--format", "bundle").output
    place = tmp_path / "bundle.zip"
    result = run("export", "--format", "bundle", "--output", str(place))
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(place) as archive:
        archive.extractall(tmp_path / "bundle")
        key = archive.read("keys.txt").decode().splitlines()[0]
    command = [sys.executable, "-I", "verify_bundle.py", ".", "--key", key]
    done = subprocess.run(command, cwd=tmp_path / "bundle", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ada" not in (tmp_path / "bundle" / "records.jsonl").read_text()


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01", "7", "7y"])
def test_a_moment_that_is_none_is_a_usage_error_that_says_what_to_write(run, moment):
    result = run("export", "--since", moment)
    assert result.exit_code == 2
    assert "24h or 7d" in result.output


def test_a_time_that_ends_before_it_begins_is_a_usage_error_and_leaves_no_record(run):
    result = run("export", "--since", "2026-02-01", "--until", "2026-01-01")
    assert result.exit_code == 2
    assert "--since is not before --until" in result.output
    assert "audit.exported" not in run("tail").output


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_no_record(run):
    result = run("export", "--output", "/nowhere/audit.jsonl")
    assert result.exit_code == 1
    assert "/nowhere/audit.jsonl" in result.output
    assert "audit.exported" not in run("tail").output


def test_without_receivers_forwarding_says_so(run):
    assert "Nobody gets records" in run("forwarding").output
    assert not run("forwarding", "--json").output


def test_a_receiver_that_nothing_was_tried_with_is_shown_as_new(run, config):
    hook = "{name: hook, to: webhook, url: 'http://127.0.0.1:9/?token=s3cret', secret: env:NOT_SET_HERE}"
    (config / "audit.yaml").write_text(f"forwarding:\n  - {hook}\n")
    shown = run("forwarding").output
    assert "new" in shown
    assert "is the service running?" in shown
    assert "s3cret" not in shown
    (line,) = run("forwarding", "--json").stdout.splitlines()
    assert json.loads(line) | {"name": "hook", "state": "new", "to": "webhook"} == json.loads(line)
