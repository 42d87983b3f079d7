"""A search finds exactly what a look at every record finds, page by page, on both databases."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from bridge.audit.database import open_database
from bridge.audit.kinds import kind_of, kind_row, term_of, terms
from bridge.audit.reader import AuditReader
from bridge.audit.search import positions
from bridge.audit.search.query import Search
from bridge.audit.search.saved import MAX_SAVED, SavedSearches
from bridge.audit.search.search import AuditSearch
from bridge.audit.search.tables import networks
from bridge.audit.secrets import AuditSecrets
from bridge.sealing import Sealer
from tests.audit_records import new_log
from tests.synthetic_log import write_log

SIZE = 1_200
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


class _Clock:
    def now(self):
        return NOW


class _Sequenced:
    def catch_up(self):
        pass


class Log:
    def __init__(self, engine):
        self.engine = engine
        self.secrets = AuditSecrets(engine, Sealer(bytes(32)))
        write_log(engine, self.secrets, SIZE, seed=5, months=2, until=NOW)
        reader = AuditReader(engine, self.secrets, _Sequenced())
        self.search = AuditSearch(engine, self.secrets, _Clock(), reader, _Sequenced())
        self.records = reader.after(-1, SIZE)

    def find_all(self, search, count=50):
        found, before = [], None
        while True:
            page = self.search.find(search, before, count)
            assert len(page.records) <= count
            found += page.records
            if page.older is None:
                return found
            assert before is None or page.older < before
            before = page.older


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def log(request, tmp_path_factory):
    with new_log(request, tmp_path_factory.mktemp("search")) as url:
        engine = open_database(url)
        yield Log(engine)
        engine.dispose()


def _matches(search, record):
    entitlement = record.get("entitlement", "")
    tests = (
        (search.access_key_id, lambda: record.get("access_key_id") == search.access_key_id),
        (search.request_id, lambda: search.request_id in {record.get("sts_request_id"), record["reference"]}),
        (search.reference, lambda: record["reference"] == search.reference),
        (search.session_name, lambda: record.get("role_session_name") == search.session_name),
        (search.person, lambda: search.person.lower() in record.get("person", record.get("author", "")).lower()),
        (search.address, lambda: search.address in {record.get("source_address"), record.get("network")}),
        (search.account, lambda: record.get("account") == search.account),
        (search.provider, lambda: record.get("provider") == search.provider),
        (search.code, lambda: record.get("code") == search.code),
        (search.role, lambda: entitlement == f"role {search.role}"),
        (search.event, lambda: record["event"] == search.event or record["event"].startswith(f"{search.event}.")),
        (search.outcome, lambda: record["event"].endswith(".refused") == (search.outcome == "refused")),
        (search.privileged is not None, lambda: record.get("privileged") is search.privileged),
        (search.mfa is not None, lambda: record.get("mfa") is search.mfa),
        (search.since, lambda: datetime.fromisoformat(record["time"]) >= search.since),
        (search.until, lambda: datetime.fromisoformat(record["time"]) < search.until),
    )
    return all(test() for asked, test in tests if asked)


def _some_search(draw, records):
    """Return a search for some of what one record says, and sometimes for what another one does."""
    record = draw.choice(records)
    moment = datetime.fromisoformat(record["time"])
    fields = {
        "person": lambda: record.get("person", "")[: draw.choice((4, 40))],
        "role": lambda: (
            record.get("entitlement", "").removeprefix("role ") if "/" not in record.get("entitlement", "") else ""
        ),
        "account": lambda: record.get("account", ""),
        "provider": lambda: record.get("provider", ""),
        "code": lambda: record.get("code", ""),
        "event": lambda: record["event"] if draw.random() < 0.5 else record["event"].partition(".")[0],
        "outcome": lambda: "refused" if record["event"].endswith(".refused") else "accepted",
        "address": lambda: record.get(draw.choice(("source_address", "network")), ""),
        "access_key_id": lambda: record.get("access_key_id", ""),
        "request_id": lambda: record.get("sts_request_id", ""),
        "reference": lambda: record["reference"],
        "session_name": lambda: record.get("role_session_name", ""),
        "privileged": lambda: record.get("privileged"),
        "mfa": lambda: record.get("mfa"),
        "since": lambda: moment - timedelta(hours=draw.randrange(1, 200)),
        "until": lambda: moment + timedelta(seconds=draw.randrange(1, 1_000_000)),
    }
    asked = draw.sample(sorted(fields), draw.choice((1, 1, 2, 2, 3, 4)))
    if draw.random() < 0.15:
        record = draw.choice(records)
    return Search(**{name: fields[name]() for name in asked})


def test_every_combination_finds_what_looking_at_every_record_finds(log, monkeypatch):
    """Every second one on a machine so slow that the time of each page is up at once."""
    draw = random.Random(11)
    hits = 0
    for number in range(40):
        monkeypatch.setattr("bridge.audit.search.search.SECONDS", 0.25 if number % 2 else -1.0)
        search = _some_search(draw, log.records)
        expected = [record for record in log.records[::-1] if _matches(search, record)]
        assert log.find_all(search, draw.choice((25, 400))) == expected, search
        hits += bool(expected)
    assert hits > 20


def test_nothing_asked_is_every_record_newest_first(log):
    assert log.find_all(Search(), 700) == log.records[::-1]
    assert log.search.find(Search()).total == SIZE


def test_records_that_are_far_apart_are_found_although_time_is_up(log, monkeypatch):
    """A page that gave up says how far it came, and the next one goes on from there."""
    monkeypatch.setattr(positions, "_FIRST_WINDOW", 64)
    monkeypatch.setattr(positions, "_GROWTH", 1)
    monkeypatch.setattr("bridge.audit.search.search.SECONDS", 0.0)
    ended = next(record for record in log.records if record["event"] == "session.ended")
    search = Search(address=ended["network"], event="session.ended")
    expected = [record for record in log.records[::-1] if _matches(search, record)]
    assert expected
    assert log.find_all(search) == expected
    pages, before = [], None
    while before is not None or not pages:
        pages.append(log.search.find(search, before))
        before = pages[-1].older
    gave_up = [page for page in pages if page.searched_to is not None]
    assert gave_up
    assert all(page.older is not None for page in gave_up)


@pytest.mark.parametrize("words", ["PLATFORM", "choice.made console", "gitlab deploy", "nothing-like-that", "acr hwk"])
def test_words_are_found_within_plain_values(log, words):
    found = log.find_all(Search(text=words), 1_000)
    assert [record for record in log.records[::-1] if _has_words(record, words)] == found


def _has_words(record, words):
    fields = ("event", "code", "protocol", "provider", "issuer", "account", "entitlement", "rule", "purpose", "trust")
    fields += ("acr", "amr", "granted", "rules", "way", "decided_by", "sts_code", "reason")
    if record["event"] == "choice.refused":
        record = {**record, "entitlement": ""}
    plain = " ".join(str(record.get(name, "")) for name in fields).lower()
    return all(word in plain for word in words.lower().split())


def test_what_somebody_asks_for_in_vain_makes_no_kind_and_is_found_by_its_name():
    """Whoever has signed in can write anything there, a thousand times: every search would look through it."""
    asked = [{"event": "choice.refused", "entitlement": f"role acs:ram::1:role/Any{number}"} for number in range(9)]
    granted = [{"event": "choice.made", "entitlement": f"role Any{number}"} for number in range(9)]
    assert len({kind_of(each) for each in asked}) == 1
    assert len({kind_of(each) for each in granted}) == len(granted)
    assert "any3" not in kind_row(asked[3])["words"]
    assert term_of("Any3") in terms(asked[3])
    assert term_of("role acs:ram::1:role/Any3") in terms(asked[3])


def test_a_whole_value_that_few_records_have_is_found_as_a_word(log):
    signed_in = next(record for record in log.records if record["event"] == "sign_in.accepted" and "person" in record)
    refused = next(record for record in log.records if record["event"] == "sign_in.refused")
    assert log.find_all(Search(text=signed_in["message_id"].upper())) == [signed_in]
    assert log.find_all(Search(text=f"{refused['message_digest']} {refused['code']}")) == [refused]
    assert log.find_all(Search(text=f"{refused['message_digest']} accepted")) == []
    assert log.find_all(Search(text=signed_in["message_id"], person=signed_in["person"])) == [signed_in]


def test_people_are_found_by_part_of_their_name_and_not_once_they_are_erased(log):
    record = next(
        record for record in log.records if record["event"] == "sign_in.accepted" and "acme/" not in record["person"]
    )
    name = record["person"]
    assert log.search.people(name[1:6].upper(), 1_000)
    first, *_ = log.search.people(name, 1)
    assert first.name == name
    assert log.search.person(first.subject_digest) == first
    assert log.find_all(Search(person=first.subject_digest), 500) == log.find_all(Search(person=name), 500)
    assert log.find_all(Search(person=record["subject"]), 500) == log.find_all(Search(person=name), 500)
    sealed = [each for each in log.records if name in {each.get("person"), each.get("author")}]
    log.secrets.erase(first.subject_digest)
    log.search._people._believed_until = 0.0
    assert first not in log.search.people(name, 1_000)
    assert log.search.person(first.subject_digest) is None
    assert log.find_all(Search(person=name)) == []
    by_digest = log.find_all(Search(person=first.subject_digest), 1_000)
    assert [each["position"] for each in by_digest] == [each["position"] for each in sealed[::-1]]
    assert all(each["erased"] for each in by_digest)
    log.records = AuditReader(log.engine, log.secrets, _Sequenced()).after(-1, SIZE)


def test_all_records_of_a_request_are_around_each_of_them(log):
    record = next(record for record in log.records if record["event"] == "delivery.credentials")
    same = [each for each in log.records if each["reference"] == record["reference"]]
    assert log.search.around(record["position"]) == tuple(same)
    assert log.search.around(SIZE) == ()


def test_a_network_wider_than_records_know_is_all_networks_within(log):
    expected = [each for each in log.records[::-1] if each.get("source_address", "").startswith("10.20.")]
    assert expected
    assert log.find_all(Search(address="10.20.0.0/16"), 1_000) == expected


def test_more_networks_than_a_statement_has_parameters_are_no_fault(log):
    rows = [
        {"network": f"{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}.0/24", "last_position": 0}
        | {"first_position": 0, "first_time": 0, "count": 1}
        for n in range(1 << 23, (1 << 23) + 70_000)
    ]
    before = log.search.find(Search(address="0.0.0.0/0")).records
    with log.engine.begin() as connection:
        connection.execute(networks.insert(), rows)
    try:
        assert log.search.find(Search(address="0.0.0.0/0")).records == before
    finally:
        with log.engine.begin() as connection:
            connection.execute(networks.delete().where(networks.c.first_time == 0))


def test_values_are_those_that_occur(log):
    assert log.search.values("provider") == tuple(
        sorted({each["provider"] for each in log.records if "provider" in each})
    )
    assert "PlatformAdmin" in log.search.values("role")


def test_the_overview_counts_what_the_records_say(log):
    since, until = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)
    shown = log.search.overview(since, until)
    within = [each for each in log.records if since.isoformat()[:10] <= each["time"][:10] < until.isoformat()[:10]]
    refused = [each for each in within if each["event"].endswith(".refused")]
    assert len(shown.slots) == 28
    assert sum(slot.records for slot in shown.slots) == len(within)
    assert sum(slot.refusals for slot in shown.slots) == len(refused)
    assert {each.name: each.count for each in shown.refusals_by_code} == {
        code: sum(each["code"] == code for each in refused) for code in {each["code"] for each in refused}
    }
    assert abs(sum(each.share for each in shown.sign_ins_by_provider) - 1) < 1e-9
    issued = [each for each in within if each["event"] in {"exchange.issued", "delivery.console"}]
    assert sum(slot.issued for slot in shown.slots) == len(issued)
    strong = [each for each in issued if each.get("privileged")]
    assert shown.privileged_uses == len(strong)
    assert shown.privileged_uses_without_mfa == sum(each.get("mfa") is False for each in strong) > 0
    seen = {each.get("network") for each in log.records if each["time"] < since.isoformat()}
    new = {each["network"] for each in within if "network" in each} - seen
    assert {each.network for each in shown.new_networks} <= new
    assert len(shown.new_networks) == min(50, len(new))
    for role in shown.unusual_roles:
        uses = [
            each
            for each in log.records
            if each["event"] in {"exchange.issued", "delivery.console"}
            and (each["account"], each["entitlement"]) == (role.account, role.entitlement)
        ]
        before = [each for each in uses if each["time"] < since.isoformat()]
        assert (role.count, role.first_ever) == (len([each for each in uses if each in within]), not before)
        assert len(before) == role.before <= 2


def test_counts_are_of_whole_days(log):
    day = datetime(2026, 11, 20, tzinfo=UTC)
    expected = [each for each in log.records if each["time"].startswith("2026-11-20")]
    counted = log.search.counts("event", day, day + timedelta(days=1))
    assert sum(each.count for each in counted) == len(expected)
    refused = log.search.counts("code", day, day + timedelta(days=1), refused=True)
    assert sum(each.count for each in refused) == sum(each["event"].endswith(".refused") for each in expected)


def test_each_auditor_has_searches_of_their_own(log):
    saved = SavedSearches(log.engine, log.secrets)
    search = Search(person="Lin Wei", role="PlatformAdmin", days=7, mfa=False, since=NOW)
    assert saved.save("a" * 32, " weekly ", search)
    assert saved.save("a" * 32, "weekly", replace(search, days=8))
    assert saved.save("b" * 32, "weekly", search)
    (mine,) = saved.list("a" * 32)
    assert (mine.name, mine.search) == ("weekly", replace(search, days=8))
    with log.engine.connect() as connection:
        stored = connection.execute(text("SELECT owner, name, query FROM audit_saved_searches")).all()
    assert "Lin Wei" not in str(stored)
    assert "weekly" not in str(stored)
    saved.delete("b" * 32, mine.number)
    assert saved.list("a" * 32)
    saved.delete("a" * 32, mine.number)
    assert not saved.list("a" * 32)
    assert all(saved.save("c" * 32, f"{number}", search) for number in range(MAX_SAVED))
    assert not saved.save("c" * 32, "one more", search)
