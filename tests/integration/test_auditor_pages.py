"""The pages of auditors over HTTP: what they find and record, whom they let in, and what stays out of addresses."""

import hashlib
import io
import json
import re
import secrets
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bridge import embedded_store
from bridge.app import create_app
from bridge.audit.alerts.tables import alerts
from bridge.audit.events import DoctorExchanged, Origin, SessionEnded
from bridge.audit.search import saved
from bridge.audit.trail.importing import TrailImport
from bridge.audit.trail.reading import find_files
from bridge.audit_log import opened_audit_log
from bridge.clock import SystemClock
from bridge.governed_roles import find_scope
from bridge.settings import load_configuration, load_settings
from bridge.web import own_sign_ins
from bridge.web.auditor import people_pages, search_export
from tests.installation import run_installation


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("auditor-pages")) as running:
        installation = running[0]
        installation.sign_in("sofia.marchetti")  # her only role opens the console at once
        installation.sign_in("amara.okafor")
        browser = installation.sign_in("lin.wei")
        browser.click("Get credentials: Read only in Acme Production")
        yield running


class Auditor:
    """The pages, for one person."""

    def __init__(self, installation, uid="lin.wei"):
        self.base = installation.bridge
        browser = installation.sign_in(uid)
        self.session = requests.Session()
        self.session.cookies.update({cookie.name: cookie.value for cookie in browser.cookies})
        self.session.headers["Sec-Fetch-Site"] = "same-origin"

    def open(self, path):
        return self.session.get(self.base + path, timeout=60)

    def post(self, path, **fields):
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.open("/").text)[1]
        return self.session.post(self.base + path, {"csrf_token": token, **fields}, timeout=60)

    def search(self, text, **filters):
        return self.post("/audit/search", q=text, **filters)


@pytest.fixture(scope="module")
def lin(running):
    return Auditor(running[0])


def find_record(installation, event, person=None):
    records = [each for each in installation.records() if each["event"] == event]
    return [each for each in records if person is None or each.get("person") == person][-1]


def count_rows(page):
    return page.text.count('<td class="time">')


def seen(installation, event):
    return [each for each in installation.records() if each["event"] == event]


# ── Finding ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("field", ["reference", "sts_request_id", "access_key_id", "source_address"])
def test_whatever_is_pasted_into_the_box_finds_its_records(lin, installation, field):
    record = next(each for each in installation.records()[::-1] if each.get(field))
    page = lin.search(f" {record[field]} ")
    assert page.ok
    assert count_rows(page) >= 1
    assert record["reference"] in page.text


def test_a_name_leads_to_the_person_and_stands_in_no_address(lin, installation):
    page = lin.search("Sofia")
    assert "Sofia Marchetti" in page.text
    for step in (*page.history, page):
        assert "sofia" not in step.url.lower()
    assert re.fullmatch(r"[0-9a-f]{32}", parse_qs(urlsplit(page.url).query)["person"][0])
    records = [each for each in installation.records() if each.get("person") == "Sofia Marchetti"]
    assert count_rows(page) == len(records)


def test_a_name_that_several_have_leads_to_all_of_them(lin):
    page = lin.search("a")
    assert page.ok
    assert len(re.findall(r'href="/audit/people/[0-9a-f]{32}"', page.text)) > 1
    assert urlsplit(page.url).query == ""


def test_words_that_nobody_is_called_are_looked_for_in_the_records(lin):
    page = lin.search("FinanceAuditor")
    assert "No record is like this" not in page.text
    assert "FinanceAuditor" in page.text


def test_words_that_find_nothing_lead_on_to_people_whose_names_no_words_find(lin):
    assert "Names are sealed" in lin.search("lin.wei").text
    assert "Names are sealed" not in lin.search("", code="saml_nothing").text


def test_filters_are_form_fields_and_narrow_what_is_found(lin):
    all_of_them, refused = lin.open("/audit/records"), lin.search("", outcome="refused")
    assert count_rows(all_of_them) > count_rows(refused)
    assert "outcome=refused" in refused.url
    nothing = lin.search("", code="saml_nothing").text
    assert nothing.count("No record is like this") == 1
    assert "Save this search as" in nothing  # what nobody did yet is worth looking for again


def test_a_filter_that_makes_no_sense_is_said_and_not_guessed(lin, installation):
    before = len(seen(installation, "audit.searched"))
    page = lin.open("/audit/records?since=yesterday&provider=acme-saml")
    assert "Write a day as" in page.text
    assert count_rows(page) == 0
    assert len(seen(installation, "audit.searched")) == before


@pytest.mark.parametrize(
    "path",
    [
        "/audit/records?until=9999-12-31",
        "/audit/records?since=0001-01-01T00:00%2B10:00",
        "/audit/records?until=0001-01-01T00:00",
        "/audit/records?person=Amara&before=-1" + 30 * "0",
        "/audit/records?outcome=refused&before=-1" + 30 * "0",
        "/audit/records?text=a%00b&role=a%00b",
        "/audit/trail/credentials/STS.1?before=-1" + 30 * "0",
        "/my/sign-ins?before=-1" + 30 * "0",
    ],
)
def test_no_number_moment_or_character_in_an_address_is_more_than_a_page_can_take(lin, path):
    assert lin.open(path).status_code in {200, 404}


def test_a_saved_search_with_a_number_that_no_database_holds_is_forgotten_without_a_fault(lin):
    assert lin.post(f"/audit/saved/{10**30}/forget").status_code == 200


def test_a_chart_of_a_search_with_filters_that_it_does_not_count_is_not_drawn(lin):
    day = datetime.now(UTC).date().isoformat()
    address = f"/audit/records?by=event&since={day}&until={day}"
    assert "By event" in lin.open(address).text
    assert "By event" not in lin.open(f"{address}&provider=acme-saml").text


def test_older_pages_go_on_where_the_last_one_ended(lin, installation):
    with opened_audit_log(load_settings(installation.config), SystemClock()) as log:
        ended = SessionEnded("acme-saml", "https://idp.example", "somebody", "Somebody")
        log.build_log().append(Origin("", ""), *[ended] * 60)
    first = lin.open("/audit/records")
    older = re.search(r'rel="next" href="([^"]+)"', first.text)[1].replace("&amp;", "&")
    second = lin.open(older)
    found = [re.findall(r'href="/audit/records/(\d+)"', page.text) for page in (first, second)]
    positions = [int(each) for page in found for each in page]
    assert positions == sorted(positions, reverse=True)
    assert len(set(positions)) == len(positions)


# ── One record, one person ───────────────────────────────────────────────────────────────────────────────────


def test_a_records_page_tells_who_decided_what_and_shows_the_record(lin, installation):
    record = find_record(installation, "delivery.console", "Sofia Marchetti")
    page = lin.open(f"/audit/records/{record['position']}")
    for text in (
        "How they authenticated",
        "Which rule decided, and why",
        "What was asked",
        "What limited the duration",
    ):
        assert text in page.text
    assert record["assertion_id"] in page.text
    assert "20-departments.yaml" in page.text


def test_a_record_that_is_not_there_is_not_found(lin):
    assert lin.open("/audit/records/99999999").status_code == 404


def test_a_persons_page_is_found_by_digest_alone_so_that_no_name_is_recorded_as_one(lin, installation):
    assert lin.open("/audit/people/Amara").status_code == 404
    assert not [each for each in seen(installation, "audit.person_opened") if each["of_digest"] == "Amara"]


def test_a_persons_page_has_all_their_records_and_nobody_elses(lin, installation):
    record = find_record(installation, "delivery.console", "Sofia Marchetti")
    page = lin.open(f"/audit/people/{record['subject_digest']}")
    linked = {int(each) for each in re.findall(r'href="/audit/records/(\d+)"', page.text)}
    of_sofia = {
        each["position"] for each in installation.records() if each.get("subject_digest") == record["subject_digest"]
    }
    assert linked == of_sofia


def test_what_was_done_in_the_cloud_follows_what_was_issued(lin, installation, tmp_path, monkeypatch):
    issued = find_record(installation, "exchange.issued")
    configuration = load_configuration(installation.config)
    accounts = configuration.accounts
    event = {
        "eventId": "1D6A5FD8-0000-4000-8000-000000000001",
        "eventName": "DeleteInstance",
        "eventTime": SystemClock().now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventType": "ApiCall",
        "eventRW": "Write",
        "acsRegion": "cn-hangzhou",
        "requestId": "1D6A5FD8-0000-4000-8000-000000000002",
        "sourceIpAddress": "203.0.113.9",
        "serviceName": "Ecs",
        "errorCode": "Forbidden.RAM",
        "userIdentity": {
            "type": "assumed-role",
            "accountId": accounts[issued["account"]].id,
            "accessKeyId": issued["access_key_id"],
            "userName": f"ReadOnly:{issued['role_session_name']}",
        },
    }
    (tmp_path / "trail.json").write_text(json.dumps([event]))
    scope = find_scope(configuration.rules, accounts, configuration.audit.trail)
    with installation.open_audit() as log:
        TrailImport(log.engine, log.secrets, scope, SystemClock()).run(find_files([tmp_path / "trail.json"]))
    story = lin.open(f"/audit/records/{issued['position']}").text
    assert "What was done with it in Alibaba Cloud" in story
    assert "Ecs:DeleteInstance" in story
    assert "Forbidden.RAM" in story
    timeline = lin.open(f"/audit/people/{issued['subject_digest']}").text
    assert "one call of Alibaba Cloud" in timeline
    assert "1 failed" in timeline
    assert "only the last" not in timeline
    monkeypatch.setattr(people_pages, "MAX_CALLS", 1)
    assert "only the last 1 are shown" in lin.open(f"/audit/people/{issued['subject_digest']}").text
    monkeypatch.setattr(people_pages, "SHOWN", 1)
    pages, next_page = [], f"/audit/people/{issued['subject_digest']}"
    while next_page:
        pages.append(lin.open(next_page).text)
        older = re.search(r'rel="next" href="([^"]+)"', pages[-1])
        next_page = older and older[1]
    assert len(pages) > 3
    assert sum(page.count("one call of Alibaba Cloud") for page in pages) == 1  # on one page, wherever pages end


def make_alert(kind):
    """Return an alert's row. It began now: the service ends what has been quiet for long."""
    now = time.time_ns() // 1_000
    return {"kind": kind, "about": "", "first": now, "last": now, "count": 1, "facts": "{}", "told": 0}


def test_alerts_that_go_on_stand_on_the_overview_and_newer_ones_push_no_grave_one_away(lin, installation):
    alert = make_alert("verification_failed")
    with installation.open_audit() as log, log.engine.begin() as connection:
        connection.execute(alerts.insert().values(number=7_000, due=2**60, failures=0, failure="", **alert))
        for number in range(7_010, 7_016):
            other = alert | {"kind": "first_privileged_use", "about": str(number)}
            connection.execute(alerts.insert().values(number=number, due=2**60, failures=0, failure="", **other))
    page = lin.open("/audit").text
    assert "The audit log does not verify" in page
    assert "5 more like this" in page


def test_an_alert_says_a_versions_beginning_and_cuts_nothing_else_short_unseen(lin, installation):
    facts = {
        "version": "abcd" * 16,
        "strays": "acme/Reader STS.NStray0000000000000001; " * 10,
        "event": "rules.promoted",
    }
    alert = make_alert("strays") | {"facts": json.dumps(facts)}
    with installation.open_audit() as log, log.engine.begin() as connection:
        connection.execute(alerts.insert().values(number=7_001, due=2**60, failures=0, failure="", **alert))
    page = lin.open("/audit").text
    assert f"version {'abcd' * 3} ·" in page
    assert "STS.NStray0000000000000001" in page
    assert facts["strays"] not in page
    assert " …</span>" in page
    assert "event rules.promoted" not in page


def test_a_person_of_whom_nothing_is_known_is_not_called_erased(lin):
    page = lin.open(f"/audit/people/{'0' * 32}").text
    assert "Unknown person" in page
    assert "erased" not in page
    assert '<dl class="figures">' not in page


def test_a_records_proof_is_checked_by_the_program_that_comes_with_it(lin, installation, tmp_path):
    record = find_record(installation, "sign_in.accepted", "Amara Okafor")
    answer = lin.open(f"/audit/records/{record['position']}/proof")
    assert "attachment" in answer.headers["Content-Disposition"]
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path)

    def verify():
        command = [sys.executable, "-I", "verify_bundle.py", "."]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert verify().returncode == 0
    body = (tmp_path / "records.jsonl").read_text()
    assert f'"reference":"{record["reference"]}"' in body
    assert "Amara" not in body
    (tmp_path / "records.jsonl").write_text(body.replace("accepted", "refused."))
    assert verify().returncode != 0


def test_what_is_found_can_be_taken_away_and_that_is_recorded(lin, installation):
    table = lin.open("/audit/records/export?event=sign_in.accepted&format=csv")
    lines = lin.open("/audit/records/export?event=sign_in.accepted&format=jsonl")
    assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
    found = [json.loads(line) for line in lines.text.splitlines()]
    assert {each["event"] for each in found} == {"sign_in.accepted"}
    assert len(found) == len(table.text.splitlines()) - 1
    taken = seen(installation, "audit.exported")[-1]
    assert (taken["author"], taken["form"], taken["records"]) == ("林薇", "jsonl", len(found))
    assert taken["file_digest"] == hashlib.sha256(lines.content).hexdigest()
    assert lin.open("/audit/records/export?format=exe").status_code == 404


def test_a_file_of_what_cannot_be_understood_is_not_a_file_of_everything(lin, installation):
    before = len(seen(installation, "audit.exported"))
    answer = lin.open("/audit/records/export?event=sign_in.accepted&since=yesterday&format=jsonl")
    assert "Write a day as" in answer.text
    assert len(seen(installation, "audit.exported")) == before


def test_a_file_has_the_newest_records_that_may_be_taken_and_no_more(lin, installation, monkeypatch):
    with installation.open_audit() as log:
        ended = SessionEnded("acme-saml", "https://idp.example", "somebody", "Somebody")
        log.build_log().append(Origin("", ""), *[ended] * 6)
    newest = [each["position"] for each in installation.records()[::-1] if each["event"] == "session.ended"][:5]
    monkeypatch.setattr(search_export, "_AT_ONCE", 2)
    monkeypatch.setattr(search_export, "MAX_EXPORTED", 5)
    answer = lin.open("/audit/records/export?event=session.ended&format=jsonl")
    assert [json.loads(line)["position"] for line in answer.text.splitlines()] == newest
    taken = seen(installation, "audit.exported")[-1]
    assert (taken["first"], taken["end"]) == (newest[-1], newest[0] + 1)


def test_another_site_takes_nothing_away_in_an_auditors_name(lin, installation):
    """The twin: the same address, from our own page."""
    before, path = len(seen(installation, "audit.exported")), "/audit/records/export?code=nothing&format=csv"
    answer = lin.session.get(lin.base + path, headers={"Sec-Fetch-Site": "cross-site"}, timeout=60)
    assert answer.status_code == 403
    assert len(seen(installation, "audit.exported")) == before
    assert lin.open(path).status_code == 200
    assert len(seen(installation, "audit.exported")) == before + 1


# ── What is recorded of looking ──────────────────────────────────────────────────────────────────────────────


def test_a_search_is_recorded_once_without_what_it_says_of_people(running, installation):
    auditor, before = Auditor(installation, "lin.wei"), len(seen(installation, "audit.searched"))
    for _ in range(3):
        auditor.search("Amara", outcome="accepted")
    [record] = seen(installation, "audit.searched")[before:]
    assert sorted(record["asked"]) == ["outcome accepted", "person"]
    assert record["person"] == "林薇"
    assert "Amara" not in str(record)


def test_a_search_that_begins_with_an_older_page_is_recorded_too(running, installation):
    before = len(seen(installation, "audit.searched"))
    Auditor(installation).open("/audit/records?event=session.ended&provider=acme-saml&before=4611686018427387904")
    [record] = seen(installation, "audit.searched")[before:]
    assert sorted(record["asked"]) == ["event session.ended", "provider acme-saml"]


def test_opening_a_person_is_recorded_by_digest_and_once_within_an_hour(lin, installation):
    record = find_record(installation, "sign_in.accepted", "Amara Okafor")
    for _ in range(2):
        lin.open(f"/audit/people/{record['subject_digest']}")
        lin.open(f"/audit/records/{record['position']}")
    opened = [
        each for each in seen(installation, "audit.person_opened") if each["of_digest"] == record["subject_digest"]
    ]
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("look", "asked"),
    [
        (lambda lin, _: lin.post("/audit/people", q="Marchetti"), ["person"]),
        (lambda lin, record: lin.open(f"/audit/records/{record['position']}"), ["reference"]),
        (lambda lin, record: lin.open(f"/audit/trail/credentials/{record['key']}"), ["access_key_id"]),
    ],
    ids=["people by name", "a record of nobody", "credentials of nobody"],
)
def test_whatever_shows_records_is_recorded_without_whose_they_are(lin, installation, look, asked):
    key = f"STS.{secrets.token_hex(10)}"
    with installation.open_audit() as log:
        log.build_log().append(
            Origin(secrets.token_hex(6).upper(), ""),
            DoctorExchanged("acme-production", "ReadOnly", "saml", key, "", ""),
        )
    record = installation.records()[-1] | {"key": key}
    before = len(seen(installation, "audit.searched"))
    assert look(lin, record).status_code == 200
    assert [each["asked"] for each in seen(installation, "audit.searched")[before:]] == [asked]


# ── Others ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_people_find_their_own_sign_ins_and_nobody_elses(running, installation):
    sofia = Auditor(installation, "amara.okafor")
    page = sofia.open("/my/sign-ins")
    assert "You signed in with" in page.text
    shown = set(re.findall(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", page.text))
    own = {each["reference"] for each in installation.records() if each.get("person") == "Amara Okafor"}
    assert shown
    assert shown <= own
    elsewhere = find_record(installation, "sign_in.accepted", "林薇")["subject_digest"]
    assert sofia.open(f"/my/sign-ins?person={elsewhere}&digest={elsewhere}").text.count("林薇") == 0


def test_ones_own_sign_ins_keep_the_way_to_the_areas_that_would_open(lin, running, installation):
    areas = ('href="/admin/sign-ins"', 'href="/audit"')
    assert all(each in lin.open("/my/sign-ins").text for each in areas)
    assert not any(each in Auditor(installation, "amara.okafor").open("/my/sign-ins").text for each in areas)


def test_a_page_of_ones_own_on_which_nothing_is_to_tell_does_not_say_that_nothing_is_recorded(lin, monkeypatch):
    lin.open("/audit/records?text=recorded-but-nothing-to-tell")
    monkeypatch.setattr(own_sign_ins, "SHOWN", 1)
    page = lin.open("/my/sign-ins").text
    assert "Look at what is older" in page
    assert "Nothing is recorded of you" not in page
    assert 'rel="next"' in page


def test_whoever_is_no_auditor_sees_none_of_these_pages(running, installation):
    amara = Auditor(installation, "amara.okafor")
    for path in ("/audit", "/audit/records", "/audit/records/0", "/audit/people"):
        assert amara.open(path).status_code == 403
    assert amara.search("lin").status_code == 403


def test_an_erased_person_is_shown_as_one_and_found_by_name_no_more(running, installation):
    installation.sign_in("zhang.min")
    record = find_record(installation, "sign_in.accepted", "张敏")
    with opened_audit_log(load_settings(installation.config), SystemClock()) as log:
        assert log.secrets.erase(record["subject_digest"])
    # Another process: the one that wrote the record believes for a moment that its key is still there.
    app = create_app(load_configuration(installation.config), embedded_store.start(installation.store_folder))
    app.extensions["audit_tasks"].stop()
    client = app.test_client()
    for name, value in Auditor(installation).session.cookies.items():
        client.set_cookie(name, value, domain=urlsplit(installation.bridge).hostname)
    person = client.get(f"/audit/people/{record['subject_digest']}", base_url=installation.bridge)
    assert "This person was erased" in person.text
    shown = client.get(f"/audit/records/{record['position']}", base_url=installation.bridge)
    assert "[erased person]" in shown.text
    assert "张敏" not in person.text + shown.text


# ── Saved searches ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_search_is_saved_under_a_name_for_its_auditor_and_forgotten_again(lin):
    page = lin.post("/audit/saved", name="Refusals <b>", query="outcome=refused")
    assert "Refusals &lt;b&gt;" in page.text
    number = re.search(r"/audit/saved/(\d+)/forget", page.text)[1]
    assert "Refusals" not in lin.post(f"/audit/saved/{number}/forget").text


def test_a_search_without_a_name_is_not_saved_and_one_too_many_is_refused(lin, monkeypatch):
    assert "/forget" not in lin.post("/audit/saved", name="  ", query="outcome=refused").text
    monkeypatch.setattr(saved, "MAX_SAVED", 0)
    assert lin.post("/audit/saved", name="One too many", query="outcome=refused").status_code == 413


def test_a_question_that_nobody_asks_and_a_time_that_nobody_offers_lead_nowhere_else(lin):
    assert lin.post("/audit/ask/nothing", q="x").status_code == 404
    assert lin.open("/audit?days=3").text.count('aria-current="true">30 days<') == 1


def test_the_last_24_hours_say_what_of_them_is_counted_by_whole_days_and_lead_to_those(lin):
    since = datetime.now(UTC) + timedelta(hours=1) - timedelta(days=1)
    yesterday = since.date().isoformat()
    page = lin.open("/audit?days=1").text
    at_midnight = since.hour == 0  # in the last hour of a day, the 24 hours are one
    assert (f"by whole days, from {yesterday} on" in page) is not at_midnight
    assert (
        f"since={yesterday}T00%3A00Z&amp;privileged=yes" in page
        or f"privileged=yes&amp;since={yesterday}T00%3A00Z" in page
    )
    assert "by whole days" not in lin.open("/audit?days=7").text


def test_the_overview_draws_what_happened_and_names_nobody(lin, installation):
    page = lin.open("/audit?days=1")
    accepted = len(seen(installation, "sign_in.accepted"))
    figure = re.search(r">Sign-ins</a></dt>\s*<dd>([\d,]+)", page.text)[1]
    assert int(figure.replace(",", "")) == accepted
    main = page.text.partition("<main")[2]
    for person in ("Sofia", "Amara"):
        assert person not in main
