"""The pages of auditors in Chinese: nothing is left in English, and nothing that is kept knows the language."""

import dataclasses
import io
import json
import re
import time
import zipfile
from functools import partial
from typing import get_args
from urllib.parse import urlsplit

import pytest
import requests

from bridge.audit.alerts.board import AlertBoard
from bridge.audit.alerts.rules import SUMMARIES, Kind
from bridge.audit.alerts.tables import alerts
from bridge.audit.events import Origin, Person
from bridge.audit.search.query import Search
from bridge.audit.trail.importing import TrailImport
from bridge.audit.trail.reading import find_files
from bridge.audit_log import opened_audit_log
from bridge.clock import SystemClock
from bridge.governed_roles import find_scope
from bridge.language import ENGLISH, speaking
from bridge.sandbox.browser import Browser
from bridge.settings import load_configuration, load_settings
from tests.english import find_unrecorded
from tests.installation import run_installation
from tests.unit.web.auditor.test_sentences import EVENTS

CHINESE = "zh-CN"
MOMENTS = dict.fromkeys(
    ("authenticated_at", "expires_at", "ends_at", "of_time", "since", "earliest", "latest"), "2026-11-29T14:30:05Z"
)
VALUES = MOMENTS | {"code": "saml_expired", "protocol": "saml", "checks": (("audience", "fail", "other", "ours"),)}


def make_event(kind):
    """Return an event of a kind that says something in each of its fields."""
    values = {}
    for field in dataclasses.fields(kind):
        annotation = str(field.type)
        if field.name in VALUES:
            values[field.name] = VALUES[field.name]
        elif "Person" in annotation:
            values[field.name] = Person("https://idp.example", "other", "赵敏")
        elif "tuple" in annotation:
            values[field.name] = ("grants 10.yaml:admins",)
        elif "int" in annotation:
            values[field.name] = 3600
        elif "bool" in annotation:
            values[field.name] = True
        else:
            values[field.name] = f"{field.name}-1"
    return kind(**values)


def judge_at_once(installation):
    (installation.config / "audit.yaml").write_text("trail: {clock_tolerance_seconds: 0, settling_seconds: 0}\n")


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("auditor-words"), judge_at_once) as (installation, app):
        installation.sign_in("lin.wei").click("Get credentials: Read only in Acme Production")
        yield installation, app


@pytest.fixture(scope="module")
def log(running, tmp_path_factory):
    """Fill the log with every kind of event and alert, strays, and calls; return what the trail's key is."""
    installation, _ = running
    with opened_audit_log(load_settings(installation.config), SystemClock()) as opened:
        for number, kind in enumerate(EVENTS):
            opened.build_log().append(Origin(f"AAAA-BBBB-{number:04}", "203.0.113.7"), make_event(kind))
        opened.sequencer.sign_first()
    issued = next(each for each in installation.records() if each["event"] == "exchange.issued")
    import_trail(installation, tmp_path_factory.mktemp("trail"), issued)
    facts = {"account": "production", "role": "Admin", "rule": "10.yaml:admins", "seconds": "90", "first_bad": "7"}
    now = time.time_ns() // 1_000  # the service ends what has been quiet for long
    with installation.open_audit() as opened, opened.engine.begin() as connection:
        for number, kind in enumerate(get_args(Kind)):
            row = {"kind": kind, "about": "", "first": now, "last": now, "count": 5, "position": 1, "told": 0}
            row |= {"number": 9_000 + number, "due": 2**60, "failures": 0, "failure": "", "facts": json.dumps(facts)}
            connection.execute(alerts.insert().values(row))
    return issued


def import_trail(installation, folder, issued):
    configuration = load_configuration(installation.config)
    account = configuration.accounts[issued["account"]].id
    role = issued["entitlement"].partition(" ")[2]
    events = [
        make_call(account, role, issued["access_key_id"], errorCode="Forbidden.RAM"),
        make_call(account, role, issued["access_key_id"]),
        make_call(account, role, "STS.NStray0000000000000001"),
    ]
    (folder / "trail.json").write_text(json.dumps(events))
    scope = find_scope(configuration.rules, configuration.accounts, configuration.audit.trail)
    with installation.open_audit() as log:
        TrailImport(log.engine, log.secrets, scope, SystemClock()).run(find_files([folder / "trail.json"]))


def make_call(account, role, key, **further):
    return {
        "eventId": f"{key}-{len(further)}",
        "eventTime": SystemClock().now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventName": "DescribeInstances",
        "serviceName": "Ecs",
        "eventRW": "Read",
        "acsRegion": "cn-hangzhou",
        "sourceIpAddress": "203.0.113.7",
        "requestId": "R",
        "userIdentity": {
            "type": "assumed-role",
            "accountId": account,
            "accessKeyId": key,
            "userName": f"{role}:lin.wei@acme.example",
        },
    } | further


class Reader:
    """The pages, for one auditor who reads one language."""

    def __init__(self, running, language=CHINESE):
        installation, app = running
        self.base, self.client = installation.bridge, app.test_client()
        for cookie in installation.sign_in("lin.wei").cookies:
            self.client.set_cookie(cookie.name, cookie.value, domain=urlsplit(self.base).hostname)

        self.headers = {"Accept-Language": language, "Sec-Fetch-Site": "same-origin"}

    def open(self, path):
        return self.client.get(path, base_url=self.base, headers=self.headers)

    def post(self, path, **fields):
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.open("/audit/records").text)[1]
        given = {"csrf_token": token, **fields}
        return self.client.post(path, data=given, base_url=self.base, headers=self.headers, follow_redirects=True)


@pytest.fixture(scope="module")
def chinese(running, log):
    return Reader(running)


@pytest.fixture(scope="module")
def english(running, log):
    return Reader(running, ENGLISH)


@pytest.fixture(scope="module")
def find_left(running, log):
    """Return what finds the English of a page that neither a record nor the settings say."""
    installation, _ = running
    configuration = load_configuration(installation.config)
    named = [each.title for each in (*configuration.accounts.values(), *configuration.providers.values())]
    recorded = [text.replace("`", "") for each in installation.records() for text in find_texts(each)]
    return lambda page: find_unrecorded(page.text, *named, *recorded)


def find_texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from find_texts(each)


def positions(installation):
    return {each["event"]: each["position"] for each in installation.records()}


# ── Nothing is left in English ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        *("/audit", "/audit?days=1", "/audit?days=364", "/audit/records", "/audit/records?code=nothing"),
        *("/audit/records?since=yesterday", "/audit/records?since=0999-01-01", "/audit/records?days=0"),
        *("/audit/records?address=x", "/audit/records?address=203.0.113.0/29", "/audit/records?mfa=maybe"),
        *("/audit/records?outcome=x", "/audit/records?since=2026-02-02&until=2026-02-01"),
        "/audit/records?days=30&outcome=refused&privileged=no&mfa=yes&event=rules&role=Admin&person=x&address=203.0.113.7",
        "/audit/records?by=event&since=2020-01-01&until=2090-01-01",
        *("/audit/people", f"/audit/people/{'0' * 32}", "/audit/trail", "/my/sign-ins"),
        "/audit/trail/credentials/STS.NStray0000000000000001",
    ],
)
def test_a_page_has_no_english_that_nobody_recorded(path, chinese, find_left):
    page = chinese.open(path)
    assert page.status_code == 200
    assert re.search("[\u4e00-\u9fff]", page.text)
    assert find_left(page) == []


@pytest.mark.parametrize("kind", EVENTS, ids=[kind.name for kind in EVENTS])
def test_the_page_of_every_kind_of_record_has_no_english_that_nobody_recorded(kind, running, chinese, find_left):
    page = chinese.open(f"/audit/records/{positions(running[0])[kind.name]}")
    assert page.status_code == 200
    assert find_left(page) == []


def test_the_pages_that_are_asked_by_post_and_those_of_one_person_have_none(running, chinese, log, find_left):
    for page in (
        chinese.open(f"/audit/people/{log['subject_digest']}"),
        chinese.open(f"/audit/trail/credentials/{log['access_key_id']}"),
        chinese.post("/audit/people", q="a"),
        chinese.post("/audit/people", q="Nobody"),
        chinese.post("/audit/search", q="203.0.113.0/29"),
        chinese.post("/audit/saved", name="已保存", query="outcome=refused"),
        chinese.open(f"/audit/records/{log['position']}"),
    ):
        assert page.status_code == 200
        assert find_left(page) == []


# ── What is kept does not know the language ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["jsonl", "csv", "ocsf"])
def test_a_file_is_the_same_whoever_takes_it(form, chinese, english):
    address = f"/audit/records/export?event=exchange&format={form}"
    assert chinese.open(address).data == english.open(address).data


def test_a_proof_is_the_same_whoever_takes_it(log, chinese, english):
    proofs = [
        zipfile.ZipFile(io.BytesIO(reader.open(f"/audit/records/{log['position']}/proof").data))
        for reader in (chinese, english)
    ]
    assert proofs[0].namelist() == proofs[1].namelist()
    for name in proofs[0].namelist():
        assert proofs[0].read(name).isascii() == proofs[1].read(name).isascii()
    assert proofs[0].read("records.jsonl") == proofs[1].read("records.jsonl")


def test_a_search_that_was_saved_in_one_language_finds_the_same_in_the_other(running, chinese, english):
    name = "被拒绝的登录"
    chinese.post("/audit/saved", name=name, query="outcome=refused&event=sign_in&days=30")
    found = re.search(f'href="([^"]+)">{name}<', english.open("/audit/records").text)[1].replace("&amp;", "&")
    search, problems = Search.parse(dict(each.split("=") for each in urlsplit(found).query.split("&")))
    assert problems == {}
    assert (search.outcome, search.event, search.days) == ("refused", "sign_in", 30)
    rows = [reader.open(found).text.count('<td class="time">') for reader in (chinese, english)]
    assert rows[0] == rows[1] > 0


def test_what_is_typed_is_understood_by_codes_whatever_is_spoken(chinese, english):
    for typed in ("saml_expired", "sign_in.refused", "AAAA-BBBB-0001", "2026-11-20"):
        addresses = {reader.post("/audit/search", q=typed).request.url for reader in (chinese, english)}
        assert len(addresses) == 1


def test_a_search_and_an_export_leave_the_same_records_in_both_languages(running, chinese, english):
    installation, _ = running
    last = installation.records()[-1]["position"]
    for reader, address in ((chinese, "203.0.113.101"), (english, "203.0.113.102")):
        reader.open(f"/audit/records?outcome=refused&event=sign_in&days=30&address={address}")
        reader.open("/audit/records/export?event=exchange&format=jsonl")
    left = [
        {name: value for name, value in each.items() if name in {"event", "asked", "form", "contents", "code"}}
        for each in installation.records(last)
        if each["event"] in {"audit.searched", "audit.exported"}
    ]
    assert len(left) == 4
    assert left[:2] == left[2:]


def test_an_alert_is_told_to_the_log_and_to_webhooks_in_english(running, log):
    with running[0].open_audit() as opened, speaking(CHINESE):
        told = {each.kind: each.summary for each in AlertBoard(opened.engine).latest(100)}
    assert told == {kind: SUMMARIES[kind] for kind in told}
    assert all(text.isascii() for text in told.values())


def use_everything(installation, language, monkeypatch):
    """Let people whose names are ASCII sign in, use a role, be refused and sign out; return the records of it."""
    monkeypatch.setattr("tests.installation.Browser", partial(Browser, language))
    last = installation.records()[-1]["position"]
    installation.sign_in("sofia.marchetti")  # whose only role opens the console at once
    browser = installation.sign_in("amara.okafor", "Rambridge (OpenID Connect)")
    [form, *_] = [each for each in browser.page.forms if "/credentials/" in each.action]
    browser.submit(urlsplit(form.action).path)
    browser.open(installation.bridge)
    given = {"csrf_token": form.fields["csrf_token"]}
    headers = {"Accept-Language": language, "Sec-Fetch-Site": "same-origin"}
    cookies = {each.name: each.value for each in browser.cookies}  # without what keeps them from plain HTTP
    for path in ("/credentials/none", "/sign-out"):
        requests.post(installation.bridge + path, given, cookies=cookies, headers=headers, timeout=60)
    answer = installation.browser_at_idp("amara.okafor").click("Rambridge")
    [form] = [each for each in answer.forms if "SAMLResponse" in each.fields]
    for fields in (form.fields, form.fields, {"SAMLResponse": "x"}):
        page = requests.post(form.action, fields, headers=headers, timeout=60)
    assert f'lang="{language}"' in page.text
    return installation.records(last)


def say_shortly(records):
    """Return of each record what the language might change, were it not kept from doing so."""
    said = ("event", "because", "rules", "granted", "code", "detail", "purpose", "reason")
    # The same credentials are issued once and then given again.
    others = [each for each in records if not each["event"].startswith("exchange.")]
    return [{name: each.get(name) for name in said} for each in others]


def test_what_people_do_is_recorded_in_english_whatever_they_read(running, monkeypatch):
    told = {language: use_everything(running[0], language, monkeypatch) for language in (ENGLISH, CHINESE)}
    events = {each["event"] for each in told[CHINESE]}
    assert {"entitlements.resolved", "choice.refused", "sign_in.refused", "session.ended"} < events
    assert say_shortly(told[CHINESE]) == say_shortly(told[ENGLISH])
    for record in told[CHINESE]:
        assert json.dumps(record, ensure_ascii=False).isascii(), record
