"""``rambridge audit verify``, ``checkpoint`` and ``proof`` as transcripts."""

import sqlite3
import time
import zipfile

import pytest
from click.testing import CliRunner
from sqlalchemy import insert, select

from bridge.audit import tables
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.hand_over import record_hand_over
from bridge.audit.proof.notes import VerifierKey
from bridge.audit.proof.tree import read_tree
from bridge.audit.proof.verifier import verify_bundle
from bridge.audit_log import opened_audit_log
from bridge.cli.main import main
from bridge.clock import SystemClock
from bridge.keys import KeyFolder, rotate
from bridge.settings import load_settings
from tests.unit.cli.test_commands import config, write_records  # noqa: F401  a fixture


@pytest.fixture
def run(config):  # noqa: F811
    return lambda *arguments: CliRunner().invoke(main, ["--config", str(config), "audit", *map(str, arguments)])


@pytest.fixture
def noted(run, config, tmp_path):  # noqa: F811
    """Return a file with the checkpoint of 20 records, after which more were written."""
    write_records(config, 20)
    place = tmp_path / "noted.txt"
    place.write_text(run("checkpoint").stdout)
    write_records(config, 10)
    return place


def change(config, *statements):  # noqa: F811
    """Do what somebody can do who has the database."""
    database = sqlite3.connect(load_settings(config).audit_url().removeprefix("sqlite:///"))
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def public_key(config):  # noqa: F811
    keys = KeyFolder(load_settings(config).key_folder).checkpoint_keys()
    return str(VerifierKey("localhost:8080/audit", keys.current.public_key().public_bytes_raw()))


def test_verify_says_what_was_verified_and_by_whom_it_was_signed(run, config, noted):  # noqa: F811
    result = run("verify")
    assert result.exit_code == 0, result.output
    assert "30 records verified, 0 to 29: all are what was recorded" in result.output
    assert f"by {public_key(config)}" in result.output
    assert "20 records verified, 5 to 24" in run("verify", "--from", 5, "--to", 24).output


def test_verify_says_the_first_bad_position(run, config, noted):  # noqa: F811
    change(config, "UPDATE audit_records SET body = replace(body, 'signed_out', 'signed_up') WHERE id = (1 << 40) + 9")
    result = run("verify")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "The audit log does not verify."
    assert "  first bad position: 8" in result.stderr.splitlines()
    assert "Keep a copy" in result.stderr.splitlines()[-1]
    assert run("verify", "--from", 12).exit_code == 0


def test_verify_says_between_which_positions_it_is_where_nothing_tells_it_exactly(run, config, noted):  # noqa: F811
    assert run("verify").exit_code == 0
    change(
        config,
        *(f"DELETE FROM audit_{name} WHERE position >= 25" for name in ("index", "terms")),
        "DELETE FROM audit_records WHERE id > (2 << 40) + 5",
        "UPDATE audit_open_block SET leaves = substr(leaves, 1, 25 * 32)",
        "UPDATE audit_sequenced SET number = 5 WHERE writer = 2",
    )
    result = run("verify")
    assert result.exit_code == 1
    assert "records 25 to 29, which checkpoint 2 is over, are gone" in result.stderr
    assert "  first bad position: between 20 and 25" in result.stderr.splitlines()
    assert "20 is the first that is not proved" in result.stderr


def test_verify_does_not_say_that_there_is_what_is_behind_the_end(run, config, noted):  # noqa: F811
    assert run("verify", "--from", 30).exit_code == run("verify", "--to", 29).exit_code == 0
    for arguments in (("--from", 31), ("--to", 30)):
        result = run("verify", *arguments)
        assert result.exit_code == 1
        assert "the log ends before position 30" in result.stderr


def test_verify_does_not_call_nothing_verified_when_the_positions_are_the_wrong_way_round(run, noted):
    for arguments in (("--from", 9, "--to", 3), ("--since", noted, "--to", 19)):
        result = run("verify", *arguments)
        assert result.exit_code == 2
        assert "--to is before" in result.stderr


def test_verify_looks_at_what_searches_go_by_if_it_is_asked_to(run, config, noted):  # noqa: F811
    assert "Searches and figures go by all of them." in run("verify", "--search").output
    change(config, "UPDATE audit_kinds SET event = 'nothing'")
    assert run("verify").exit_code == 0
    result = run("verify", "--search")
    assert result.exit_code == 1
    assert "audit_kinds says otherwise than record 0: event" in result.stderr


def test_rebuild_mends_what_verify_found_says_what_it_was_and_records_it(run, config, noted):  # noqa: F811
    assert "30 records looked at. Nothing was wrong" in run("rebuild").output
    change(config, "UPDATE audit_kinds SET event = 'nothing'", "DELETE FROM audit_hours")
    result = run("rebuild")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-2:] == [
        "audit_kinds: 1 row mended",
        "30 records looked at. Searches and figures go by all of them now.",
    ]
    assert "Searches and figures go by all of them." in run("verify", "--search").output
    assert "audit.search_rebuilt" in run("tail").output.splitlines()[-1]
    change(config, "UPDATE audit_records SET body = replace(body, 'signed_out', 'signed_up') WHERE id = (1 << 40) + 9")
    result = run("rebuild")
    assert result.exit_code == 1
    assert "first bad position: 8" in result.stderr


def test_verify_proves_that_the_log_begins_with_what_was_noted(run, config, noted):  # noqa: F811
    assert "10 records verified, 20 to 29" in run("verify", "--since", noted).output
    result = run("verify", "--noted", noted)
    assert "The log begins with what 1 noted checkpoint said." in result.output
    change(
        config,
        *(f"DELETE FROM audit_{name} WHERE position >= 15" for name in ("index", "terms")),
        "DELETE FROM audit_records WHERE id > (1 << 40) + 15",
        *(f"DELETE FROM audit_{name}" for name in ("checkpoints", "open_block", "sequenced")),
    )
    assert run("verify").exit_code == 0, "alone, the log is one like any other"
    result = run("verify", "--noted", noted)
    assert result.exit_code == 1
    assert "records 15 to 19, which a noted checkpoint is over, are gone" in result.stderr


def test_verify_without_the_key_folder_takes_the_public_key(run, config, noted):  # noqa: F811
    key = public_key(config)
    folder = load_settings(config).key_folder / "audit-checkpoints"
    for file in folder.iterdir():
        file.unlink()
    assert "--key" in run("verify").stderr
    assert run("verify", "--key", key).exit_code == 0
    assert run("verify", "--key", "nobody").exit_code == 2


def test_a_checkpoint_proves_that_the_log_only_grew(run, config, noted, tmp_path):  # noqa: F811
    result = run("checkpoint", "--since", noted)
    assert "20 records of then are the first of the 30 of now" in result.stderr
    (tmp_path / "proof.json").write_text(result.stdout)
    arguments = ["--grew", str(tmp_path / "proof.json"), "--key", public_key(config)]
    assert verify_bundle.main(arguments) == 0
    (tmp_path / "proof.json").write_text(result.stdout.replace('"hashes": [\n  "', '"hashes": [\n  "AAAA'))
    assert verify_bundle.main(arguments) in (1, 2)


def test_a_log_without_checkpoints_is_signed_when_somebody_says_that_it_never_was(run, config, noted, monkeypatch):  # noqa: F811
    monkeypatch.setattr("bridge.audit.sequencer.UNSIGNED", 19)
    change(config, "DELETE FROM audit_checkpoints")
    result = run("checkpoint")
    assert result.exit_code == 1
    assert "20 records have their place, and there is no checkpoint" in result.stderr
    assert "audit checkpoint --first" in result.stderr
    assert run("checkpoint", "--first").exit_code == 0
    assert run("checkpoint").exit_code == 0


def test_a_proof_leads_from_a_record_to_a_checkpoint(run, noted):
    result = run("proof", 7)
    assert result.stdout.startswith("c2sp.org/tlog-proof@v1\nindex 7\n")
    assert "Proved: record 7 is under the checkpoint over 30 records." in result.stderr
    assert "There is no record 99." in run("proof", 99).stderr
    for what in ("x", "²", "9" * 19):
        assert run("proof", what).exit_code == 2


def test_a_proof_with_its_record_verifies_elsewhere(run, config, noted, tmp_path):  # noqa: F811
    place = tmp_path / "proof.zip"
    assert "1 record and what proves them" in run("proof", 7, "--output", place).output
    assert zipfile.ZipFile(place).read("records.jsonl").count(b"\n") == 1
    assert verify_bundle.main([str(place), "--key", public_key(config)]) == 0


def test_what_is_no_checkpoint_is_refused(run, noted, tmp_path):
    (tmp_path / "empty.txt").touch()
    for place in (tmp_path / "empty.txt", noted.with_name("nowhere.txt")):
        assert run("verify", "--noted", place).exit_code == 2
        assert run("checkpoint", "--since", place).exit_code == 2


def test_a_rotated_key_verifies_what_the_one_before_signed(run, config, noted):  # noqa: F811
    rotate(load_settings(config).key_folder, "audit-checkpoints", SystemClock())
    assert run("verify", "--noted", noted).exit_code == 0


def test_t_aud_06_whoever_stole_a_replaced_key_signs_nothing_for_those_who_know_its_successor(run, config, noted):  # noqa: F811
    stolen = public_key(config)
    keys = KeyFolder(load_settings(config).key_folder)
    thief = Signer("localhost:8080/audit", keys.checkpoint_keys().current)
    rotate(load_settings(config).key_folder, "audit-checkpoints", SystemClock())
    successor = public_key(config)
    with opened_audit_log(load_settings(config), SystemClock()) as log:
        assert record_hand_over(log.engine, log.sequencer, log.build_log(), log.signer)
        log.sequencer.sign_now()
        for arguments in (
            (),
            ("--key", successor),
            ("--key", stolen),
            ("--noted", noted),
            ("--key", successor, "--to", 5),
        ):
            assert run("verify", *arguments).exit_code == 0
        now = int(time.time()) + 2
        with log.engine.begin() as connection:
            last = connection.execute(select(tables.checkpoints).order_by(tables.checkpoints.c.number.desc())).first()
            note = thief.sign(last.size, read_tree(connection).root(), now)
            row = {"number": last.number + 1, "size": last.size, "time": now * 1_000_000, "note": note}
            connection.execute(insert(tables.checkpoints), row)
    for arguments in ((), ("--key", successor), ("--key", successor, "--to", 5)):
        result = run("verify", *arguments)
        assert result.exit_code == 1
        assert "signed by a key that was replaced" in result.stderr


def test_the_log_is_verified_and_shown_to_witnesses_where_no_receivers_secret_is(run, config, tmp_path, monkeypatch):  # noqa: F811
    write_records(config, 3)
    (config / "audit.yaml").write_text(
        "forwarding:\n  - {name: hook, to: webhook, url: 'https://soar.example.com/hook', secret: env:NOT_SET_HERE}\n"
        "witnesses:\n  - {name: vault, to: file, path: ../seen.txt}\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run("verify").exit_code == 0
    result = run("witness", "--now")
    assert result.exit_code == 0, result.output
    assert "vault: checkpoint" in result.stdout
    assert (config.parent / "seen.txt").exists()  # relative to audit.yaml, not to where somebody stands
