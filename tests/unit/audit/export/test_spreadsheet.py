"""WEB-14: what a spreadsheet would run."""

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.audit.export.json_lines import encode_line
from bridge.audit.export.spreadsheet import COLUMNS, OTHERS, defuse, encode_head, encode_row

STARTS = "=+-@＝＋－＠﹦﹢﹣﹫−\t\r\n\0"
RECORD = {
    "position": 7,
    "time": "2026-11-29T12:00:00.000000Z",
    "event": "sign_in.accepted",
    "person": "林薇",
    "amr": ["pwd", "otp"],
    "mfa": True,
    "message_id": "_9f",
}


def read(text, **how):
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), **how))


def row_of(**fields):
    head, row = read(encode_head() + encode_row(RECORD | fields))
    return dict(zip(head, row, strict=True))


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u200b", '"', "'", '""', "“"])
def test_no_cell_begins_with_what_a_spreadsheet_runs(start, before):
    row = row_of(person=f"{before}{start}cmd|' /C calc'!A0", surprise=f"{before}{start}1")
    for cell in row.values():
        assert cell.lstrip(' "“')[:1] not in set(STARTS)


def test_the_twin_what_is_no_formula_is_left_as_it_is():
    row = row_of(detail="a=b, 3-2 and x@y.example")
    assert row["person"] == "林薇"
    assert row["detail"] == "a=b, 3-2 and x@y.example"
    assert (row["amr"], row["mfa"], row["refused"]) == ("pwd otp", "true", "false")
    assert json.loads(row[OTHERS]) == {"message_id": "_9f"}


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_no_cell_is_live_either_where_another_separator_is_taken(separator):
    text = encode_head() + encode_row(
        RECORD | {"person": f'a"{separator}=1+1{separator}"=2', "detail": f"x{separator}@y"}
    )
    for cell in (cell for row in read(text, delimiter=separator) for cell in row):
        assert cell.strip(' "')[:1] not in set(STARTS)


@given(st.text(alphabet=[*STARTS, *"\"' ,;|a(“＂，", "\u200b"], max_size=12))
def test_whatever_stands_in_a_field_no_part_that_could_be_a_cell_is_live(text):
    for part in re.split('["`,;|“”＂，；]', defuse(text)):
        assert part.strip()[:1] not in set(STARTS)


def test_one_record_is_one_line_in_both_forms():
    hostile = RECORD | {"person": "a\r\nb\u2028c\u0085d\x1b[31m\u202e"}
    assert len(encode_row(hostile).splitlines()) == 1
    assert encode_line(hostile).isascii()
    assert encode_line(hostile).count("\n") == 1
    assert json.loads(encode_line(hostile)) == hostile


def test_a_sealed_record_shows_digests_and_no_ciphertext():
    row = row_of(subject_digest="ab" * 16, sealed="AAAA", sealed_for="subject/ab")
    assert row["subject_digest"] == "ab" * 16
    assert "AAAA" not in "".join(row.values())


def test_spreadsheets_are_told_that_the_file_is_utf_8():
    assert encode_head().encode().startswith(b"\xef\xbb\xbf")
    assert read(encode_head())[0] == [*COLUMNS, OTHERS]
