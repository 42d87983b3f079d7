"""What administrators read of the log: sign-ins, newest first, and everything that has one reference."""

import pytest

from bridge.audit.events import EntitlementsResolved, Origin, SignInRefused
from bridge.audit.reader import parse_reference
from bridge.errors import AuditUnavailable
from tests.audit_log import open_log

WHO = {"provider": "p", "issuer": "i", "subject": "s", "person": "n"}
CHECKS = (("root", "pass", "a", "b"), ("audience", "fail", "x" * 600, "y"))


@pytest.fixture
def reader(audit_database):
    """Write a log with two refusals and something else in between, and return its reader."""
    opened = open_log(audit_database())
    log = opened.build_log()
    for reference in ("AAAA-AAAA-AAAA", "BBBB-BBBB-BBBB"):
        origin = Origin(reference, "192.0.2.1")
        log.append(origin, SignInRefused("p", "saml", "saml_audience", "d", claimed_issuer="c", checks=CHECKS))
        log.append(origin, EntitlementsResolved(**WHO, rules_version="v", granted=()))
    return opened.reader


def test_sign_ins_come_newest_first_and_alone(reader):
    assert [record["reference"] for record in reader.latest_sign_ins(10)] == ["BBBB-BBBB-BBBB", "AAAA-AAAA-AAAA"]
    assert len(reader.latest_sign_ins(1)) == 1
    assert {record["event"] for record in reader.latest_sign_ins(10)} == {"sign_in.refused"}


def test_a_reference_finds_all_records_of_its_request_in_order(reader):
    found = reader.find("AAAA-AAAA-AAAA")
    assert [record["event"] for record in found] == ["sign_in.refused", "entitlements.resolved"]
    assert reader.find("CCCC-CCCC-CCCC") == []
    assert reader.find("' OR 1=1 --") == []


def test_checks_are_kept_each_text_cut_and_nothing_else(reader):
    [refused, _] = reader.find("AAAA-AAAA-AAAA")
    assert refused["checks"] == [["root", "pass", "a", "b"], ["audience", "fail", "x" * 512, "y"]]
    assert refused["claimed_issuer"] == "c"
    assert "issuer" not in refused


def test_without_checks_a_record_does_not_mention_any(audit_database):
    opened = open_log(audit_database())
    opened.build_log().append(Origin("R", "192.0.2.1"), SignInRefused("p", "saml", "web_too_large", "d"))
    [record] = opened.reader.find("R")
    assert not record.keys() & {"checks", "claimed_issuer", "claimed_id"}


def test_a_database_that_does_not_answer_is_said_to(audit_database):
    engine = audit_database()
    reader = open_log(engine).reader
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit_index")
        connection.exec_driver_sql("DROP TABLE audit_keys")
    for call in (lambda: reader.find("R"), lambda: reader.latest_sign_ins(1), reader.end, reader.names):
        with pytest.raises(AuditUnavailable):
            call()


@pytest.mark.parametrize("text", ["1A2B-3C4D-5E6F", "1a2b3c4d5e6f", " 1A2B 3C4D 5E6F\n", "1A2B3C4D-5E6F"])
def test_a_reference_is_read_however_it_was_copied(text):
    assert parse_reference(text) == "1A2B-3C4D-5E6F"


@pytest.mark.parametrize(
    "text", ["", "1A2B-3C4D-5E6", "1A2B-3C4D-5E6G", "1A2B-3C4D-5E6F-0", "../../etc", "١٢٣٤-3C4D-5E6F"]
)
def test_what_is_no_reference_is_not_taken_for_one(text):
    assert parse_reference(text) is None
