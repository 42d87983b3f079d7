"""Records taken away in files."""

import csv
import hashlib
import json
import subprocess
import sys
import zipfile
from datetime import timedelta

import pytest

from bridge.audit.export.exporter import OPENED, Request
from bridge.audit.export.whole_file import write_whole
from bridge.audit.log import AuditLog
from bridge.database import open_engine
from bridge.errors import AuditUnavailable, ExportFailed
from tests.unit.audit.export.conftest import ORIGIN

WEI, MIN = ("s-lin-wei", "林薇"), ("s-zhang-min", "=cmd|' /C calc'!A0")


def request(format_="jsonl", *, opened=True, author="auditor"):
    return Request(format_, opened, author, ORIGIN)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_lines_hold_every_record_and_every_field_in_order(exports, tmp_path):
    exports.sign_in(*WEI)
    exports.refuse("assertion of yesterday")
    exported = exports.exporter.write(tmp_path / "a.jsonl", exports.exporter.find_span(), request())
    records = exports.records()
    assert lines(tmp_path / "a.jsonl") == records[:-1]
    assert exported.records == 3
    assert [record["person"] for record in records[:2]] == ["林薇", "林薇"]


def test_t_aud_07_each_export_is_recorded_with_who_what_and_the_digest_of_the_file(exports, tmp_path):
    exports.sign_in(*WEI)
    exports.exporter.write(tmp_path / "a.csv", exports.exporter.find_span(), request("csv", author="Ada"))
    recorded = exports.records()[-1]
    expected = {
        "event": "audit.exported",
        "author": "Ada",
        "form": "csv",
        "contents": "opened",
        "first": 0,
        "end": 2,
        "records": 2,
        "file_digest": hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest(),
        "source_address": ORIGIN.source_address,
    }
    assert expected.items() <= recorded.items()


def test_t_aud_07_what_cannot_be_recorded_is_not_exported(exports, tmp_path):
    exports.sign_in(*WEI)
    span = exports.exporter.find_span()
    full = open_engine(f"sqlite:///{tmp_path}/full/audit.db")  # a database without the log's tables
    exports.exporter._audit = AuditLog(full, exports.log.secrets, exports.clock)
    with pytest.raises(AuditUnavailable):
        exports.exporter.write(tmp_path / "a.jsonl", span, request())
    full.dispose()
    assert [path.name for path in tmp_path.iterdir() if "jsonl" in path.name] == []


def test_what_stays_sealed_says_nothing_of_a_person_and_can_be_found_by_its_digest(exports, tmp_path):
    exports.sign_in(*WEI)
    digest = exports.log.secrets.subject_digest("https://idp.example", "s-lin-wei")
    for form in ("jsonl", "csv", "ocsf"):
        place = tmp_path / form
        exports.exporter.write(place, exports.exporter.find_span(), request(form, opened=False))
        content = place.read_text()
        assert digest in content
        for value in ("s-lin-wei", "林薇", "\\u6797", "203.0.113.7", "session-of"):
            assert value not in content, (form, value)


def test_a_person_who_was_erased_is_gone_from_sealed_files_and_from_new_opened_ones(exports, tmp_path):
    exports.sign_in(*WEI)
    exports.sign_in(*MIN)
    exports.exporter.write(tmp_path / "sealed.jsonl", exports.exporter.find_span(), request(opened=False))
    (before, *_) = lines(tmp_path / "sealed.jsonl")
    assert exports.log.secrets.open(before)["person"] == "林薇"
    exports.log.secrets.erase(before["subject_digest"])
    assert exports.log.secrets.open(before)["erased"]
    exports.exporter.write(tmp_path / "opened.jsonl", exports.exporter.find_span(), request())
    erased, kept = lines(tmp_path / "opened.jsonl")[0], lines(tmp_path / "opened.jsonl")[2]
    assert (erased["erased"], "person" in erased, kept["person"]) == (True, False, MIN[1])


def test_only_the_records_of_the_time_that_was_asked_for_are_exported(either_exports, tmp_path):
    begin = either_exports.clock.now()
    for hour in range(5):
        either_exports.sign_in(f"s-{hour}", f"Person {hour}", hours=1)
    span = either_exports.exporter.find_span(begin + timedelta(hours=2), begin + timedelta(hours=4))
    exported = either_exports.exporter.write(tmp_path / "a.jsonl", span, request())
    assert [record["subject"] for record in lines(tmp_path / "a.jsonl")] == ["s-1", "s-1", "s-2", "s-2"]
    assert exported.records == 4
    nothing = either_exports.exporter.find_span(begin + timedelta(days=9))
    assert either_exports.exporter.write(tmp_path / "b.jsonl", nothing, request()).records == 0
    assert (tmp_path / "b.jsonl").read_text() == ""


def test_csv_of_a_real_log_has_no_live_cell(exports, tmp_path):
    exports.sign_in(*MIN)
    exports.refuse("＝HYPERLINK(1)")
    exports.exporter.write(tmp_path / "a.csv", exports.exporter.find_span(), request("csv"))
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert [row[head.index("person")] for row in rows[:2]] == ["'" + MIN[1]] * 2
    assert rows[2][head.index("detail")] == "'＝HYPERLINK(1)"
    assert not [cell for row in rows for cell in row if cell[:1] in set("=+-@＝\t\r")]


def verify(bundle, key):
    """Verify as an auditor would: the program from the bundle, isolated from everything that is installed."""
    with zipfile.ZipFile(bundle) as archive:
        program = bundle.with_suffix(".py")
        program.write_bytes(archive.read("verify_bundle.py"))
    command = [sys.executable, "-I", "-S", program, bundle, "--key", key]
    return subprocess.run(command, capture_output=True, text=True, env={}, check=False)


def test_a_bundle_verifies_with_nothing_but_the_program_in_it_and_says_nothing_of_people(exports, tmp_path):
    for number in range(5):
        exports.sign_in(f"s-{number}", f"Person {number}", hours=1)
    now, place = exports.clock.now(), tmp_path / "part.zip"
    span = exports.exporter.find_span(now - timedelta(hours=3), now - timedelta(hours=1))
    exported = exports.exporter.write(place, span, request("bundle", opened=False))
    done = verify(place, exports.key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "opened.jsonl" not in done.stdout
    assert exported.records == 4
    with zipfile.ZipFile(place) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Person" not in everything


def test_a_bundle_in_which_a_byte_was_changed_does_not_verify(exports, tmp_path):
    exports.sign_in(*WEI)
    place, forged = tmp_path / "a.zip", tmp_path / "b.zip"
    exports.exporter.write(place, exports.exporter.find_span(), request("bundle", opened=False))
    with zipfile.ZipFile(place) as archive, zipfile.ZipFile(forged, "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "records.jsonl":
                content = content.replace(b'"role PlatformAdmin"', b'"role PlatformAdmim"')
            other.writestr(name, content)
    done = verify(forged, exports.key)
    assert done.returncode == 1
    assert "1" in done.stdout + done.stderr


def test_an_opened_bundle_verifies_too_and_has_what_was_opened_beside_the_records(exports, tmp_path):
    exports.sign_in(*WEI)
    place = tmp_path / "a.zip"
    exports.exporter.write(place, exports.exporter.find_span(), request("bundle"))
    done = verify(place, exports.key)
    assert done.returncode == 0
    assert "opened.jsonl is not proved by this" in done.stdout
    with zipfile.ZipFile(place) as archive:
        opened = [json.loads(line) for line in archive.read(OPENED).splitlines()]
    assert [record["person"] for record in opened] == ["林薇", "林薇"]


def test_a_folder_that_is_not_there_is_named(exports, tmp_path):
    with pytest.raises(ExportFailed, match="nowhere"):
        exports.exporter.write(tmp_path / "nowhere" / "a", exports.exporter.find_span(), request())


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    place = tmp_path / "a"
    place.write_text("before")

    def break_off():
        with write_whole(place) as file:
            file.content.write(b"half")
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        break_off()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert place.read_text() == "before"
    with write_whole(place) as file:
        file.content.write(b"after")
        file.appear()
    assert (place.read_text(), place.stat().st_mode & 0o777) == ("after", 0o600)


def test_of_two_exports_to_one_place_neither_lets_the_others_half_appear(tmp_path):
    place = tmp_path / "a.jsonl"
    with write_whole(place) as first, write_whole(place) as second:
        second.content.write(b"half")
        second.content.flush()
        with pytest.raises(ExportFailed, match="another"):
            first.appear()
        assert not place.exists()
        second.appear()
        assert place.read_text() == "half"


def test_a_killed_export_leaves_the_file_that_was_there_and_the_next_one_succeeds(tmp_path):
    place = tmp_path / "a"
    place.write_text("before")
    half = (
        "import sys, time; from pathlib import Path; from bridge.audit.export.whole_file import write_whole\n"
        "with write_whole(Path(sys.argv[1])) as file:\n"
        "    file.content.write(b'half'); file.content.flush(); print(flush=True); time.sleep(60)"
    )
    writer = subprocess.Popen([sys.executable, "-c", half, str(place)], stdout=subprocess.PIPE)
    writer.stdout.readline()
    writer.kill()
    writer.wait(10)
    writer.stdout.close()
    assert place.read_text() == "before"
    with write_whole(place) as file:
        file.content.write(b"after")
        file.appear()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "after"}
