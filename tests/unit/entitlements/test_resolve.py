"""The decision: nothing without a rule, denial wins, order is fixed, and every outcome says why."""

import time
from datetime import timedelta

import pytest

from bridge.entitlements.entitlement import identify
from bridge.entitlements.resolve import resolve
from bridge.errors import SettingsError
from tests.unit.entitlements.factories import NOW, granted, make_identity


def rule(name, *lines):
    return "\n".join(["rules:", f"- name: {name}", *(f"  {line}" for line in lines)]) + "\n"


READ_ONLY = "grant: [{account: production, role: ReadOnly}]"
ADMIN = "grant: [{account: production, role: Admin}]"
PLATFORM = rule("platform", "groups: [platform]", READ_ONLY)


def test_a_rule_whose_conditions_hold_grants(rules):
    resolution = resolve(make_identity(), rules.compile(PLATFORM), NOW)
    (entitlement,) = resolution.entitlements
    assert (entitlement.kind, entitlement.account, entitlement.name) == ("role", "production", "ReadOnly")
    assert entitlement.rule == "0.yaml:platform"
    assert entitlement.rules_version == resolution.rules_version
    assert entitlement.duration_seconds == 3600


@pytest.mark.parametrize(
    "claims",
    [{}, {"groups": []}, {"groups": ["unknown"]}, {"groups": None}, {"groups": ["Platform"]}, {"group": ["platform"]}],
)
def test_t_map_07_nothing_is_granted_when_nothing_matches(rules, claims):
    assert granted(rules.compile(PLATFORM), claims=claims) == []


def test_t_map_07_an_empty_rule_set_grants_nothing(rules):
    assert granted(rules.compile()) == []


def test_t_map_07_an_identity_of_a_provider_that_is_not_configured_gets_nothing(rules):
    everyone = rules.compile(rule("all", "everyone: true", READ_ONLY))
    assert granted(everyone) == ["production/ReadOnly"]
    assert granted(everyone, provider="removed") == []


@pytest.mark.parametrize("groups", [{"platform": 1}, ["platform", 7], 5, [["platform"]]])
def test_t_map_06_groups_of_another_shape_grant_nothing_and_the_reason_says_so(rules, groups):
    by_claim = rule("by-claim", "claims: {groups: platform}", READ_ONLY)
    rule_set = rules.compile(PLATFORM, by_claim)
    resolution = resolve(make_identity(claims={"groups": groups}), rule_set, NOW, every_rule=True)
    assert resolution.entitlements == ()
    assert "groups" in resolution.explanations[0].reason


def test_the_groups_shorthand_reads_the_groups_claim_of_the_provider(rules):
    rule_set = rules.compile(PLATFORM)
    claims = {"roles": ["platform"], "groups": ["other"]}
    assert granted(rule_set, provider="acme-oidc", claims=claims) == ["production/ReadOnly"]
    assert granted(rule_set, provider="acme-saml", claims=claims) == []


@pytest.mark.parametrize(
    ("lines", "matches"),
    [
        (["provider: acme-saml"], True),
        (["provider: acme-oidc"], False),
        (["provider: [acme-oidc, acme-saml]"], True),
        (["everyone: true"], True),
        (["claims: {department: Platform}"], True),
        (["claims: {department: [Data, Platform]}"], True),
        (["claims: {department: platform}"], False),
        (["claims: {department: Platform, uid: lin.wei}"], True),
        (["claims: {department: Platform, uid: other}"], False),
        (["claims: {absent: x}"], False),
        (["groups: [platform]", "claims: {department: Data}"], False),
        (["groups: [other, platform]"], True),
        (["groups: [platform]", 'when: claims.uid == "lin.wei"'], True),
        (["groups: [platform]", 'when: claims.uid == "other"'], False),
        (["groups: [platform]", 'when: claims.absent != "x"'], False),
        (["provider: acme-oidc", "when: 'true'"], False),
    ],
)
def test_all_conditions_of_a_rule_must_hold(rules, lines, matches):
    assert bool(granted(rules.compile(rule("a", *lines, READ_ONLY)))) is matches


# ── Strength ─────────────────────────────────────────────────────────────────────────────────────────────────

STRONG = rule(
    "admin", "groups: [platform]", "require: {amr: [mfa, hwk], acr: ['https://refeds.org/profile/mfa']}", ADMIN
)


@pytest.mark.parametrize(
    ("evidence", "enough"),
    [
        pytest.param({"amr": ("pwd", "mfa")}, True, id="amr mfa"),
        pytest.param({"amr": ("hwk",)}, True, id="amr hwk"),
        pytest.param({"acr": "https://refeds.org/profile/mfa"}, True, id="acr"),
        pytest.param({"amr": ("pwd",)}, False, id="password"),
        pytest.param({"amr": ("MFA",)}, False, id="case"),
        pytest.param({"amr": (), "acr": None}, False, id="nothing stated"),
        pytest.param({"acr": "https://refeds.org/profile/mfa/"}, False, id="acr with a final slash"),
        pytest.param({"acr": "mfa"}, False, id="a method in the place of a context"),
        pytest.param({"amr": ("https://refeds.org/profile/mfa",)}, False, id="a context in the place of a method"),
        pytest.param({"claims": {"groups": ["platform"], "amr": ["mfa"]}}, False, id="a claim called amr"),
    ],
)
def test_t_out_04_a_weak_sign_in_does_not_open_a_strong_role(rules, evidence, enough):
    resolution = resolve(make_identity(**evidence), rules.compile(STRONG), NOW)
    assert bool(resolution.entitlements) is enough
    assert "needed" in resolution.explanations[0].reason


def test_t_out_04_an_old_sign_in_does_not_open_a_fresh_role(rules):
    rule_set = rules.compile(rule("a", "groups: [platform]", "require: {max_age_seconds: 300}", ADMIN))
    identity = make_identity(authenticated_at=NOW - timedelta(seconds=300))
    assert resolve(identity, rule_set, NOW).entitlements
    assert not resolve(identity, rule_set, NOW + timedelta(seconds=1)).entitlements


# ── Denial ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("{account: production}", ["sandbox/Developer"]),
        ("{account: production, role: Admin}", ["production/ReadOnly", "production/lin.wei", "sandbox/Developer"]),
        ("{account: production, user: lin.wei}", ["production/ReadOnly", "production/Admin", "sandbox/Developer"]),
        (
            "{account: production, role: lin.wei}",
            ["production/ReadOnly", "production/Admin", "production/lin.wei", "sandbox/Developer"],
        ),
        ("{account: sandbox}", ["production/ReadOnly", "production/Admin", "production/lin.wei"]),
    ],
)
@pytest.mark.parametrize("place", ["a-first", "z-last"])
def test_t_map_08_deny_wins_wherever_it_stands(rules, target, left, place):
    grants = """
rules:
- name: all
  groups: [platform]
  grant:
  - {account: production, role: ReadOnly}
  - {account: production, role: Admin}
  - {account: production, user: "${ claims.uid }"}
  - {account: sandbox, role: Developer}
"""
    deny = rule("no", "groups: [employees]", f"deny: [{target}]")
    rule_set = rules.compile(**{"m": grants, place: deny})
    assert granted(rule_set) == left
    assert len(granted(rule_set, claims={"groups": ["platform"], "uid": "lin.wei"})) == 4


def test_t_map_08_a_denied_role_is_not_reached_by_way_of_a_user(rules):
    user = rule("user", "groups: [platform]", "grant: [{account: production, user: u, terminal_role: Admin}]")
    deny = rule("no", "groups: [employees]", "deny: [{account: production, role: Admin}]")
    resolution = resolve(make_identity(), rules.compile(user, deny), NOW)
    assert [(each.name, each.terminal_role) for each in resolution.entitlements] == [("u", None)]
    assert "1.yaml:no" in resolution.explanations[0].grants[0].reason
    (entitlement,) = resolve(make_identity(), rules.compile(user), NOW).entitlements
    assert entitlement.terminal_role == "Admin"


@pytest.mark.parametrize(
    ("condition", "claims", "denied"),
    [
        pytest.param("groups: [contractors]", {"groups": ["contractors"]}, True, id="in the group"),
        pytest.param("groups: [contractors]", {"groups": ["employees"]}, False, id="not in the group"),
        pytest.param("groups: [contractors]", {}, False, id="no groups"),
        pytest.param("groups: [contractors]", {"groups": {"a": 1}}, True, id="unreadable groups"),
        pytest.param("groups: [contractors]", {"hasgroups": True}, True, id="groups too many to send"),
        pytest.param("claims: {kind: external}", {"kind": "external"}, True, id="claim"),
        pytest.param("claims: {kind: external}", {"kind": "internal"}, False, id="other claim"),
        pytest.param("claims: {kind: external}", {}, False, id="no claim"),
        pytest.param("claims: {kind: external}", {"kind": 5}, True, id="unreadable claim"),
        pytest.param('when: claims.kind == "external"', {"kind": "external"}, True, id="expression"),
        pytest.param('when: claims.kind == "external"', {"kind": "internal"}, False, id="expression is false"),
        pytest.param('when: claims.kind == "external"', {}, True, id="expression fails"),
        pytest.param('when: has(claims.kind) && claims.kind == "external"', {}, False, id="guarded expression"),
    ],
)
def test_t_map_06_a_denial_applies_unless_it_is_known_not_to(rules, condition, claims, denied):
    everyone = rule("all", "everyone: true", READ_ONLY)
    deny = rule("no", condition, "deny: [{account: production}]")
    assert granted(rules.compile(everyone, deny), claims=claims) == ([] if denied else ["production/ReadOnly"])


# ── Order, identity of entitlements ──────────────────────────────────────────────────────────────────────────


def test_t_map_08_the_order_is_that_of_file_names_and_rules(rules):
    b = "rules:\n- name: z\n  everyone: true\n  grant: [{account: a, role: R1}]\n"
    b += "- name: a\n  groups: [platform]\n  grant: [{account: a, role: R2}]\n"
    a = rule("x", "claims: {uid: lin.wei}", "grant: [{account: b, role: R3}, {account: a, role: R0}]")
    assert granted(rules.compile(b=b, a=a)) == ["b/R3", "a/R0", "a/R1", "a/R2"]
    assert granted(rules.compile(a=a, b=b)) == ["b/R3", "a/R0", "a/R1", "a/R2"]


def test_t_map_08_the_first_rule_that_grants_a_target_decides_its_limits(rules):
    short = rule("short", "groups: [platform]", "grant: [{account: a, role: R, duration_seconds: 1800}]")
    long = rule("long", "everyone: true", "grant: [{account: a, role: R, duration_seconds: 7200}]")
    resolution = resolve(make_identity(), rules.compile(short, long), NOW)
    assert [each.duration_seconds for each in resolution.entitlements] == [1800]
    assert "already granted by 0.yaml:short" in resolution.explanations[1].grants[0].reason


def test_an_id_is_stable_and_belongs_to_one_target(rules):
    targets = [("role", "a", "b"), ("user", "a", "b"), ("role", "b", "a"), ("role", "a", "c")]
    ids = {identify(*target) for target in targets}
    assert len(ids) == 4
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in ids)
    first = resolve(make_identity(), rules.compile(PLATFORM), NOW).entitlements[0].id
    assert first == identify("role", "production", "ReadOnly")


def test_t_map_03_a_hostile_value_gives_no_user_and_the_reason_says_so(rules):
    rule_set = rules.compile(rule("u", "groups: [platform]", "grant: [{account: a, user: '${ claims.uid }'}]"))
    assert granted(rule_set) == ["a/lin.wei"]
    for uid in ("x:role/admin", "../admin", "*", "${ claims.groups }", ["lin.wei"], None):
        resolution = resolve(make_identity(claims={"groups": ["platform"], "uid": uid}), rule_set, NOW)
        assert resolution.entitlements == ()
        assert resolution.explanations[0].applied
        assert "claims.uid" in resolution.explanations[0].grants[0].reason


def test_every_rule_that_could_apply_is_explained_by_what_decided(rules):
    no = rule("no", "groups: [employees]", "claims: {department: Data}", READ_ONLY)
    deny = rule("deny", "groups: [platform]", "deny: [{account: production, role: Admin}]")
    yes = rule("yes", "groups: [platform]", 'when: claims.department == "Platform"', ADMIN)
    other = rule("other", "groups: [elsewhere]", READ_ONLY)
    resolution = resolve(make_identity(), rules.compile(no, deny, yes, other), NOW)
    told = {each.rule: (each.effect, each.applied) for each in resolution.explanations}
    assert told == {
        "0.yaml:no": ("grant", False),
        "1.yaml:deny": ("deny", True),
        "2.yaml:yes": ("grant", True),
    }
    assert "`department` has none of: Data" in resolution.explanations[0].reason
    assert resolution.explanations[2].grants[0].reason == "denied by 1.yaml:deny"
    handed_out = [grant.entitlement for each in resolution.explanations for grant in each.grants]
    assert [each for each in handed_out if each] == list(resolution.entitlements)


def test_the_same_question_gets_the_same_answer(rules):
    rule_set = rules.compile(PLATFORM, STRONG)
    identity = make_identity(amr=("mfa",))
    assert resolve(identity, rule_set, NOW) == resolve(identity, rule_set, NOW)


def test_ten_thousand_rules_of_other_groups_cost_nothing(rules):
    grant = "grant: [{account: a, role: R}]"
    many = "rules:\n" + "".join(f"- name: r{n}\n  groups: [g{n}]\n  {grant}\n" for n in range(10_000))
    rule_set = rules.compile(PLATFORM, many)
    identity = make_identity()
    start = time.process_time()
    for _ in range(100):
        assert len(resolve(identity, rule_set, NOW).entitlements) == 1
    assert (time.process_time() - start) / 100 < 0.002


def test_every_rule_is_explained_where_that_is_asked_for_and_the_decision_is_the_same(rules):
    rule_set = rules.compile(PLATFORM, rule("others", "groups: [others]", ADMIN))
    quick = resolve(make_identity(), rule_set, NOW)
    whole = resolve(make_identity(), rule_set, NOW, every_rule=True)
    assert whole.entitlements == quick.entitlements
    assert [each.rule for each in quick.explanations] == ["0.yaml:platform"]
    (_, other) = whole.explanations
    assert (other.rule, other.applied) == ("1.yaml:others", False)
    assert (other.findings[0].condition, other.findings[0].claims) == ("groups", ("groups",))


# ── Upper and lower case, and groups that one must not be in ─────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lines", "claims", "holds"),
    [
        (["groups: [PlatForm]", "ignore_case: true"], {"groups": ["pLATFORM"]}, True),
        (["groups: [PlatForm]"], {"groups": ["pLATFORM"]}, False),
        (["groups: [platform]", "ignore_case: true"], {"groups": ["Platforms"]}, False),
        (["groups: [platform]", "ignore_case: true"], {"groups": ["PLATFORM\u200b"]}, False),
        (["groups: [straße]", "ignore_case: true"], {"groups": ["STRASSE"]}, False),
        (["claims: {department: [DATA, Sales]}", "ignore_case: true"], {"department": "data"}, True),
        (["claims: {department: DATA}"], {"department": "data"}, False),
        (["claims: {department: DATA}", "ignore_case: true"], {"Department": "data"}, False),
        (["everyone: true", "not_groups: [contractors]", "ignore_case: true"], {"groups": ["Contractors"]}, False),
        (["everyone: true", "not_groups: [contractors]"], {"groups": ["Contractors"]}, True),
        (["everyone: true", "not_groups: [contractors]"], {"groups": ["contractors"]}, False),
        (["everyone: true", "not_groups: [contractors]"], {"groups": []}, True),
        (["everyone: true", "not_groups: [contractors]"], {}, False),
    ],
)
def test_t_map_05_case_is_ignored_only_where_the_rule_says_so(rules, lines, claims, holds):
    assert bool(granted(rules.compile(rule("a", *lines, READ_ONLY)), claims=claims)) is holds


@pytest.mark.parametrize("groups", [["CONTRACTORS"], ["a", "Contractors"], {"a": 1}])
def test_t_map_05_a_denial_that_ignores_case_is_found_whatever_the_case(rules, groups):
    everyone = rule("all", "everyone: true", READ_ONLY)
    deny = rule("no", "groups: [Contractors]", "ignore_case: true", "deny: [{account: production}]")
    assert granted(rules.compile(everyone, deny), claims={"groups": groups}) == []
    assert granted(rules.compile(everyone, deny), claims={"groups": ["employees"]}) == ["production/ReadOnly"]


@pytest.mark.parametrize(
    ("claims", "denied"),
    [
        ({"groups": ["employees"]}, False),
        ({"groups": ["others"]}, True),
        ({"groups": {"a": 1}}, True),
        ({}, True),
    ],
)
def test_t_map_06_a_denial_of_everybody_outside_of_a_group_applies_unless_it_is_known_not_to(rules, claims, denied):
    everyone = rule("all", "everyone: true", READ_ONLY)
    deny = rule("no", "everyone: true", "not_groups: [employees]", "deny: [{account: production}]")
    assert granted(rules.compile(everyone, deny), claims=claims) == ([] if denied else ["production/ReadOnly"])


# ── Names and texts from claims ──────────────────────────────────────────────────────────────────────────────

TEMPLATES = """rules:
- name: a
  groups: [platform]
  grant:
  - account: production
    role: app-${ claims.team }
    title: Team ${ claims.team }
    purpose: For ${ claims.full_name }, who is in ${ claims.team }.
"""


def test_names_and_texts_take_their_parts_from_claims(rules):
    rule_set = rules.compile(TEMPLATES)
    claims = {"groups": ["platform"], "team": "web", "full_name": "林薇"}
    (entitlement,) = resolve(make_identity(claims=claims), rule_set, NOW).entitlements
    assert (entitlement.name, entitlement.title) == ("app-web", "Team web")
    assert entitlement.purpose == "For 林薇, who is in web."
    assert rule_set.claims_read == {"groups", "roles", "team", "full_name"}


def test_a_text_without_a_value_takes_nothing_from_the_person_but_the_text(rules):
    resolution = resolve(make_identity(claims={"groups": ["platform"], "team": "web"}), rules.compile(TEMPLATES), NOW)
    (entitlement,) = resolution.entitlements
    assert (entitlement.title, entitlement.purpose) == ("Team web", "")
    assert "without its purpose" in resolution.explanations[0].grants[0].reason


@pytest.mark.parametrize("team", ["web/../admin", "*", "web:role", "${ claims.full_name }", "", "web ", ["web"], None])
def test_t_map_03_a_hostile_value_gives_no_role_and_the_reason_says_so(rules, team):
    claims = {"groups": ["platform"], "team": team, "full_name": "x"}
    resolution = resolve(make_identity(claims=claims), rules.compile(TEMPLATES), NOW)
    assert resolution.entitlements == ()
    assert "claims.team" in resolution.explanations[0].grants[0].reason


@pytest.mark.parametrize(
    ("grant", "word"),
    [
        ("role: 'a/${ claims.x }'", "match"),
        ("role: '${ claims.x'", "match"),
        ("role: '${ claims. }'", "Syntax"),
        ("role: '${ 1 }'", "text"),
        ("user: u, terminal_role: '${ 1 }'", "text"),
        ("role: R, title: '${ 1 }'", "text"),
        ("role: R, purpose: '${ claims.x'", "does not end"),
        ('role: R, title: "two\\nlines"', "several lines"),
        ("role: R, title: " + "x" * 81, "longer than 80"),
        ("role: R, purpose: " + "x" * 201, "longer than 200"),
    ],
)
def test_a_name_or_text_that_can_never_be_right_is_refused_when_it_is_loaded(rules, grant, word):
    with pytest.raises(SettingsError) as caught:
        rules.compile(rule("a", "groups: [x]", f"grant: [{{account: production, {grant}}}]"))
    (problem,) = caught.value.problems
    assert (problem.line, word in problem.message) == (4, True), problem
