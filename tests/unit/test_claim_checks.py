"""What rules say of claims, against what the providers' files say of them: kinds of groups, and types."""

import pytest

from bridge.entitlements.explanation import explain
from bridge.entitlements.resolve import meets_any, resolve
from bridge.errors import SettingsError
from bridge.settings import check_configuration, load_configuration
from tests.unit.configurations import BRIDGE, OIDC, SAML, write_configuration
from tests.unit.entitlements.factories import NOW, make_identity

UUID = "6f1b9a52-5d0e-4c6e-9d5e-0c8a5c1f7a10"
SID = "S-1-5-21-3623811015-3361044348-30300820-1013"
DN = r"CN=platform\, core,OU=Cloud,DC=acme,DC=example"
SAML_IDS, OIDC_IDS = f"{SAML}groups_are: ids\n", f"{OIDC}groups_are: ids\n"
TYPES = "claim_types: {level: int, team: string, groups: list, active: bool, address: map, cost-center: string}\n"


def configure(folder, *conditions, saml=SAML, oidc=OIDC, effect="grant: [{account: production, role: Admin}]"):
    rules = "".join(f"- name: r{number}\n  {each}\n  {effect}\n" for number, each in enumerate(conditions))
    files = {"providers/acme-saml.yaml": saml, "providers/acme-oidc.yaml": oidc}
    return write_configuration(folder, files | {"rules/10-platform.yaml": f"rules:\n{rules}"})


def problems(folder):
    return [(each.severity, each.line, each.column, each.message) for each in check_configuration(folder)]


def granted(folder, provider="acme-oidc", **claims):
    rules = load_configuration(folder).rules
    return [each.rule for each in resolve(make_identity(provider=provider, claims=claims), rules, NOW).entitlements]


@pytest.mark.parametrize("group", [UUID, SID, DN])
def test_t_map_04_with_ids_a_group_is_its_id_and_no_name_is_one(tmp_path, group):
    folder = configure(tmp_path, f"provider: acme-oidc\n  groups: ['{group}']", oidc=OIDC_IDS)
    assert problems(folder) == []
    assert granted(folder, groups=[group])
    assert not granted(folder, groups=["platform"])


def test_t_map_04_a_name_for_a_provider_of_ids_is_refused_when_rules_are_loaded(tmp_path):
    folder = configure(tmp_path, f"provider: acme-oidc\n  groups: ['{UUID}', platform]", oidc=OIDC_IDS)
    [(severity, line, column, message)] = problems(folder)
    assert (severity, line, column) == ("error", 4, 52)
    assert "it is a name" in message
    assert problems(configure(tmp_path, f"provider: acme-oidc\n  groups: ['{UUID}']", oidc=OIDC_IDS)) == []


def test_t_map_04_constants_and_excluded_groups_are_looked_at_too(tmp_path):
    one = "provider: acme-oidc\n  groups: [$team]"
    folder = configure(tmp_path, f"{one}\n  not_groups: [interns]", oidc=OIDC_IDS)
    constants = f"constants:\n  team: ['{UUID}', platform]\n"
    rules = folder / "rules/10-platform.yaml"
    rules.write_text(constants + rules.read_text())
    found = [(line, message.split("`")[1]) for _, line, _, message in problems(folder)]
    assert sorted(found) == [(6, "platform"), (7, "interns")]


def test_t_map_04_an_id_for_a_provider_of_names_is_refused_when_rules_are_loaded(tmp_path):
    [(severity, line, _, message)] = problems(configure(tmp_path, f"groups: ['{UUID}']"))
    assert (severity, line) == ("error", 4 - 1)
    assert "it is an ID" in message


def test_t_map_04_ids_and_names_never_match_each_other(tmp_path):
    """A group that somebody made at one provider is named like the ID, or the name, that a rule means at the other."""
    folder = configure(tmp_path, f"groups: ['{UUID}', platform]", oidc=OIDC_IDS)
    assert problems(folder) == []
    assert granted(folder, "acme-oidc", groups=[UUID])
    assert granted(folder, "acme-saml", groups=["platform"])
    assert not granted(folder, "acme-saml", groups=[UUID])
    assert not granted(folder, "acme-oidc", groups=["platform"])


def test_t_map_04_administrators_are_held_to_it_too(tmp_path):
    bridge = f"{BRIDGE}administrators:\n- groups: ['{UUID}', admins]\n"
    files = {"bridge.yaml": bridge, "providers/acme-oidc.yaml": OIDC_IDS}
    configuration = load_configuration(write_configuration(tmp_path, files))

    def is_one(provider, group):
        identity = make_identity(provider=provider, claims={"groups": [group]})
        rules = configuration.rules
        return meets_any(identity, configuration.administrators, rules.groups_claims, NOW, schemas=rules.schemas)

    assert is_one("acme-oidc", UUID)
    assert is_one("acme-saml", "admins")
    assert not is_one("acme-oidc", "admins")
    assert not is_one("acme-saml", UUID)
    text = f"{BRIDGE}administrators:\n- provider: acme-oidc\n  groups: [admins]\n"
    write_configuration(tmp_path, files | {"bridge.yaml": text})
    assert [(line, message[:6]) for _, line, _, message in problems(tmp_path)] == [(4, "nobody")]


@pytest.mark.parametrize(
    "text", ["platform", UUID[:-1], f"{UUID} ", "S-1-5", "s-1-5-32-544", "CN=platform", "CN=a,b", f"{{{UUID}}}", ""]
)
def test_t_map_04_what_only_looks_like_an_id_is_a_name(tmp_path, text):
    folder = configure(tmp_path, f"groups: ['{text or 'x'}']", oidc=OIDC_IDS)
    assert granted(folder, "acme-saml", groups=[text or "x"])
    assert not granted(folder, "acme-oidc", groups=[text or "x"])


@pytest.mark.parametrize(
    ("condition", "line", "column"),
    [
        ('when: claims.level > "3"', 3, 22),
        ('when: has(claims.level) && claims.level == "x"', 3, 43),
        ("when: \"'x' in claims.team\"", 3, 14),
        ("when: claims.groups == 'a'", 3, 23),
        ("when: |\n    claims.active ||\n    !claims.team", 5, 1),
        ("when: claims.team.city == 'x'", 3, 20),
        ("when: 'claims.level in [\"3\"]'", 3, 23),
        ("claims: {level: '3'}", 3, 12),
    ],
)
def test_t_map_06_a_claim_used_as_another_type_is_refused_when_rules_are_loaded(tmp_path, condition, line, column):
    oidc = OIDC + TYPES
    found = problems(configure(tmp_path, condition, oidc=oidc))
    assert [each[:3] for each in found] == [("error", line, column)]
    assert "acme-oidc" in found[0][3]
    assert problems(configure(tmp_path, f"{condition}\n  provider: acme-saml", oidc=oidc)) == []


@pytest.mark.parametrize(
    "condition",
    [
        "when: claims.level > 3 && has(claims.level)",
        "when: claims.team.startsWith('a') && claims.team in ['ab']",
        "when: \"'a' in claims.groups || claims.groups.exists(g, g == 'b')\"",
        "when: claims.active && claims.address.city == 'x' && claims['cost-center'] == 'y'",
        "when: claims.other > 'x'",
        "claims: {team: a, groups: [b]}",
    ],
)
def test_a_claim_used_as_what_it_is_declared_is_accepted(tmp_path, condition):
    assert problems(configure(tmp_path, condition, oidc=OIDC + TYPES)) == []


@pytest.mark.parametrize(
    ("condition", "right", "wrong"),
    [
        ("when: claims.level == 3", {"level": 3}, {"level": 3.0}),
        ("when: claims.level == 1", {"level": 1}, {"level": True}),
        ("when: claims.team in ['a']", {"team": "a"}, {"team": ["a"]}),
        ("claims: {team: a}", {"team": "a"}, {"team": ["a"]}),
        ("groups: [a]", {"groups": ["a"]}, {"groups": "a"}),
    ],
)
def test_t_map_06_a_claim_of_another_type_than_declared_grants_nothing_and_lifts_no_denial(
    tmp_path, condition, right, wrong
):
    declared = OIDC + TYPES
    folder = configure(tmp_path, condition, oidc=declared)
    assert granted(folder, **right)
    assert not granted(folder, **wrong)
    write_configuration(folder, {"providers/acme-oidc.yaml": declared, "rules/20-all.yaml": ALL})
    denying = configure(folder, condition, oidc=declared, effect="deny: [{account: production}]")
    assert not granted(denying, **right)
    assert not granted(denying, **wrong)
    assert granted(denying, **{name: OTHER[type(value)] for name, value in right.items()})


ALL = "rules:\n- {name: all, everyone: true, grant: [{account: production, role: Admin}]}\n"
OTHER = {int: 7, str: "other", list: ["other"]}


@pytest.mark.parametrize(
    ("condition", "provider", "claims", "words"),
    [
        (f"groups: ['{UUID}', platform]", "acme-oidc", {"groups": ["platform"]}, "`platform`, which is no ID"),
        (f"groups: ['{UUID}', platform]", "acme-saml", {"groups": [UUID]}, "is an ID, and not a name"),
        ("claims: {team: a}", "acme-oidc", {"team": ["a"]}, "`team` to be of the type string"),
        ("when: claims.level > 3", "acme-oidc", {"level": "7"}, "`level` is not of the type int"),
    ],
)
def test_what_does_not_count_is_explained_by_the_providers_settings(tmp_path, condition, provider, claims, words):
    rules = load_configuration(configure(tmp_path, condition, oidc=OIDC_IDS + TYPES)).rules
    [verdict] = explain(make_identity(provider=provider, claims=claims), rules, NOW).verdicts
    assert words in verdict.reason.text


def test_a_type_that_a_saml_attribute_cannot_have_is_refused(tmp_path):
    wrong = f"{SAML}single_valued: [team]\nclaim_types: {{team: list, level: int}}\n"
    assert [line for _, line, *_ in problems(configure(tmp_path, "groups: [a]", saml=wrong))] == [7, 7]
    right = f"{SAML}single_valued: [team]\nclaim_types: {{team: string, level: list}}\n"
    assert problems(configure(tmp_path, "groups: [a]", saml=right)) == []


def test_t_map_07_rules_with_a_wrong_type_never_take_effect(tmp_path):
    with pytest.raises(SettingsError):
        load_configuration(configure(tmp_path, "when: claims.level > 'x'", oidc=OIDC + TYPES))
