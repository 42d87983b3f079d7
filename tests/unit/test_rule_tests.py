"""Tests for mappings: exactly what is expected, or a failure that names the rule that decided."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.language import speaking
from bridge.settings import load_configuration, run_rule_tests
from tests.unit.configurations import write_configuration

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
RULES = """rules:
- name: everybody
  everyone: true
  grant: [{account: sandbox, role: Reader}]
- name: platform
  groups: [platform]
  require: {amr: [mfa], max_age_seconds: 900}
  grant: [{account: production, role: Admin, duration_seconds: 1800}]
- name: own
  claims: {kind: staff}
  grant: [{account: production, user: "u-${ claims.uid }"}]
- name: office
  groups: [office]
  networks: [192.0.2.0/24]
  hours: {days: [tue], from: "08:00", to: "18:00", time_zone: UTC}
  grant: [{account: sandbox, role: Developer}]
- name: no-guests
  groups: [guests]
  deny: [{account: production}]
"""
READER = "{account: sandbox, role: Reader}"
ADMIN = "{account: production, role: Admin}"
STRONG = "claims: {groups: [platform]}, amr: [mfa], age_seconds: 60"


def run(tmp_path, *tests, given="provider: acme-oidc", rules=RULES):
    text = f"given: {{{given}}}\ntests:\n" + "".join(f"- {test}\n" for test in tests)
    folder = write_configuration(tmp_path, {"rules/10-platform.yaml": rules, "rules/tests/some.yaml": text})
    return run_rule_tests(load_configuration(folder), NOW)


def find(tmp_path, given, expect, denied="[]"):
    (result,) = run(tmp_path, f"{{name: n, given: {{{given}}}, expect: [{expect}], denied: {denied}}}").results
    return [(each.kind, each.target, each.expected, each.got, each.because) for each in result.differences]


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ("", READER),
        (STRONG, f"{READER}, {ADMIN}"),
        (
            STRONG,
            f"{READER}, {ADMIN[:-1]}, duration_seconds: 1800, rule: '10-platform.yaml:platform'}}",
        ),
        ("claims: {kind: staff, uid: lin}", f"{READER}, {{account: production, user: u-lin}}"),
        (
            "claims: {groups: [office]}, source_address: 192.0.2.7, time: 2026-11-24T17:59:00Z",
            f"{READER}, {{account: sandbox, role: Developer}}",
        ),
        ("claims: {groups: [office]}, source_address: 192.0.3.7, time: 2026-11-24T17:59:00Z", READER),
        ("claims: {groups: [office]}, source_address: 192.0.2.7, time: 2026-11-24T19:00:00+01:00", READER),
        ("claims: {groups: [platform]}, amr: [mfa], age_seconds: 901", READER),
        ("claims: {groups: [platform]}, amr: [mfa], authenticated_at: 2026-11-24T08:50:00Z", f"{READER}, {ADMIN}"),
        ("claims: {groups: [platform]}, amr: [mfa]", READER),  # the provider did not say when
    ],
)
def test_exactly_what_is_expected_passes(tmp_path, given, expect):
    assert find(tmp_path, given, expect) == []


def test_what_is_missing_names_each_rule_that_could_grant_it_and_why_it_does_not(tmp_path):
    because = (
        "not granted: `platform` needs a group named `platform`; the provider sent no `groups` "
        "(10-platform.yaml:platform)"
    )
    assert find(tmp_path, "", f"{READER}, {ADMIN}") == [
        ("missing", "role production/Admin", "granted", "not granted", because)
    ]
    (difference,) = find(tmp_path, "claims: {groups: [Platform]}", f"{READER}, {ADMIN}")
    assert "the provider sent `Platform` (differs in case)" in difference[4]
    assert find(tmp_path, "", f"{READER}, {{account: sandbox, role: Nobody}}")[0][4] == "no rule grants it"


def test_what_is_too_much_names_the_rule_that_grants_it(tmp_path):
    (difference,) = find(tmp_path, STRONG, READER)
    assert difference[:4] == ("unexpected", "role production/Admin", "not granted", "granted")
    assert difference[4].startswith("granted by `platform`: `groups` has platform")
    assert difference[4].endswith("(10-platform.yaml:platform)")
    assert find(tmp_path, "", "")[0][4].startswith("granted by `everybody`")


def test_another_duration_or_another_rule_is_a_difference(tmp_path):
    long = "{account: sandbox, role: Reader, duration_seconds: 7200}"
    assert find(tmp_path, "", long)[0][:4] == ("duration", "role sandbox/Reader", "7200 s", "3600 s")
    other = "{account: sandbox, role: Reader, rule: '10-platform.yaml:own'}"
    assert find(tmp_path, "", other)[0][:4] == (
        "rule",
        "role sandbox/Reader",
        "10-platform.yaml:own",
        "10-platform.yaml:everybody",
    )


def test_a_denial_is_expected_only_of_what_would_be_granted(tmp_path):
    guest = STRONG.replace("[platform]", "[platform, guests]")
    assert find(tmp_path, guest, READER, f"[{ADMIN}]") == []
    named = "[{account: production, role: Admin, rule: '10-platform.yaml:no-guests'}]"
    assert find(tmp_path, guest, READER, named) == []
    assert (
        find(tmp_path, guest, READER, named.replace("no-guests", "own"))[0][3] == "denied by 10-platform.yaml:no-guests"
    )
    assert find(tmp_path, "claims: {groups: [guests]}", READER, f"[{ADMIN}]")[0][3] == "not granted in the first place"
    assert find(tmp_path, STRONG, f"{READER}, {ADMIN}", f"[{ADMIN}]")[0][:4] == (
        "denied",
        "role production/Admin",
        "denied by a rule",
        "granted",
    )


def test_what_a_denial_takes_away_is_explained_as_such(tmp_path):
    guest = STRONG.replace("[platform]", "[platform, guests]")
    (difference,) = find(tmp_path, guest, f"{READER}, {ADMIN}")
    assert difference[4] == (
        "not granted, though `platform` applies: role production/Admin is denied by `no-guests`: `groups` has guests "
        "(10-platform.yaml:platform)"
    )


def test_a_test_replaces_single_values_of_its_file(tmp_path):
    report = run(
        tmp_path,
        f"{{name: theirs, expect: [{READER}, {ADMIN}]}}",
        f"{{name: older, given: {{authenticated_at: 2026-11-24T08:00:00Z}}, expect: [{READER}]}}",
        f"{{name: no groups, given: {{claims: {{}}}}, expect: [{READER}]}}",
        f"{{name: SAML has no amr, given: {{provider: acme-saml, amr: []}}, expect: [{READER}]}}",
        given=f"provider: acme-oidc, {STRONG}",
    )
    assert [result.name for result in report.failed] == []


def test_coverage_counts_the_rules_that_applied_in_some_test(tmp_path):
    report = run(tmp_path, f"{{name: a, expect: [{READER}]}}", f"{{name: b, given: {{{STRONG}}}, expect: []}}")
    assert report.applied["10-platform.yaml:everybody"] == 2
    assert report.applied["10-platform.yaml:platform"] == 1
    assert report.uncovered == ("10-platform.yaml:own", "10-platform.yaml:office", "10-platform.yaml:no-guests")
    assert report.coverage == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("test", "place", "message"),
    [
        ("{name: n, expects: [], expect: []}", (3, 13), "`expects` is not known here"),
        ("{name: n}", (3, 3), "`expect` is missing"),
        ("{name: n, expect: [{account: sandbox}]}", (3, 22), "exactly one of them"),
        ("{name: n, expect: [{account: sandpit, role: R}]}", (3, 32), "there is no account named `sandpit`"),
        ("{name: n, expect: [{account: sandbox, role: R, rule: x}]}", (3, 56), "there is no rule named `x`"),
        ("{name: n, given: {provider: nobody}, expect: []}", (3, 31), "there is no provider named `nobody`"),
        ("{name: n, given: {source_address: here}, expect: []}", (3, 37), "'here' is not an IP address"),
        ("{name: n, given: {time: 2026-11-24T09:00:00}, expect: []}", (3, 27), "timezone"),
        (
            "{name: n, given: {age_seconds: 1, authenticated_at: 2026-11-24T09:00:00Z}, expect: []}",
            (3, 20),
            "say the same",
        ),
    ],
)
def test_a_mistake_in_a_test_has_its_place_and_no_test_runs(tmp_path, test, place, message):
    with pytest.raises(SettingsError) as caught:
        run(tmp_path, test)
    (problem,) = caught.value.problems
    assert problem.file.name == "some.yaml"
    assert message in problem.message
    assert (problem.line, problem.column) == place


def test_a_test_without_a_provider_says_so(tmp_path):
    with pytest.raises(SettingsError) as caught:
        run(tmp_path, "{name: n, expect: []}", given="subject: x")
    assert caught.value.problems[0].message == "the test `n` names no provider"


def test_tests_are_no_part_of_the_version_of_the_rules(tmp_path):
    before = load_configuration(write_configuration(tmp_path)).rules.version
    (tmp_path / "rules" / "tests").mkdir()
    (tmp_path / "rules" / "tests" / "some.yaml").write_text("tests: []")
    assert load_configuration(tmp_path).rules.version == before


def test_other_rules_can_be_tested_with_the_same_tests(tmp_path):
    folder = write_configuration(
        tmp_path,
        {
            "rules/10-platform.yaml": RULES,
            "rules/tests/some.yaml": f"tests: [{{name: n, given: {{provider: acme-saml}}, expect: [{READER}]}}]",
            "draft/10-platform.yaml": RULES.replace("role: Reader", "role: Writer"),
        },
    )
    configuration = load_configuration(folder)
    draft = load_configuration(folder, rules=folder / "draft").rules
    assert not run_rule_tests(configuration, NOW).failed
    (failed,) = run_rule_tests(configuration, NOW, draft).failed
    assert {each.target for each in failed.differences} == {"role sandbox/Reader", "role sandbox/Writer"}
    assert run_rule_tests(configuration, NOW, folder=folder / "nowhere").results == ()


def test_the_rules_that_we_ship_pass_their_tests_which_cover_all_of_them(tmp_path):
    shutil.copytree(Path(__file__).parents[2] / "config", tmp_path / "config")
    report = run_rule_tests(load_configuration(tmp_path / "config", secrets=False), NOW)
    assert len(report.results) > 10
    assert report.failed == ()
    assert report.uncovered == ()


def test_a_failure_reads_the_same_whatever_language_is_spoken(tmp_path):
    """It is kept with a change, and read by people of both."""
    english = find(tmp_path / "en", "claims: {groups: [Platform]}", ADMIN)
    with speaking("zh-CN"):
        chinese = find(tmp_path / "zh", "claims: {groups: [Platform]}", ADMIN)
    assert chinese == english
    assert "differs in case" in str(english)
