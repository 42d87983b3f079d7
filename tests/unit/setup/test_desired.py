"""What RAM must have, from accounts and rules alone."""

import json
import re
from dataclasses import replace

import pytest

from bridge.exchange.accounts import Account
from bridge.setup.desired import find_desired
from bridge.setup.existing import Existing
from bridge.setup.metadata import same_metadata
from bridge.setup.plan import compare
from bridge.setup.terraform import write_terraform
from bridge.setup.trust import admit_oidc, admit_ram, admit_saml, write_trust
from tests.unit.entitlements.factories import Rules

METADATA = b'<m:EntityDescriptor xmlns:m="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://b.example"/>'
ISSUER = "https://bridge.example.com"
RULES = """
rules:
  - name: admins
    provider: acme-oidc
    groups: [platform]
    grant:
      - {account: production, role: Admin, duration_seconds: 7200}
      - {account: other, role: Elsewhere}
  - name: everybody
    groups: [employees]
    grant:
      - {account: production, role: Own, session_policy: {Version: "1", Statement: [{Effect: Allow, Action: "oss:Get*", Resource: "*"}]}}
      - {account: production, role: "team-${ claims.department }"}
      - {account: production, user: shared, terminal_role: Shared}
      - {account: production, user: "${ claims.uid }"}
"""  # noqa: E501


HUB = Account(name="hub", id="1000000000000009", title="Hub", trust="oidc")


def account(**changes):
    values = {"name": "production", "id": "1000000000000001", "title": "Production"}
    return Account(**(values | {"role_max_duration_seconds": {"Admin": 7200}} | changes))


def desire(tmp_path, rules=RULES, *, given=None, **changes):
    options = {"people": ["acme-oidc", "acme-saml"], "issuer": ISSUER, "metadata": METADATA, **(given or {})}
    this = account(**changes)
    return find_desired(this, {"production": this, "hub": HUB}, Rules(tmp_path).compile(rules), **options)


def role(desired, name):
    return next(each for each in desired.roles if each.name == name)


def test_with_saml_each_role_admits_our_saml_provider_for_the_sites_acs_alone(tmp_path):
    desired = desire(tmp_path, site="international")
    arn, acs = "acs:ram::1000000000000001:saml-provider/rambridge", "https://signin.alibabacloud.com/saml-role/sso"
    assert {each.name for each in desired.roles} == {"Admin", "Own", "Shared"}
    assert all(each.trust == write_trust([admit_saml(arn, acs)]) for each in desired.roles)
    assert desired.oidc_provider is None
    assert desired.saml_provider.metadata == METADATA


def test_with_oidc_a_role_admits_the_people_of_the_providers_that_its_rules_name(tmp_path):
    desired = desire(tmp_path, trust="oidc", given={"fingerprints": ["ab" * 20]})
    arn, acs = "acs:ram::1000000000000001:oidc-provider/rambridge", "https://signin.aliyun.com/saml-role/sso"
    console = admit_saml("acs:ram::1000000000000001:saml-provider/rambridge", acs)
    admins = admit_oidc(arn, ISSUER, "sts.aliyuncs.com", ["acme-oidc:*"])
    everybody = admit_oidc(arn, ISSUER, "sts.aliyuncs.com", ["acme-oidc:*", "acme-saml:*"])
    assert role(desired, "Admin").trust == write_trust([admins, console])
    assert role(desired, "Own").trust == write_trust([everybody]), "what a session policy narrows opens no console"
    assert role(desired, "Shared").trust == write_trust([everybody]), "a terminal role opens no console"
    assert (desired.oidc_provider.issuer, desired.oidc_provider.client_ids) == (ISSUER, ("sts.aliyuncs.com",))
    assert desired.oidc_provider.fingerprints == ("ab" * 20,)


def test_a_console_that_a_token_opens_needs_no_saml_unless_a_ram_user_has_one(tmp_path):
    rules = "rules:\n  - {name: a, groups: [a], grant: [{account: production, role: Admin}]}"
    desired = desire(tmp_path, rules, trust="oidc", console="token")
    assert len(role(desired, "Admin").statements) == 1
    assert desired.saml_provider is None
    assert desire(tmp_path, trust="oidc", console="token").saml_provider is not None
    assert len(role(desire(tmp_path, rules, trust="oidc", console="mixed"), "Admin").statements) == 2


def test_a_workloads_role_admits_its_issuer_and_opens_no_console(tmp_path):
    rules = "rules:\n  - {name: ci, provider: ci, claims: {sub: x}, grant: [{account: production, role: Deploy}]}"
    desired = desire(tmp_path, rules, trust="oidc")
    arn = "acs:ram::1000000000000001:oidc-provider/rambridge"
    assert role(desired, "Deploy").trust == write_trust([admit_oidc(arn, ISSUER, "sts.aliyuncs.com", ["ci:*"])])
    assert desired.saml_provider is None


def test_an_account_that_is_entered_from_another_admits_its_role_and_there_the_role_admits_us(tmp_path):
    way = {"via": {"account": "hub", "role": "Gate"}, "external_id": "agreed-with-nobody-else"}
    desired = desire(tmp_path, trust="oidc", **way)
    gate = admit_ram("acs:ram::1000000000000009:role/Gate", "agreed-with-nobody-else")
    assert role(desired, "Own").trust == write_trust([gate])
    assert desired.oidc_provider is None
    assert "hub/Gate needs a policy" in desired.notes[0]
    accounts = {"production": account(**way), "hub": HUB}
    rules = Rules(tmp_path).compile(RULES)
    hub = find_desired(HUB, accounts, rules, people=["acme-oidc", "acme-saml"], issuer=ISSUER, metadata=METADATA)
    arn = "acs:ram::1000000000000009:oidc-provider/rambridge"
    us = admit_oidc(arn, ISSUER, "sts.aliyuncs.com", ["acme-oidc:*", "acme-saml:*"])
    assert role(hub, "Gate").trust == write_trust([us])
    assert hub.saml_provider is None


def test_with_an_access_key_its_user_is_admitted(tmp_path):
    desired = desire(tmp_path, trust="access_key", given={"bridge_user": "bridge"})
    assert role(desired, "Own").trust == write_trust([admit_ram("acs:ram::1000000000000001:user/bridge")])


def test_with_an_access_key_of_an_unknown_user_no_role_is_touched(tmp_path):
    desired = desire(tmp_path, trust="access_key")
    assert desired.roles == ()
    assert "--bridge-user" in desired.notes[0]


def test_a_roles_longest_session_is_the_configured_one(tmp_path):
    desired = desire(tmp_path)
    assert {each.name: each.max_session_seconds for each in desired.roles} == {
        "Admin": 7200,
        "Own": 3600,
        "Shared": 3600,
    }


def test_names_that_claims_complete_are_only_listed(tmp_path):
    desired = desire(tmp_path)
    assert desired.users == ("shared",)
    assert desired.decided_at_sign_in == ("role team-${ claims.department }", "user ${ claims.uid }")


def test_metadata_that_only_looks_different_is_the_same():
    moved = METADATA.replace(b"m:", b"x:").replace(b":m=", b":x=").replace(b"/>", b">\n </x:EntityDescriptor>")
    assert moved != METADATA
    assert same_metadata(METADATA.replace(b"/>", b"></m:EntityDescriptor>"), METADATA)
    assert not same_metadata(METADATA.replace(b"b.example", b"c.example"), METADATA)
    assert not same_metadata(b"<", METADATA)


def test_an_issuer_that_ram_cannot_change_is_left_to_people(tmp_path):
    desired = desire(tmp_path, trust="oidc")
    found = Existing(
        desired.saml_provider, replace(desired.oidc_provider, issuer="https://old.example"), {}, frozenset()
    )
    (step,) = compare(desired, found).blocked
    assert "https://old.example" in step.details[0]


def test_terraform_says_the_same_and_nothing_in_it_is_an_expression(tmp_path):
    desired = desire(tmp_path, trust="oidc", given={"issuer": "https://x.example/${file(1)}%{if}"})
    text = write_terraform(desired)
    assert re.findall(r'resource "(\w+)" "([\w-]+)"', text) == [
        ("alicloud_ram_saml_provider", "rambridge"),
        ("alicloud_ims_oidc_provider", "rambridge"),
        ("alicloud_ram_role", "Admin"),
        ("alicloud_ram_role", "Own"),
        ("alicloud_ram_role", "Shared"),
        ("alicloud_ram_user", "shared"),
    ]
    code = [line for line in text.splitlines() if not line.startswith("#")]
    assert not re.search(r"(?<!\$)\$\{|(?<!%)%\{", "\n".join(code))
    policy = next(line for line in code if "assume_role_policy_document" in line).partition("= ")[2]
    document = json.loads(json.loads(policy.replace("$${", "${").replace("%%{", "%{")))
    assert write_trust(document["Statement"]) == role(desired, "Admin").trust


@pytest.mark.parametrize("name", ["1st", "a.b", "-x"])
def test_terraform_labels_are_names_that_terraform_takes(tmp_path, name):
    desired = desire(
        tmp_path, f"rules:\n  - {{name: a, groups: [a], grant: [{{account: production, role: '{name}'}}]}}"
    )
    (label,) = re.findall(r'"alicloud_ram_role" "([^"]+)"', write_terraform(desired))
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", label)
