"""Conditions on the request: from where, at what hours, until which day; to the second, in the zone that is meant."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bridge.entitlements.explanation import describe_origin
from bridge.entitlements.resolve import resolve
from bridge.errors import SettingsError
from tests.unit.entitlements.factories import make_identity

GRANT = "grant: [{account: production, role: ReadOnly}]"
DENY = "deny: [{account: production}]"


def rule(*lines, name="a", effect=GRANT):
    return "\n".join(["rules:", f"- name: {name}", *(f"  {line}" for line in (*lines, effect))]) + "\n"


def opens(rule_set, at, address="10.1.2.3", **changes):
    return bool(resolve(make_identity(**changes), rule_set, at, address).entitlements)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def findings(rule_set, at, address=None):
    (outcome,) = resolve(make_identity(), rule_set, at, address, every_rule=True).explanations
    return [(each.condition, each.holds) for each in outcome.findings]


NOON = utc("2026-11-24T12:00:00")  # a Tuesday


# ── Networks ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("networks", "address", "holds"),
    [
        ("[10.0.0.0/8]", "10.255.255.255", True),
        ("[10.0.0.0/8]", "11.0.0.0", False),
        ("[10.0.0.0/8]", "9.255.255.255", False),
        ("[203.0.113.7]", "203.0.113.7", True),
        ("[203.0.113.7]", "203.0.113.70", False),
        ("[203.0.113.0/24, 10.0.0.0/8]", "10.1.1.1", True),
        ("['2001:db8::/32']", "2001:db8:ffff::1", True),
        ("['2001:db8::/32']", "2001:db9::1", False),
        ("['2001:db8::1']", "2001:0db8:0:0::0001", True),
        pytest.param("[10.0.0.0/8]", "::ffff:10.1.2.3", True, id="IPv4 within IPv6"),
        pytest.param("[10.0.0.0/8]", "::ffff:a01:203", True, id="IPv4 within IPv6, in hexadecimal"),
        pytest.param("[10.0.0.0/8]", "::ffff:11.1.2.3", False, id="another IPv4 within IPv6"),
        pytest.param("[10.0.0.0/8]", "::10.1.2.3", False, id="compatible, not mapped"),
        pytest.param("['::/0']", "10.1.2.3", False, id="every IPv6 network is no IPv4 network"),
        pytest.param("['::/0']", "::ffff:10.1.2.3", False, id="nor for a mapped address"),
        pytest.param("[0.0.0.0/0]", "2001:db8::1", False, id="every IPv4 network is no IPv6 network"),
        pytest.param("[10.0.0.0/8]", None, None, id="no address"),
        pytest.param("[10.0.0.0/8]", "", None, id="empty"),
        pytest.param("[10.0.0.0/8]", "unknown", None, id="no number"),
        pytest.param("[10.0.0.0/8]", "10.1.2.3, 8.8.8.8", None, id="two addresses"),
        pytest.param("[10.0.0.0/8]", "10.1.2.3:443", None, id="with a port"),
        pytest.param("[10.0.0.0/8]", "010.1.2.3", None, id="a leading zero"),
        pytest.param("[10.0.0.0/8]", "10.1", None, id="short form"),
        pytest.param("[10.0.0.0/8]", "167772161", None, id="as one number"),
    ],
)
def test_a_network_holds_the_addresses_within_it_and_no_other(rules, networks, address, holds):
    rule_set = rules.compile(rule("everyone: true", f"networks: {networks}"))
    assert findings(rule_set, NOON, address) == [("networks", holds)]
    assert opens(rule_set, NOON, address) is (holds is True)


@pytest.mark.parametrize(("address", "denied"), [("10.1.2.3", True), ("11.1.2.3", False), (None, True), ("?", True)])
def test_t_map_06_a_denial_by_network_applies_to_an_address_that_cannot_be_read(rules, address, denied):
    deny = rule("everyone: true", "networks: [10.0.0.0/8]", effect=DENY)
    rule_set = rules.compile(rule("everyone: true"), deny)
    assert opens(rule_set, NOON, address) is not denied


# ── Hours ────────────────────────────────────────────────────────────────────────────────────────────────────

WORK = "hours: {days: [mon, tue, wed, thu, fri], from: '08:00', to: '18:00', time_zone: Asia/Shanghai}"
NIGHT = "hours: {days: [fri], from: '22:00', to: '06:00', time_zone: UTC}"
BERLIN = "hours: {from: '08:00', to: '09:00', time_zone: Europe/Berlin}"
LATE = "hours: {days: [sun], from: '22:00', time_zone: UTC}"
DAY = "hours: {days: [sat], time_zone: Asia/Kathmandu}"


@pytest.mark.parametrize(
    ("hours", "at", "holds"),
    [
        pytest.param(WORK, "2026-11-24T00:00:00", True, id="08:00:00 in Shanghai"),
        pytest.param(WORK, "2026-11-23T23:59:59", False, id="07:59:59 in Shanghai"),
        pytest.param(WORK, "2026-11-24T09:59:59", True, id="17:59:59 in Shanghai"),
        pytest.param(WORK, "2026-11-24T10:00:00", False, id="18:00:00 in Shanghai"),
        pytest.param(WORK, "2026-11-22T23:59:59", False, id="Monday there, Sunday in UTC, too early"),
        pytest.param(WORK, "2026-11-23T00:00:00", True, id="Monday there and in UTC"),
        pytest.param(WORK, "2026-11-28T02:00:00", False, id="Saturday"),
        pytest.param(NIGHT, "2026-11-27T21:59:59", False, id="Friday before ten"),
        pytest.param(NIGHT, "2026-11-27T22:00:00", True, id="Friday at ten"),
        pytest.param(NIGHT, "2026-11-28T00:00:00", True, id="over midnight"),
        pytest.param(NIGHT, "2026-11-28T05:59:59", True, id="Saturday before six"),
        pytest.param(NIGHT, "2026-11-28T06:00:00", False, id="Saturday at six"),
        pytest.param(NIGHT, "2026-11-28T22:00:00", False, id="Saturday night is not Friday night"),
        pytest.param(NIGHT, "2026-11-27T05:00:00", False, id="nor is Friday before six"),
        pytest.param(BERLIN, "2026-07-01T06:00:00", True, id="summer time"),
        pytest.param(BERLIN, "2026-12-01T06:00:00", False, id="winter time, an hour later"),
        pytest.param(BERLIN, "2026-12-01T07:00:00", True, id="winter time"),
        pytest.param(LATE, "2026-11-29T23:59:59", True, id="without an end: to midnight"),
        pytest.param(LATE, "2026-11-30T00:00:00", False, id="and no longer"),
        pytest.param(DAY, "2026-11-27T18:15:00", True, id="the whole day, from its first second in Kathmandu"),
        pytest.param(DAY, "2026-11-27T18:14:59", False, id="and not a second before"),
        pytest.param(DAY, "2026-11-28T18:14:59", True, id="to its last second"),
        pytest.param(DAY, "2026-11-28T18:15:00", False, id="and not a second after"),
    ],
)
def test_the_hours_are_those_of_the_clock_in_that_zone_to_the_second(rules, hours, at, holds):
    rule_set = rules.compile(rule("everyone: true", hours))
    assert opens(rule_set, utc(at)) is holds
    elsewhere = utc(at).astimezone(ZoneInfo("America/New_York"))
    assert opens(rule_set, elsewhere) is holds
    denying = rules.compile(rule("everyone: true"), rule("everyone: true", hours, effect=DENY))
    assert opens(denying, utc(at)) is not holds


def test_an_hour_that_comes_twice_counts_both_times(rules):
    rule_set = rules.compile(rule("everyone: true", "hours: {from: '02:00', to: '03:00', time_zone: Europe/Berlin}"))
    both = [utc(f"2026-10-25T{hour}:30:00") for hour in ("23", "00", "01", "02")]
    assert [opens(rule_set, at) for at in both] == [False, True, True, False]


# ── Expiry ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        (utc("2027-03-30T12:00:00"), True),
        (utc("2027-03-31T23:59:59"), True),
        (utc("2027-04-01T00:00:00"), False),
        (datetime(2027, 4, 1, 7, 59, 59, tzinfo=ZoneInfo("Asia/Shanghai")), True),
        (datetime(2027, 4, 1, 8, 0, 0, tzinfo=ZoneInfo("Asia/Shanghai")), False),
        (utc("2030-01-01T00:00:00"), False),
    ],
)
def test_a_rule_expires_at_the_end_of_its_last_day_in_utc(rules, at, holds):
    assert opens(rules.compile(rule("everyone: true", "expires: 2027-03-31")), at) is holds
    denying = rules.compile(rule("everyone: true"), rule("everyone: true", "expires: 2027-03-31", effect=DENY))
    assert opens(denying, at) is not holds, "a denial that has expired does nothing"


# ── All of them ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_cheap_is_looked_at_first_and_the_rest_only_if_it_holds(rules):
    lines = [
        "provider: acme-saml",
        "expires: 2027-03-31",
        "hours: {from: '08:00', time_zone: UTC}",
        "networks: [10.0.0.0/8]",
        "groups: [platform]",
        "not_groups: [contractors]",
        "claims: {department: Platform}",
        "when: 'true'",
        "require: {max_age_seconds: 3600}",
    ]
    rule_set = rules.compile(rule(*reversed(lines)))
    at = make_identity().authenticated_at + timedelta(minutes=1)
    names = ["provider", "expires", "hours", "networks", "groups", "not_groups", "claims", "when", "age"]
    assert findings(rule_set, at, "10.0.0.1") == [(name, True) for name in names]
    assert findings(rule_set, at, "11.0.0.1") == [*((name, True) for name in names[:3]), ("networks", False)]
    (outcome,) = resolve(make_identity(), rule_set, at, "11.0.0.1").explanations
    assert "11.0.0.1, which is in none of: 10.0.0.0/8" in outcome.reason
    assert outcome.within_reach == (), "no stronger sign-in would help"


def test_the_owner_and_the_reason_of_a_rule_are_in_its_explanation(rules):
    rule_set = rules.compile(rule("everyone: true", "owner: platform@acme.example", "reason: OPS-17"))
    (explained,) = rule_set.rules
    assert (explained.owner, explained.reason) == ("platform@acme.example", "OPS-17")
    told = describe_origin(explained)
    assert ["OPS-17" in told[0], "platform@acme.example" in told[1]] == [True, True]
    (silent,) = rules.compile(rule("everyone: true")).rules
    assert describe_origin(silent) == ()


@pytest.mark.parametrize(
    ("line", "word"),
    [
        pytest.param("networks: [10.0.0.1/8]", "has host bits set", id="host bits"),
        pytest.param("networks: [office]", "not an address or network", id="a name without a dollar"),
        pytest.param("networks: ['::ffff:10.0.0.0/104']", "clothes of IPv6", id="IPv4 within IPv6"),
        pytest.param("networks: []", "empty", id="no network"),
        pytest.param("networks: [10]", "text", id="a number"),
        pytest.param("networks: 10.0.0.0/8", "list", id="one text"),
        pytest.param("hours: {from: '08:00'}", "`time_zone` is missing", id="no zone"),
        pytest.param("hours: {from: '8:00', time_zone: UTC}", "match", id="one digit"),
        pytest.param("hours: {from: '25:00', time_zone: UTC}", "not a time", id="hour 25"),
        pytest.param("hours: {to: '24:01', time_zone: UTC}", "not a time", id="after midnight"),
        pytest.param("hours: {from: 8, time_zone: UTC}", "text", id="a number for a time"),
        pytest.param("hours: {from: '08:00', to: '08:00', time_zone: UTC}", "no time is between", id="empty span"),
        pytest.param("hours: {from: '24:00', to: '08:00', time_zone: UTC}", "no time is between", id="from the end"),
        pytest.param("hours: {days: [], time_zone: UTC}", "empty", id="no day"),
        pytest.param("hours: {days: [Monday], time_zone: UTC}", "mon", id="day written out"),
        pytest.param("hours: {time_zone: Asia/Peking}", "no time zone", id="unknown zone"),
        pytest.param("hours: {time_zone: Asia}", "no time zone", id="a folder of zones"),
        pytest.param("hours: {time_zone: ../../etc/passwd}", "match", id="a path"),
        pytest.param("hours: {time_zone: +08:00}", "match", id="an offset"),
        pytest.param("hours: {start: '08:00', time_zone: UTC}", "`start` is not known", id="our own name for `from`"),
        pytest.param("expires: 2027-02-29", "not a date", id="no such day"),
        pytest.param("expires: 2027-3-31", "not a date", id="one digit"),
        pytest.param("expires: 20270331", "not a date", id="a number"),
        pytest.param("expires: 2027-W13-3", "not a date", id="a week"),
        pytest.param("expires: 2027-03-31T12:00:00", "not a date", id="with a time"),
        pytest.param("expires: never", "not a date", id="a word"),
        pytest.param("ignore_case: true", "there are none", id="nothing to compare"),
        pytest.param("ignore_case: false", "ignore_case", id="false"),
        pytest.param("not_groups: []", "empty", id="no group"),
    ],
)
def test_a_condition_that_is_not_clear_is_refused_with_its_place_and_a_remedy(rules, line, word):
    with pytest.raises(SettingsError) as caught:
        rules.compile(rule("everyone: true", line))
    (problem,) = caught.value.problems
    assert problem.line == (2 if "ignore_case: true" in line else 4)
    assert word in problem.message
    assert len(problem.fix) > 5


@pytest.mark.parametrize(
    "line",
    [
        "networks: [10.0.0.0/8]",
        "hours: {time_zone: UTC}",
        "expires: 2027-03-31",
        "not_groups: [x]",
        "owner: me",
    ],
)
def test_t_map_07_what_only_narrows_a_rule_is_no_condition_by_itself(rules, line):
    with pytest.raises(SettingsError) as caught:
        rules.compile(rule(line))
    assert "would match everybody" in caught.value.problems[0].message
    assert rules.compile(rule("everyone: true", line)).rules
    assert rules.compile(rule("groups: [x]", line)).rules
