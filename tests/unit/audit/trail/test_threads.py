"""From a sign-in to each call: by AccessKeyId, by person, and what is left of it when somebody is erased."""

import json

import pytest
from sqlalchemy import func, select

from bridge.audit.database import open_database
from bridge.audit.events import ExchangeIssued, Origin, SignInAccepted
from bridge.audit.keeping.erasure import Erasure
from bridge.audit.tables import keys
from bridge.audit.trail.forgetting import forget_before
from bridge.audit.trail.importing import TrailImport
from bridge.audit.trail.join import SECOND
from bridge.audit.trail.reading import find_files
from bridge.audit.trail.strays import Scope
from bridge.audit.trail.tables import addresses, calls, credentials
from bridge.audit.trail.threads import Call, Threads, weave
from bridge.clock import SystemClock
from tests.audit_log import open_log
from tests.synthetic_trail import GOVERNED, OUR_PROVIDERS, LogClock, record, synthesize


@pytest.fixture(scope="module")
def trail():
    return synthesize(1_000, seed=8)


@pytest.fixture
def log(tmp_path, trail):
    clock = LogClock()
    engine = open_database(f"sqlite:///{tmp_path}/audit.db")
    opened = open_log(engine, clock)
    record(trail.log, opened.build_log(), clock)
    opened.sequencer.catch_up()
    (tmp_path / "trail.json").write_text(json.dumps(trail.events))
    importer = TrailImport(engine, opened.secrets, Scope(GOVERNED, OUR_PROVIDERS), SystemClock())
    importer.run(find_files([tmp_path / "trail.json"]))
    yield opened
    engine.dispose()


def find_chain(log):
    """Return credentials that were asked for with others that were asked for with ours."""
    parent = credentials.alias()
    query = select(credentials.c.name, parent.c.name, credentials.c.subject)
    query = query.join(parent, parent.c.name == credentials.c.parent)
    with log.engine.connect() as connection:
        return connection.execute(query.where(parent.c.way == "chained", credentials.c.calls > 0)).first()


def test_a_thread_leads_back_from_a_chained_key_to_the_exchange(log, trail):
    child, parent, _ = find_chain(log)
    thread = Threads(log.engine, log.secrets).follow(child)
    assert next(each.name for each in thread.parents) == parent
    root = thread.parents[-1]
    assert root.way == "issued"
    (issued,) = [each for each in trail.log if each.access_key_id == root.name]
    (told,) = [each for each in thread.records if each["event"] == "exchange.issued"]
    assert told["access_key_id"] == root.name
    assert thread.session_name == told["role_session_name"] == issued.session_name
    expected = {event["eventId"] for event in trail.events if event["userIdentity"].get("accessKeyId") == child}
    assert {call.event_id for call in thread.calls} == expected
    assert child in {each.name for each in Threads(log.engine, log.secrets).follow(parent).children}


def test_a_thread_begins_with_the_sign_in_before_it(log, trail):
    issued = next(each for each in trail.log if each.access_key_id)
    told = Threads(log.engine, log.secrets).follow(issued.access_key_id).records
    assert [each["event"] for each in told] == ["exchange.issued"]

    who = {"provider": "acme", "issuer": "https://idp.example", "subject": "new", "person": "New"}
    what = {"account": "production", "entitlement": "role Admin", "rule": "r", "rules_version": "v", "trust": "saml"}
    limits = {"expires_at": "", "duration_seconds": 900, "decided_by": "rule", "sts_request_id": "R-new"}
    log.clock.moment = trail.log[-1].time + 3_600 * SECOND
    writer = log.build_log()
    signed_in = SignInAccepted(
        **who, protocol="saml", message_id="_", authenticated_at="", session_index=None, solicited=True
    )
    writer.append(Origin("AAAA", ""), signed_in)
    given = ExchangeIssued(**who, **what, **limits, role_session_name="x", access_key_id="STS.new")
    writer.append(Origin("BBBB", ""), given)
    log.sequencer.catch_up()
    told = Threads(log.engine, log.secrets).follow("STS.new").records
    assert [each["event"] for each in told] == ["sign_in.accepted", "exchange.issued"]


def test_an_access_key_that_nobody_knows_has_no_thread(log):
    assert Threads(log.engine, log.secrets).follow("STS.nobody") is None


def test_calls_of_one_second_are_all_on_one_page_or_the_next(log, trail, tmp_path):
    """The cloud's clock knows seconds, and a program makes many calls in one."""
    key = next(each.access_key_id for each in trail.log if each.access_key_id)
    made = next(event for event in trail.events if event["userIdentity"].get("accessKeyId") == key)
    same = [{**made, "eventId": f"same-second-{number}"} for number in range(7)]
    (tmp_path / "more.json").write_text(json.dumps(same))
    importer = TrailImport(log.engine, log.secrets, Scope(GOVERNED, OUR_PROVIDERS), SystemClock())
    importer.run(find_files([tmp_path / "more.json"]))
    threads = Threads(log.engine, log.secrets)
    pages, last = [], None
    while last is None or len(pages[-1]) == 3:
        after = {"before": last.time, "beyond": last.event_id} if last else {}
        pages.append(threads.follow(key, count=3, **after).calls)
        last = pages[-1][-1] if pages[-1] else last
    assert [call for page in pages for call in page] == list(threads.follow(key, count=1_000).calls)


def test_everything_a_person_did_is_one_line(log):
    _, _, subject = find_chain(log)
    threads = Threads(log.engine, log.secrets)
    made = threads.calls_of_person(subject, count=10_000)
    with log.engine.connect() as connection:
        own = select(credentials.c.number).where(credentials.c.subject == subject)
        count = connection.execute(select(func.count()).where(calls.c.credentials.in_(own))).scalar()
    assert len(made) == count > 0
    told = [each for each in reversed(log.reader.last(10_000)) if each.get("subject_digest") == subject]
    line = list(weave(told, made))
    assert len(line) == len(told) + len(made)
    moments = [each.time if isinstance(each, Call) else each["time"] for each in line]
    assert len({type(each) for each in moments}) == 2
    first_page = threads.calls_of_person(subject, count=3)
    second_page = threads.calls_of_person(subject, count=3, before=first_page[-1].time)
    assert [*first_page, *second_page] == made[:6]
    assert threads.calls_of_person(subject, since=made[0].time) == made[:1]


def test_an_erased_person_cannot_be_read_in_the_trail(log):
    """The twin: before it, session name and address can be."""
    child, _, subject = find_chain(log)
    threads = Threads(log.engine, log.secrets)
    thread = threads.follow(child)
    assert thread.session_name
    assert all(call.source_address.startswith("203.0.113.") for call in thread.calls)

    label = log.secrets.read_labels()[subject]
    erasure = Erasure(log.engine, log.secrets, log.build_log(), log.sequencer)
    erasure.erase(erasure.find_subject(label["issuer"], label["subject"]), "test")
    thread = Threads(log.engine, open_log(log.engine, log.clock).secrets).follow(child)
    assert (thread.session_name, thread.caller) == ("", "")
    assert {call.source_address for call in thread.calls} == {""}
    assert {call.network for call in thread.calls} == {"203.0.113.0/24"}


def test_what_is_older_than_the_log_is_kept_goes_and_the_rest_stays(log):
    with log.engine.connect() as connection:
        times = sorted(connection.execute(select(calls.c.time)).scalars())
    middle = times[len(times) // 2]
    forget_before(log.engine, middle)
    with log.engine.connect() as connection:
        assert sorted(connection.execute(select(calls.c.time)).scalars()) == [each for each in times if each >= middle]
        assert all(last >= middle for last in connection.execute(select(credentials.c.last)).scalars())
    forget_before(log.engine, times[-1] * 2)
    with log.engine.connect() as connection:
        for table in (calls, credentials, addresses):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
    assert not [name for name in _key_names(log) if name.startswith("session/")]


def _key_names(log):
    with log.engine.connect() as connection:
        return list(connection.execute(select(keys.c.name)).scalars())
