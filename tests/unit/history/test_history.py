"""Kept sign-ins, on SQLite and on PostgreSQL: what comes back decides the same, and nothing else is there."""

import json
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy import func, insert, select

from bridge.database import open_engine
from bridge.entitlements.resolve import resolve
from bridge.errors import HistoryUnavailable
from bridge.history import history as history_module
from bridge.history import writer as writer_module
from bridge.history.history import RuleUse, open_history
from bridge.history.tables import rule_uses, sign_ins
from bridge.sealing import Sealer
from bridge.settings import load_configuration
from tests.unit.entitlements.factories import make_identity
from tests.unit.test_demo_configuration import folder as demo_folder  # noqa: F401  a fixture

PEOPLE = yaml.safe_load((Path(__file__).parents[3] / "config" / "sandbox-idp.yaml").read_text())["people"]
MFA = "https://refeds.org/profile/mfa"
ADDRESS = "192.0.2.7"

PLATFORM = "rules: [{name: platform, groups: [platform], grant: [{account: acme, role: Admin}]}]"
EVERY_CONDITION = """rules:
- {name: provider, provider: acme-oidc, grant: [{account: a, role: Provider}]}
- {name: groups, groups: [platform, data], grant: [{account: a, role: Groups}]}
- {name: claims, claims: {department: [Platform]}, grant: [{account: a, role: Claims}]}
- {name: cel, when: "claims.level > 3 && has(claims.nested.deep)", grant: [{account: a, role: Cel}]}
- {name: amr, everyone: true, require: {amr: [hwk]}, grant: [{account: a, role: Amr}]}
- {name: acr, everyone: true, require: {acr: [urn:strong]}, grant: [{account: a, role: Acr}]}
- {name: age, everyone: true, require: {max_age_seconds: 300}, grant: [{account: a, role: Age}]}
- {name: address, when: "request.source_address.startsWith('10.')", grant: [{account: a, role: Address}]}
- {name: hour, when: "request.time.getSeconds() % 2 == 0", grant: [{account: a, role: Time}]}
- {name: from, when: "identity.authenticated_at < timestamp('2026-11-24T08:55:00Z')", grant: [{account: a, role: From}]}
- {name: who, when: "identity.subject == 'lin.wei' && identity.protocol == 'saml'", grant: [{account: a, role: Who}]}
- {name: issuer, when: "identity.issuer.endsWith('/other')", grant: [{account: a, role: Issuer}]}
- {name: context, when: "'hwk' in identity.amr || identity.acr == 'urn:strong'", grant: [{account: a, role: Context}]}
- {name: outside, everyone: true, not_groups: [platform], grant: [{account: a, role: Outside}]}
- {name: outside-deny, everyone: true, not_groups: [platform], deny: [{account: a, role: Context}]}
- {name: network, everyone: true, networks: [10.0.0.0/8], grant: [{account: a, role: Network}]}
- name: hours
  everyone: true
  hours: {from: "08:00", to: "09:01", time_zone: UTC}
  grant: [{account: a, role: Hours}]
- {name: last-day, everyone: true, expires: 2026-11-24, grant: [{account: a, role: LastDay}]}
- {name: capitals, groups: [PLATFORM], ignore_case: true, grant: [{account: a, role: Capitals}]}
- {name: texts, groups: [data], grant: [{account: a, role: "T-${ claims.uid }", title: "For ${ claims.shown }"}]}
- {name: user, everyone: true, grant: [{account: a, user: "u-${ claims.uid }"}]}
- {name: deny, when: "claims.blocked == true", deny: [{account: a, role: Groups}]}
- {name: deny-groups, groups: [blocked], deny: [{account: a, role: Claims}]}
"""
MOMENTS = ((0, "10.0.0.1"), (1, "192.0.2.7"), (60, "::ffff:10.0.0.1"), (90_000, "nowhere"))
"""Seconds after the sign-in was five minutes old, and addresses."""
IDENTITIES = {
    "as it is": {},
    "another provider": {"provider": "acme-oidc", "protocol": "oidc", "issuer": "https://idp.example/other"},
    "an unknown provider": {"provider": "gone"},
    "strong methods": {"amr": ("pwd", "hwk")},
    "a strong context": {"acr": "urn:strong"},
    "no context": {"acr": None},
    "long ago": {"authenticated_at": make_identity().authenticated_at - timedelta(seconds=1, microseconds=1)},
    "no time stated": {"authentication_time_stated": False},
    "another subject": {"subject": "somebody"},
    "no claims": {"claims": {}},
    "claims of every shape": {
        "claims": {"groups": "data", "level": 4, "nested": {"deep": [1.5, None]}, "blocked": True, "uid": "x"}
    },
    "no groups at all, and a text for a card": {"claims": {"shown": "Ada", "uid": "x"}},
    "a group and a text for a card": {"claims": {"groups": ["data"], "shown": "Ada", "uid": "x"}},
    "not blocked": {"claims": {"blocked": False, "groups": []}},
    "unreadable groups": {"claims": {"groups": [1], "uid": "x"}},
    "withheld groups": {"claims": {"_claim_names": {"groups": "s1", "other": "s1"}, "department": "Platform"}},
    "withheld groups, in short": {"claims": {"hasgroups": True, "department": "Platform"}},
    "more claims than an expression may read": {
        "claims": {"groups": ["data"], "level": 4, "nested": {"deep": 1}, "unread": ["x"] * 6_000}
    },
}


def note(history, rules, clock, address=ADDRESS, **changes):
    identity = make_identity(**changes)
    resolution = resolve(identity, rules, clock.now(), address)
    history.note(identity, address, clock.now(), resolution)
    return identity, resolution


def read_all(history, clock):
    assert history.flush()
    return list(history.read(clock.now() - timedelta(days=400), clock.now() + timedelta(days=1)))


def decision(resolution):
    return resolution.entitlements, [(each.rule, each.applied, each.lacking) for each in resolution.explanations]


@pytest.mark.parametrize("changes", IDENTITIES.values(), ids=IDENTITIES)
def test_a_kept_sign_in_decides_again_as_it_did(changes, tmp_path, rules, clock, start):
    compiled = rules.compile(EVERY_CONDITION)
    engine = open_engine(f"sqlite:///{tmp_path}/bridge.db")
    history = start(engine, compiled)
    begin, decided = make_identity().authenticated_at + timedelta(seconds=300), []
    for seconds, address in MOMENTS:
        clock.moment = begin + timedelta(seconds=seconds, microseconds=7)
        decided.append(note(history, compiled, clock, address, **changes)[1])
    kept = read_all(history, clock)
    engine.dispose()
    again = [resolve(each.identity, compiled, each.at, each.source_address) for each in kept]
    assert [decision(each) for each in again] == [decision(each) for each in decided]
    assert [set(each.applied) for each in kept] == [
        {outcome.rule for outcome in each.explanations if outcome.applied} for each in decided
    ]


def test_every_condition_makes_a_difference_in_the_test_above(rules):
    compiled = rules.compile(EVERY_CONDITION)
    begin = make_identity().authenticated_at + timedelta(seconds=300)
    seen = {rule.id: set() for rule in compiled.rules}
    for changes in IDENTITIES.values():
        for seconds, address in MOMENTS:
            at = begin + timedelta(seconds=seconds)
            for outcome in resolve(make_identity(**changes), compiled, at, address, every_rule=True).explanations:
                seen[outcome.rule].add(outcome.applied)
    assert {rule: applied for rule, applied in seen.items() if len(applied) < 2}.keys() == {"0.yaml:user"}


def test_every_person_of_the_demo_is_decided_on_again_as_at_the_sign_in(demo_folder, tmp_path, clock, start):  # noqa: F811
    rules = load_configuration(demo_folder).rules
    engine = open_engine(f"sqlite:///{tmp_path}/bridge.db")
    history = start(engine, rules)
    decided = []
    for person in PEOPLE:
        claims = {"groups": person["groups"], "uid": person["uid"], "department": person["department"]}
        claims |= {"email": person["mail"], "name": person["name"], "title": person["title"]}
        for evidence in ({"acr": MFA}, {"acr": None}, {"provider": "acme-oidc", "protocol": "oidc", "amr": ("hwk",)}):
            _, resolution = note(history, rules, clock, subject=person["uid"], claims=claims, **evidence)
            decided.append(resolution)
            clock.advance(1)
    kept = read_all(history, clock)
    engine.dispose()
    assert [decision(resolve(each.identity, rules, each.at, each.source_address)) for each in kept] == [
        decision(each) for each in decided
    ]
    assert len({each.person for each in kept}) == len(PEOPLE)
    assert {each.label for each in kept} == {person["mail"] for person in PEOPLE}, "what rules read, not `name`"


def test_no_claim_that_no_rule_reads_is_kept_and_nothing_is_kept_in_plain_text(tmp_path, rules, clock, sealer, start):
    compiled = rules.compile(EVERY_CONDITION)
    engine = open_engine(f"sqlite:///{tmp_path}/bridge.db")
    history = start(engine, compiled)
    claims = {"groups": ["canary-group"], "department": "canary-department", "uid": "canary-uid", "level": 4}
    unread = {"name": "canary-name", "telephone": "canary-telephone", "nested2": {"uid": "canary-nested"}}
    note(
        history,
        compiled,
        clock,
        claims=claims | unread,
        subject="canary-subject",
        message_id="canary-message",
        session_index="canary-session",
        name_format="canary-format",
    )
    [kept] = read_all(history, clock)
    assert kept.identity.claims == claims
    assert (kept.identity.message_id, kept.identity.session_index, kept.identity.name_format) == ("", None, None)
    with engine.begin() as connection:
        [row] = connection.execute(select(sign_ins)).all()
    opened = json.dumps(sealer.open_json(f"history:{row.at}:{row.tie}:{row.person}", row.sealed))
    assert set(re.findall(r"canary-\w+", opened)) == {
        f"canary-{name}" for name in ("group", "department", "uid", "subject")
    }
    assert not [name for name in unread if f'"{name}"' in opened]
    engine.dispose()
    files = [path.read_bytes() for path in tmp_path.glob("bridge.db*")]
    assert files
    assert not [content for content in files if b"canary" in content or ADDRESS.encode() in content]


def test_the_operators_list_takes_the_place_of_what_the_rules_read(engine, rules, clock, start):
    compiled = rules.compile(PLATFORM)
    history = start(engine, compiled, kept_claims=["groups", "name"])
    note(history, compiled, clock, claims={"groups": ["platform"], "name": "Ada", "uid": "ada"})
    [kept] = read_all(history, clock)
    assert kept.identity.claims == {"groups": ["platform"], "name": "Ada"}
    assert kept.label == "Ada"


def test_all_claims_are_kept_while_a_rule_could_read_any(engine, rules, clock, start):
    compiled = rules.compile("rules: [{name: any, when: 'size(claims) > 1', grant: [{account: a, role: R}]}]")
    history = start(engine, compiled)
    note(history, compiled, clock, claims={"x": "1", "y": ["2"]})
    assert [kept.identity.claims for kept in read_all(history, clock)] == [{"x": "1", "y": ["2"]}]


def test_sign_ins_come_oldest_first_in_pages_between_two_moments(engine, rules, clock, start, monkeypatch):
    monkeypatch.setattr(history_module, "PAGE", 3)
    compiled = rules.compile(PLATFORM)
    history, begin = start(engine, compiled), clock.now()
    for number in (5, 1, 4, 0, 3, 2, 6, 7):
        clock.moment = begin + timedelta(seconds=number // 2)  # two at each moment
        note(history, compiled, clock, subject=f"s{number}")
    kept = read_all(history, clock)
    assert [each.at for each in kept] == sorted(each.at for each in kept)
    assert {each.identity.subject for each in kept} == {f"s{number}" for number in range(8)}
    since, until = begin + timedelta(seconds=1), begin + timedelta(seconds=3)
    assert {each.identity.subject for each in history.read(since, until)} == {"s2", "s3", "s4", "s5"}
    assert history.count(since, until) == 4
    assert history.find_oldest() == begin


def test_a_person_has_one_digest_in_every_process_and_after_every_rotation(engine, url, rules, clock, start):
    compiled = rules.compile(PLATFORM)
    keys = [os.urandom(32) for _ in range(4)]
    for current in range(4):  # each start knows the keys before and after
        ring = Sealer(keys[current], keys[max(0, current - 1) : current + 2])
        history = start(engine, compiled, ring)
        note(history, compiled, clock)
        assert history.flush(10)
        clock.advance(1)
    kept = read_all(history, clock)
    assert len({each.person for each in kept}) == 1
    assert history.unreadable == 2, "sealed by keys that are gone"
    assert len(kept) == 2
    assert history.usage()["0.yaml:platform"].people == 1
    assert history.forget(make_identity().issuer, make_identity().subject) == 4


def test_what_cannot_be_opened_is_counted_and_said(engine, rules, clock, start, caplog):
    compiled = rules.compile(PLATFORM)
    history = start(engine, compiled)
    note(history, compiled, clock)
    assert history.flush(10)
    later = start(engine, compiled, Sealer(os.urandom(32)))
    note(later, compiled, clock)
    assert [each.rules_version for each in read_all(later, clock)] == [compiled.version]
    assert later.unreadable == 1
    assert "1 kept sign-ins cannot be opened" in caplog.text
    assert "counted anew" in caplog.text


def test_a_row_opens_in_its_own_place_only(engine, rules, clock, start):
    compiled = rules.compile(PLATFORM)
    history = start(engine, compiled)
    note(history, compiled, clock)
    [kept] = read_all(history, clock)
    with engine.begin() as connection:
        [row] = connection.execute(select(sign_ins)).all()
        moved = row._asdict()
        connection.execute(insert(sign_ins), [moved | {"at": row.at + 1}, moved | {"tie": 1}])
        connection.execute(insert(sign_ins), [moved | {"tie": 2, "person": "0" * 32}])
    assert read_all(history, clock) == [kept]
    assert history.unreadable == 3


def test_what_is_older_than_keep_days_is_deleted_in_small_steps(engine, rules, clock, start, monkeypatch):
    monkeypatch.setattr(writer_module, "CLEAN_BATCH", 2)
    compiled = rules.compile(PLATFORM)
    history = start(engine, compiled)
    for number in range(7):
        note(history, compiled, clock, subject=f"old{number}")
    clock.advance(86_400 * 29)
    note(history, compiled, clock, subject="new")
    assert history.flush(10)
    assert history.usage()["0.yaml:platform"].people == 8
    clock.advance(86_400 * 2)
    assert history.usage()["0.yaml:platform"].people == 1
    again = start(engine, compiled)
    assert wait_until(lambda: count_rows(engine) == (1, 1))
    assert [each.identity.subject for each in read_all(again, clock)] == ["new"]


def test_with_keep_days_0_nothing_is_kept_and_what_was_is_deleted(engine, rules, clock, start):
    compiled = rules.compile(PLATFORM)
    history = start(engine, compiled)
    note(history, compiled, clock)
    assert history.flush(10)
    assert count_rows(engine) == (1, 1)
    off = start(engine, compiled, keep_days=0)
    note(off, compiled, clock)
    assert off.flush(10)
    assert wait_until(lambda: count_rows(engine) == (0, 0))


def test_usage_says_when_a_rule_last_applied_and_to_how_many_people(engine, rules, clock, start):
    compiled = rules.compile(
        """rules:
        - {name: all, everyone: true, grant: [{account: a, role: R}]}
        - {name: data, groups: [data], grant: [{account: a, role: D}]}
        - {name: nobody, groups: [nobody], deny: [{account: a}]}
        """
    )
    history, begin = start(engine, compiled), clock.now()
    for number, groups in enumerate((["data"], [], ["data"])):
        clock.moment = begin + timedelta(minutes=number)
        note(history, compiled, clock, subject=f"s{number % 2}", claims={"groups": groups})
        assert history.flush(10)
    clock.moment = begin - timedelta(minutes=5)  # another machine's clock: the later one counts
    note(history, compiled, clock, subject="s1", claims={"groups": []})
    assert history.flush(10)
    clock.moment = begin + timedelta(minutes=10)
    usage = history.usage()
    assert set(usage) == {"0.yaml:all", "0.yaml:data"}
    assert usage["0.yaml:all"] == RuleUse(begin + timedelta(minutes=2), 2)
    assert usage["0.yaml:data"] == RuleUse(begin + timedelta(minutes=2), 1)


def test_a_person_who_is_forgotten_is_gone_and_nobody_else(engine, rules, clock, start, sealer):
    compiled = rules.compile(PLATFORM)
    history = start(engine, compiled)
    for subject in ("ada", "ada", "grace"):
        note(history, compiled, clock, subject=subject)
    assert history.flush(10)
    command = open_history(engine, sealer, clock, keep_days=30)
    assert command.forget(make_identity().issuer, "nobody") == 0
    assert command.forget(make_identity().issuer, "ada") == 2
    assert [each.identity.subject for each in read_all(history, clock)] == ["grace"]
    assert history.usage()["0.yaml:platform"].people == 1


def test_commands_read_an_empty_database_and_one_that_is_not_there(engine, sealer, clock, tmp_path):
    history = open_history(engine, sealer, clock, keep_days=30)
    assert list(history.read(clock.now() - timedelta(days=1), clock.now())) == []
    assert history.usage() == {}
    assert history.find_oldest() is None
    gone = open_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(HistoryUnavailable):
        open_history(gone, sealer, clock, keep_days=30)


def test_processes_that_start_at_once_agree_about_people(url, rules, clock, start):
    compiled = rules.compile(PLATFORM)
    engines = [open_engine(url) for _ in range(4)]
    histories = [start(engine, compiled) for engine in engines]
    for history in histories:
        note(history, compiled, clock)
    assert all(history.flush(10) for history in histories)
    assert len({each.person for each in read_all(histories[0], clock)}) == 1
    for engine in engines:
        engine.dispose()


def count_rows(engine):
    with engine.connect().execution_options(read_only=True) as connection:
        return tuple(
            connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (sign_ins, rule_uses)
        )


def wait_until(holds, seconds=5):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
