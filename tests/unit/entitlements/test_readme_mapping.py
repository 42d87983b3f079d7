"""The mapping that README.md shows does what the sentence above it says: for each of these people exactly that."""

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.entitlements.resolve import resolve
from bridge.settings import check_configuration, load_configuration
from bridge.yaml_documents import read_document
from tests.json_schema import find_faults
from tests.unit.configurations import PRODUCTION, write_configuration
from tests.unit.entitlements.factories import NOW, make_identity

ROOT = Path(__file__).parents[3]
OFFICE, OFFICE_V6, HOME = "203.0.113.77", "2001:db8:7:1::5", "198.51.100.4"
ADMIN, READ_ONLY = ("PlatformAdmin", 3600), ("ReadOnly", 3600)


def example():
    readme = (ROOT / "README.md").read_text()
    (text,) = re.findall(r"(?ms)^## Write a mapping\n.*?^```yaml\n(.*?)^```", readme)
    return text


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("config")
    account = PRODUCTION.replace("{Admin: 7200}", "{PlatformAdmin: 7200}").replace("production", "acme-production", 1)
    files = {"rules/10-platform.yaml": example(), "accounts/production.yaml": account}
    write_configuration(folder, files, without=("accounts/sandbox.yaml",))
    assert check_configuration(folder) == []
    return load_configuration(folder).rules


def test_the_example_can_be_used_beside_what_a_clone_has(tmp_path):
    config = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    (config / "rules" / "30-engineering.yaml").write_text(example())
    assert [str(problem) for problem in check_configuration(config, secrets=False)] == []


def person(*groups, amr=("pwd", "mfa"), seconds_ago=60, stated=True):
    return make_identity(
        provider="acme-oidc",
        protocol="oidc",
        claims={"groups": list(groups)},
        amr=amr,
        acr=None,
        authenticated_at=NOW - timedelta(seconds=seconds_ago),
        authentication_time_stated=stated,
    )


def sent(claims):
    return make_identity(provider="acme-oidc", protocol="oidc", claims=claims, amr=("mfa",))


PEOPLE = {
    "platform, MFA, in the office": (person("platform"), OFFICE, [ADMIN]),
    "the same over IPv6": (person("platform"), OFFICE_V6, [ADMIN]),
    "the same, the address within IPv6": (person("platform"), f"::ffff:{OFFICE}", [ADMIN]),
    "platform and engineering": (person("platform", "engineering"), OFFICE, [ADMIN]),
    "MFA exactly 15 minutes ago": (person("platform", seconds_ago=900), OFFICE, [ADMIN]),
    "MFA a second longer ago": (person("platform", "engineering", seconds_ago=901), OFFICE, []),
    "MFA 16 minutes ago": (person("platform", seconds_ago=960), OFFICE, []),
    "the provider does not say when": (person("platform", stated=False), OFFICE, []),
    "platform at home": (person("platform", "engineering"), HOME, []),
    "platform, nobody knows where": (person("platform", "engineering"), None, []),
    "platform without MFA": (person("platform", "engineering", amr=("pwd",)), OFFICE, []),
    "engineering": (person("engineering"), OFFICE, [READ_ONLY]),
    "engineering at home, without MFA, hours ago": (
        person("engineering", amr=("pwd",), seconds_ago=20_000),
        HOME,
        [READ_ONLY],
    ),
    "Platform with a capital is another group": (person("Platform", "engineering"), OFFICE, [READ_ONLY]),
    "sales": (person("sales"), OFFICE, []),
    "no groups": (person(), OFFICE, []),
    "no groups sent": (sent({}), OFFICE, []),
    "groups that cannot be read": (sent({"groups": {"platform": True, "engineering": True}}), OFFICE, []),
    "too many groups to send": (sent({"hasgroups": True}), OFFICE, []),
    "engineering and a group that only looks like platform": (
        person("engineering", "plat\u200bform"),
        OFFICE,
        [],
    ),
}


@pytest.mark.parametrize("who", PEOPLE)
def test_a_person_gets_exactly_what_the_sentence_says(rules, who):
    identity, address, expected = PEOPLE[who]
    entitlements = resolve(identity, rules, NOW, address).entitlements
    assert [(each.name, each.duration_seconds) for each in entitlements] == expected
    assert {(each.kind, each.account) for each in entitlements} <= {("role", "acme-production")}


def test_who_lacks_only_fresh_mfa_is_offered_to_authenticate_again_and_nobody_else(rules):
    offered = {
        who
        for who, (identity, address, _) in PEOPLE.items()
        if [each.entitlement.name for each in resolve(identity, rules, NOW, address).within_reach] == ["PlatformAdmin"]
    }
    assert offered == {
        "MFA a second longer ago",
        "MFA 16 minutes ago",
        "the provider does not say when",
        "platform without MFA",
    }


# ── What an editor says ──────────────────────────────────────────────────────────────────────────────────────

SCHEMA = json.loads((ROOT / "config" / "schema" / "rules.json").read_text())


def faults(text):
    return find_faults(read_document(Path("rules.yaml"), text.encode()).data, SCHEMA)


def test_the_example_and_all_committed_rules_are_right_by_the_schema():
    assert faults(example()) == []
    for path in (ROOT / "config" / "rules").glob("*.yaml"):
        assert faults(path.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("groups: [platform] ", "group: [platform] "),
        ("groups: [platform] ", "groups: platform "),
        ("max_age_seconds: 900", "max_age: 900"),
        ("max_age_seconds: 900", "max_age_seconds: 15m"),
        ("duration_seconds: 3600", "duration_seconds: 60"),
        ("role: PlatformAdmin", "rolle: PlatformAdmin"),
        ("role: PlatformAdmin", "role: role/PlatformAdmin"),
        ("role: PlatformAdmin", "roles: PlatformAdmin"),
        ("        role: ReadOnly\n", ""),
        ("account: acme-production ", "accounts: acme-production "),
        ("account: acme-production ", "account_tags: acme-production "),
        ("networks: [$office]", "network: [$office]"),
        ("networks: [$office]", "networks: $office"),
        ("name: platform-admin", "name: Platform Admin"),
        ("rules:\n", "rule:\n"),
        ("networks: [$office]", "hours: {days: [monday], time_zone: UTC}"),
        ("networks: [$office]", "hours: {days: [mon]}"),
        ("networks: [$office]", "expires: soon"),
        ("networks: [$office]", "ignore_case: yes"),
        ("networks: [$office]", "networks: [office]"),
        ("duration_seconds: 3600", "duration_seconds: '3600'"),
        ("    groups: [engineering]", "    deny: [{account: acme-production}]\n    groups: [engineering]"),
    ],
)
def test_a_slip_of_the_pen_is_marked_while_one_types(old, new):
    assert old in example()
    assert faults(example().replace(old, new, 1)), "the schema takes it"


def iterate_properties(schema):
    for name, model in {"": schema, **schema.get("$defs", {})}.items():
        for key, value in model.get("properties", {}).items():
            yield f"{name}.{key}", value


@pytest.mark.parametrize("file", sorted(path.name for path in (ROOT / "config" / "schema").glob("*.json")))
def test_no_schema_shows_what_only_our_code_knows(file):
    text = (ROOT / "config" / "schema" / file).read_text()
    assert not re.findall(r'"type": "null"|"default": null|"title": "|``', text)
    assert not re.findall(r'[$]defs/[^"]*[A-Z]', text)
    for name, value in iterate_properties(json.loads(text)):
        assert not name.endswith("_seconds") or "in seconds" in value["description"], name


def test_the_schema_takes_every_form_of_a_network():
    for network in ("10.0.0.0/8", "203.0.113.7", "2001:db8::/32", "::1", "::ffff:10.0.0.1", "$office"):
        assert faults(example().replace("[$office]", f'["{network}"]')) == []


@pytest.mark.parametrize("file", ["rules.json", "account.json", "provider.json"])
def test_an_editor_explains_every_key(file):
    schema = json.loads((ROOT / "config" / "schema" / file).read_text())
    assert [name for name, value in iterate_properties(schema) if len(value.get("description", "")) < 10] == []
