"""Each kind of finding about rules: one configuration that has it, at its exact place, and a twin that has not."""

from datetime import UTC, datetime

import pytest

from bridge.entitlements.rules import RuleFiles
from bridge.errors import SettingsError
from bridge.settings import FINDING_KINDS, check_configuration, compile_rule_files, load_configuration
from tests.unit.configurations import BRIDGE, OIDC, SAML, SANDBOX, write_configuration

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SENT = {"acme-saml": frozenset({"groups", "department"}), "acme-oidc": frozenset({"groups", "department", "title"})}
FILE = "rules/10-platform.yaml"


def grant(role="Reader", **more):
    limits = "".join(f", {name}: {value}" for name, value in more.items())
    return f"\n  grant: [{{account: sandbox, role: {role}{limits}}}]"


def rule(name, conditions="groups: [a]", effect=None):
    return f"- name: {name}\n  {conditions}{effect or grant()}\n"


def deny(target="account: sandbox"):
    return f"\n  deny: [{{{target}}}]"


def check(tmp_path, *rules, bridge=BRIDGE, seen=None, ignored="never-by-saml", **files):
    """Return the findings; what is said of each rule with `amr` alone, as the configuration has SAML, is ignored."""
    changes = {FILE: "rules:\n" + "".join(rules), "bridge.yaml": bridge}
    changes |= {name.replace("_", "/", 1) + ".yaml": text for name, text in files.items()}
    folder = write_configuration(tmp_path, changes)
    found = check_configuration(folder, now=NOW, seen_claims=lambda _: seen)
    assert {problem.kind for problem in found} <= set(FINDING_KINDS)
    return [
        (problem.kind, str(problem.file.relative_to(folder)), problem.line, problem.column)
        for problem in found
        if problem.kind != ignored
    ]


ALWAYS = rule("all", "everyone: true")
CEILING = (
    BRIDGE + "rules: {ceilings: [{roles: ['*Admin*'], max_duration_seconds: 1800, amr: [hwk], max_age_seconds: 900}]}\n"
)
HOURS = "groups: [a]\n  hours: {days: [mon], from: '08:00', to: '18:00', time_zone: Asia/Shanghai}"
STRONG = "groups: [a]\n  require: {amr: [hwk], max_age_seconds: 900}"

FINDINGS = {
    "never-matches": [
        ([rule("r", "when: 'false && claims.a == \"b\"'")], [rule("r", "when: 'true || claims.a == \"b\"'")], (3, 9)),
        (
            [rule("r", "provider: acme-saml\n  require: {amr: [mfa]}")],
            [rule("r", "provider: [acme-saml, acme-oidc]\n  require: {amr: [mfa]}")],
            (4, 18),
        ),
        (
            [rule("r", "provider: acme-saml\n  require: {amr: [mfa]}")],
            [rule("r", "provider: acme-saml\n  require: {amr: [mfa], acr: [strong]}")],
            (4, 18),
        ),
        (
            [rule("r", "groups: [a]\n  not_groups: [b, a]")],
            [rule("r", "groups: [a, c]\n  not_groups: [b, a]")],
            (4, 15),
        ),
    ],
    "any-address": [
        (
            [rule("r", "groups: [a]\n  networks: [10.0.0.0/8, 0.0.0.0/0]")],
            [rule("r", "groups: [a]\n  networks: [10.0.0.0/8, 0.0.0.0/1]")],
            (4, 13),
        ),
        (
            [rule("r", 'groups: [a]\n  networks: ["::/1", "8000::/1"]')],
            [rule("r", 'groups: [a]\n  networks: ["::/1", "8000::/2"]')],
            (4, 13),
        ),
    ],
    "unused-constant": [
        (
            [rule("r"), "constants:\n  office: [a]\n"],
            [rule("r", "groups: [$office]"), "constants:\n  office: [a]\n"],
            (6, 3),
        ),
    ],
    "expired": [
        ([rule("r", "groups: [a]\n  expires: 2026-11-23")], [rule("r", "groups: [a]\n  expires: 2027-11-23")], (4, 12)),
    ],
    "expires-soon": [
        ([rule("r", "groups: [a]\n  expires: 2026-11-24")], [rule("r", "groups: [a]\n  expires: 2026-12-25")], (4, 12)),
        ([rule("r", "groups: [a]\n  expires: 2026-12-24")], [rule("r", "groups: [a]\n  expires: 2026-12-25")], (4, 12)),
    ],
    "shadowed": [
        # The same conditions, in the same order.
        ([rule("r"), rule("s")], [rule("r"), rule("s", "groups: [b]")], (7, 11)),
        # Whoever is in a is in one of a and b.
        ([rule("r", "groups: [a, b]"), rule("s")], [rule("r", "groups: [b]"), rule("s")], (7, 11)),
        # The narrower rule stands first, and then the wider one is needed.
        ([ALWAYS, rule("s")], [rule("s"), ALWAYS], (7, 11)),
        (
            [rule("r"), rule("s", "groups: [a]\n  when: claims.x == 'y'")],
            [rule("r"), rule("s", "when: claims.x == 'y'")],
            (8, 11),
        ),
        ([rule("r"), rule("s", STRONG)], [rule("r", STRONG), rule("s")], (8, 11)),
        (
            [rule("r", "claims: {c: [x, y]}"), rule("s", "claims: {c: x, d: z}")],
            [rule("r", "claims: {c: [x, y], d: z}"), rule("s", "claims: {c: x}")],
            (7, 11),
        ),
        (
            [rule("r", "provider: [acme-saml, acme-oidc]"), rule("s", "provider: acme-saml")],
            [rule("r", "provider: acme-oidc"), rule("s", "provider: acme-saml")],
            (7, 11),
        ),
        (
            [rule("r", "groups: [a]\n  networks: [10.0.0.0/8]"), rule("s", "groups: [a]\n  networks: [10.1.0.0/16]")],
            [rule("r", "groups: [a]\n  networks: [10.1.0.0/16]"), rule("s", "groups: [a]\n  networks: [10.0.0.0/8]")],
            (9, 11),
        ),
        (
            [rule("r", "groups: [a]\n  not_groups: [x]"), rule("s", "groups: [a]\n  not_groups: [x, y]")],
            [rule("r", "groups: [a]\n  not_groups: [x]"), rule("s", "groups: [a]\n  not_groups: [y]")],
            (9, 11),
        ),
        (
            [rule("r", "groups: [a]\n  expires: 2028-01-01"), rule("s", "groups: [a]\n  expires: 2027-01-01")],
            [rule("r", "groups: [a]\n  expires: 2027-01-01"), rule("s", "groups: [a]\n  expires: 2028-01-01")],
            (9, 11),
        ),
        ([rule("r"), rule("s", HOURS)], [rule("r", HOURS), rule("s")], (8, 11)),
        # `a` and `A` are two groups, unless the rule says otherwise.
        (
            [rule("r", "groups: [A]\n  ignore_case: true"), rule("s", "groups: [a]\n  ignore_case: true")],
            [rule("r", "groups: [A]"), rule("s", "groups: [a]\n  ignore_case: true")],
            (9, 11),
        ),
        # What the later rule says of the duration never counts.
        (
            [rule("r"), rule("s", effect=grant(duration_seconds=2400))],
            [rule("r"), rule("s", effect=grant("Other"))],
            (7, 11),
        ),
        # Denials have no order.
        (
            [rule("r", "groups: [a]", deny("account: sandbox, role: X")), rule("s", "groups: [a, b]", deny())],
            [rule("r", "groups: [a, c]", deny("account: sandbox, role: X")), rule("s", "groups: [a, b]", deny())],
            (4, 10),
        ),
    ],
    "always-denied": [
        ([rule("r"), rule("s", "everyone: true", deny())], [rule("r"), rule("s", "groups: [b]", deny())], (4, 11)),
        (
            [rule("r"), rule("s", effect=deny("account: sandbox, role: Reader"))],
            [rule("r"), rule("s", effect=deny("account: sandbox, role: Writer"))],
            (4, 11),
        ),
    ],
    "limits-differ": [
        (
            [rule("r"), rule("s", "groups: [b]", grant(duration_seconds=2400))],
            [rule("r"), rule("s", "groups: [b]", grant(duration_seconds=3600))],
            (7, 11),
        ),
        # Of two departments a person is in one.
        (
            [
                rule("r", "claims: {d: x}"),
                rule("s", "claims: {d: [x, y]}\n  groups: [b]", grant(duration_seconds=2400)),
            ],
            [rule("r", "claims: {d: x}"), rule("s", "claims: {d: y}\n  groups: [b]", grant(duration_seconds=2400))],
            (8, 11),
        ),
        (
            [rule("r", "provider: acme-saml"), rule("s", "groups: [b]", grant(duration_seconds=2400))],
            [rule("r", "provider: acme-saml"), rule("s", "provider: acme-oidc", grant(duration_seconds=2400))],
            (7, 11),
        ),
        # Whoever is in b is not to be in a.
        (
            [rule("r"), rule("s", "groups: [b]\n  not_groups: [c]", grant(duration_seconds=2400))],
            [rule("r"), rule("s", "groups: [b]\n  not_groups: [a]", grant(duration_seconds=2400))],
            (8, 11),
        ),
        # With the narrower rule first, somebody meant it so.
        (
            [rule("r", "groups: [b]"), rule("s", effect=grant(duration_seconds=2400))],
            [rule("r", STRONG), rule("s", effect=grant(duration_seconds=2400))],
            (7, 11),
        ),
    ],
}


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, number) for kind, cases in FINDINGS.items() for number in range(len(cases))]
)
def test_a_finding_has_its_place_and_its_twin_has_none(tmp_path, kind, number):
    with_it, without, place = FINDINGS[kind][number]
    assert check(tmp_path, *with_it) == [(kind, FILE, *place)]
    assert check(tmp_path, *without) == []


@pytest.mark.parametrize(
    ("conditions", "place"),
    [
        ("groups: [a]\n  require: {amr: [mfa]}", (4, 18)),
        ("provider: [acme-saml, acme-oidc]\n  require: {max_age_seconds: 60, amr: [mfa]}", (4, 39)),
        ("groups: [a]\n  require: {amr: [mfa], acr: [strong]}", None),
        ("groups: [a]\n  require: {max_age_seconds: 60}", None),
        ("provider: acme-oidc\n  require: {amr: [mfa]}", None),
    ],
)
def test_a_rule_that_people_of_a_saml_provider_can_never_meet_is_marked(tmp_path, conditions, place):
    expected = [("never-by-saml", FILE, *place)] if place else []
    assert check(tmp_path, rule("r", conditions), ignored="") == expected


@pytest.mark.parametrize(
    ("conditions", "effect"),
    [
        (STRONG, grant("TheAdmin", duration_seconds=3600)),
        ("groups: [a]", grant("TheAdmin", duration_seconds=1800)),
        ("groups: [a]\n  require: {amr: [hwk]}", grant("TheAdmin", duration_seconds=1800)),
        ("groups: [a]\n  require: {amr: [hwk], max_age_seconds: 901}", grant("TheAdmin", duration_seconds=1800)),
        ("groups: [a]\n  require: {amr: [hwk, pwd], max_age_seconds: 900}", grant("TheAdmin", duration_seconds=1800)),
        (
            "groups: [a]\n  require: {amr: [hwk], acr: [x], max_age_seconds: 900}",
            grant("TheAdmin", duration_seconds=1800),
        ),
        ("groups: [a]", "\n  grant: [{account: sandbox, user: u, terminal_role: Admin}]"),
    ],
)
def test_a_grant_above_its_ceiling_is_an_error_at_the_grant(tmp_path, conditions, effect):
    line = 4 + conditions.count("\n")
    text = rule("r", conditions, effect)
    assert check(tmp_path, text, bridge=CEILING) == [("wider-than-ceiling", FILE, line, 11)]
    assert check(tmp_path, text) == []


@pytest.mark.parametrize(
    ("conditions", "effect"),
    [
        (STRONG, grant("TheAdmin", duration_seconds=1800)),
        ("groups: [a]", grant("Reader", duration_seconds=3600)),
        ("groups: [a]", "\n  grant: [{account: sandbox, user: admin}]"),
    ],
)
def test_a_grant_at_its_ceiling_or_outside_of_it_is_fine(tmp_path, conditions, effect):
    assert check(tmp_path, rule("r", conditions, effect), bridge=CEILING) == []


def test_rules_above_a_ceiling_never_come_into_force(tmp_path):
    wide = rule("r", "groups: [a]", grant("TheAdmin"))
    narrow = rule("r", STRONG, grant("TheAdmin", duration_seconds=1800))
    folder = write_configuration(tmp_path, {FILE: f"rules:\n{narrow}", "bridge.yaml": CEILING})
    configuration = load_configuration(folder)
    compile_rule_files(configuration, RuleFiles(folder, {"a.yaml": f"rules:\n{narrow}".encode()}))
    with pytest.raises(SettingsError) as caught:
        compile_rule_files(configuration, RuleFiles(folder, {"a.yaml": f"rules:\n{wide}".encode()}))
    assert [problem.kind for problem in caught.value.problems] == ["wider-than-ceiling"]
    write_configuration(tmp_path, {FILE: f"rules:\n{wide}", "bridge.yaml": CEILING})
    with pytest.raises(SettingsError):
        load_configuration(folder)


def test_a_ceiling_of_networks_wants_a_rule_with_networks(tmp_path):
    bridge = BRIDGE + "rules: {ceilings: [{accounts: [sand*], networks: [10.0.0.0/8]}]}\n"
    assert check(tmp_path, rule("r"), bridge=bridge) == [("wider-than-ceiling", FILE, 4, 11)]
    assert check(tmp_path, rule("r"), bridge=bridge.replace("sand*", "prod*")) == []
    outside = rule("r", "groups: [a]\n  networks: [10.1.0.0/16, 192.0.2.0/24]")
    assert check(tmp_path, outside, bridge=bridge) == [("wider-than-ceiling", FILE, 5, 11)]
    assert check(tmp_path, rule("r", "groups: [a]\n  networks: [10.1.0.0/16]"), bridge=bridge) == []


def test_a_ceiling_that_limits_nothing_is_refused_in_its_line(tmp_path):
    bridge = BRIDGE + "rules:\n  ceilings:\n  - roles: ['*']\n"
    assert check(tmp_path, rule("r"), bridge=bridge) == [("invalid", "bridge.yaml", 4, 5)]


@pytest.mark.parametrize(
    ("conditions", "place"),
    [
        ("claims: {departmnt: x}", (3, 12)),
        ("when: claims.departmnt == 'x'", (3, 9)),
        ("when: '!has(claims.departmnt)'", (3, 9)),
        ("provider: acme-saml\n  claims: {title: x}", (4, 12)),
    ],
)
def test_a_claim_that_nobody_has_sent_is_found_where_it_is_read(tmp_path, conditions, place):
    assert check(tmp_path, rule("r", conditions), seen=SENT) == [("claim-never-sent", FILE, *place)]
    assert check(tmp_path, rule("r", conditions), seen=None) == []
    assert check(tmp_path, rule("r", conditions), seen=SENT | {"acme-saml": frozenset()}) == []


@pytest.mark.parametrize(
    "conditions", ["claims: {title: x}", "provider: acme-oidc\n  when: claims.title == 'x'", "groups: [a]"]
)
def test_a_claim_that_one_of_its_providers_has_sent_is_fine(tmp_path, conditions):
    assert check(tmp_path, rule("r", conditions), seen=SENT) == []


def test_groups_under_a_name_that_nobody_sends_are_found(tmp_path):
    both = {
        "providers_acme-saml": SAML + "groups_claim: roles\n",
        "providers_acme-oidc": OIDC + "groups_claim: roles\n",
    }
    assert check(tmp_path, rule("r"), seen=SENT, **both) == [("claim-never-sent", FILE, 3, 11)]


def test_a_claim_that_the_settings_name_counts_as_sent(tmp_path):
    mapped = {"providers_acme-saml": SAML + "claims: {cost_centre: costCenter}\n"}
    assert check(tmp_path, rule("r", "claims: {cost_centre: x}"), seen=SENT, **mapped) == []


def test_names_that_do_not_exist_are_errors_with_a_kind_of_their_own(tmp_path):
    assert check(tmp_path, rule("r", "provider: acme-smal")) == [("unknown-provider", FILE, 3, 13)]
    assert check(tmp_path, rule("r", effect="\n  grant: [{account: nowhere, role: R}]")) == [
        ("unknown-account", FILE, 4, 21)
    ]
    assert check(tmp_path, rule("r"), rule("r", "groups: [b]", grant("S"))) == [("duplicate", FILE, 5, 9)]
    assert check(tmp_path, rule("r", "when: claims.")) == [("expression", FILE, 3, 16)]


TAGGED = SANDBOX + "tags: {env: test}\nroles: [Reader, TheAdmin]\n"
ALSO = (
    SANDBOX.replace("sandbox", "another").replace("Sandbox", "Another").replace("0002", "0003") + "tags: {env: test}\n"
)


def test_a_role_that_the_account_does_not_list_is_an_error(tmp_path):
    assert check(tmp_path, rule("r", effect=grant("Raeder")), accounts_sandbox=TAGGED) == [
        ("unknown-role", FILE, 4, 36)
    ]
    assert check(tmp_path, rule("r", effect=grant("Reader")), accounts_sandbox=TAGGED) == []


def test_a_ceiling_counts_every_role_that_claims_may_make(tmp_path):
    named = rule("r", effect=grant("'${ claims.kind }'"))
    assert check(tmp_path, named, bridge=CEILING, accounts_sandbox=TAGGED) == [("wider-than-ceiling", FILE, 4, 11)]
    other = TAGGED.replace("TheAdmin", "Writer")
    assert check(tmp_path, named, bridge=CEILING, accounts_sandbox=other) == []
    any_role = check(tmp_path, named, bridge=CEILING)
    assert [kind for kind, *_ in any_role] == ["wider-than-ceiling", "role-from-claim"]


def test_a_finding_about_several_accounts_is_at_the_entry_that_names_them(tmp_path):
    files = {"accounts_sandbox": TAGGED.replace("roles", "# "), "accounts_another": ALSO}
    first = "\n  grant:\n  - {account: production, role: Reader}\n  - {account_tags: {env: test}, role: Reader}"
    later = rule("s", effect=grant("Reader"))
    assert check(tmp_path, rule("r", effect=first), later, **files) == [("shadowed", FILE, 9, 11)]
    both = check(tmp_path, later, rule("r", effect=first), **files)
    assert both == [("shadowed", FILE, 9, 5)]


def test_the_same_role_under_other_policies_has_other_limits(tmp_path):
    policy = "{Version: '1', Statement: [{Effect: Allow, Action: 'oss:Get*', Resource: '*'}]}"
    narrowed = rule("s", "groups: [b]", grant(session_policy=policy))
    assert check(tmp_path, rule("r"), narrowed) == [("limits-differ", FILE, 7, 11)]
    assert check(tmp_path, rule("r", effect=grant(session_policy=policy)), narrowed) == []


def test_a_policy_that_ram_would_refuse_is_an_error(tmp_path):
    wrong = "{Version: '1', Statement: [{Effect: Permit, Action: 'oss:Get*', Resource: '*'}]}"
    found = check(tmp_path, rule("r", effect=grant(session_policy=wrong)))
    assert [(kind, line) for kind, _, line, _ in found] == [("policy-refused", 4)]


def test_a_claim_of_another_type_can_never_match(tmp_path):
    typed = {"providers_acme-oidc": OIDC + "claim_types: {level: int}\n"}
    text = rule("r", "provider: acme-oidc\n  claims: {level: '3'}")
    assert check(tmp_path, text, **typed) == [("never-matches", FILE, 4, 12)]
    assert check(tmp_path, text) == []


def test_a_rule_that_never_applies_has_no_other_finding(tmp_path):
    found = check(tmp_path, rule("r", "when: 'false'"), rule("s", "when: 'false'"), rule("t"))
    assert [kind for kind, *_ in found] == ["never-matches", "never-matches"]
