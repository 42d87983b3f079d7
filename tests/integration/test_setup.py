"""``rambridge setup`` against the sandbox's RAM and IMS, through the official SDKs."""

import sys

import pytest
import yaml
from alibabacloud_ram20150501 import models
from alibabacloud_ram20150501.client import Client
from alibabacloud_tea_openapi.utils_models import Config

from bridge.cli.ram_access import open_ram
from bridge.errors import SetupFailed
from bridge.settings import load_configuration
from bridge.setup.desired import OIDCProvider
from bridge.setup.ram import Administration, AdministratorKey
from tests.ram_account import SECRET, prepare_accounts

ACCOUNTS = ("acme-production", "acme-sandbox")


@pytest.fixture
def accounts(tmp_path, monkeypatch):
    return prepare_accounts(tmp_path, monkeypatch)


def open_account(accounts, name="acme-production", key_of=None, secret=SECRET):
    account = load_configuration(accounts.installation.config, secrets=False).accounts[name]
    key = AdministratorKey(f"LTAIAdministrator{(key_of or name)[5]}", secret)
    return Administration(account, key, accounts.installation.cloud)


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("start", ["empty", "as declared"])
def test_a_plan_after_apply_shows_no_difference(accounts, account, start):
    if start == "empty":
        accounts.empty(account)
    with accounts.serve():
        assert accounts.run("setup", "plan", account=account).exit_code == 1
        applied = accounts.run("setup", "apply", "--yes", account=account)
        assert applied.exit_code == 0, applied.output
        plan = accounts.run("setup", "plan", account=account)
    assert plan.exit_code == 0, plan.output
    assert "0 to create, 0 to change" in plan.output


def test_a_plan_changes_nothing_and_a_no_changes_nothing(accounts):
    accounts.empty("acme-production")
    with accounts.serve():
        accounts.run("setup", "plan")
        refused = accounts.run("setup", "apply", answer="n\n")
        assert refused.exit_code == 1
        assert "5 to create" in accounts.run("setup", "plan").output
        assert accounts.run("setup", "apply", answer="y\n").exit_code == 0


def test_a_changed_trust_policy_is_shown_line_by_line_with_what_somebody_loses(accounts):
    def let_root_in(account):
        role = next(each for each in account["roles"] if each["name"] == "ReadOnly")
        role["trust"]["Statement"].append(
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": "acs:ram::1000000000000001:root"}}
        )
        role["policies"] = ["ReadOnlyAccess"]

    accounts.change("acme-production", let_root_in)
    with accounts.serve():
        plan = accounts.run("setup", "plan").output
        assert '-        "RAM": "acs:ram::1000000000000001:root"' in plan
        assert "! acs:ram::1000000000000001:root may become the role today, and then no longer" in plan
        assert "policies, left as they are: ReadOnlyAccess (System)" in plan
        unseen = accounts.run("setup", "apply", "--yes")
        assert (unseen.exit_code, "--replace-trust" in unseen.output) == (1, True)
        assert "done" not in unseen.output
        assert accounts.run("setup", "apply", "--yes", "--replace-trust").exit_code == 0
        assert "ReadOnlyAccess (System)" in accounts.run("setup", "plan").output, "policies stay attached"


def test_apply_goes_on_after_a_failure_where_it_stopped(accounts):
    def forbid(account):
        statement = {"Effect": "Deny", "Action": "ram:CreateRole", "Resource": "acs:ram:*:*:role/PlatformAdmin"}
        document = {"Version": "1", "Statement": [statement]}
        account["policies"] = [{"name": "not-yet", "versions": [{"id": "v1", "document": document}]}]
        account["users"][-1]["policies"].append("not-yet")

    accounts.empty("acme-production")
    accounts.change("acme-production", forbid)
    with accounts.serve():
        stopped = accounts.run("setup", "apply", "--yes")
        assert stopped.exit_code == 1
        assert "CreateRole PlatformAdmin: NoPermission" in stopped.output
        assert "done: role FinanceAuditor" in stopped.output
        allow_again(accounts)
        went_on = accounts.run("setup", "apply", "--yes")
        assert went_on.exit_code == 0, went_on.output
        assert "done: role FinanceAuditor" not in went_on.output
        assert "done: role PlatformAdmin" in went_on.output


def allow_again(accounts):
    endpoint = accounts.installation.cloud.removeprefix("http://")
    key = {"access_key_id": "LTAIAdministratorp", "access_key_secret": SECRET}
    Client(Config(endpoint=endpoint, protocol="http", **key)).detach_policy_from_user(
        models.DetachPolicyFromUserRequest(policy_name="not-yet", policy_type="Custom", user_name="administrator")
    )


def test_nothing_that_is_not_ours_is_taken_away(accounts):
    def add(account):
        account["oidc_providers"][0] |= {"client_ids": ["other-audience"], "fingerprints": ["ab" * 20]}
        account["roles"].append({"name": "Other", "id": "300000000000000999", "trust": account["roles"][0]["trust"]})

    accounts.change("acme-sandbox", add)
    with accounts.serve():
        plan = accounts.run("setup", "plan", account="acme-sandbox").output
        assert "+ client ID sts.aliyuncs.com" in plan
        assert "Other" not in plan, "a role that no rule grants is not looked at"
        assert accounts.run("setup", "apply", "--yes", account="acme-sandbox").exit_code == 0
        ram = open_account(accounts, "acme-sandbox")
        found = ram._read_oidc_provider("rambridge")
        assert found == OIDCProvider("rambridge", found.issuer, ("other-audience", "sts.aliyuncs.com"), ("ab" * 20,))
        assert ram._read_role("Other") is not None


def test_a_users_name_in_a_rule_is_made_without_any_right(accounts):
    rules = accounts.installation.config / "rules" / "90-user.yaml"
    grant = {"account": "acme-production", "user": "shared.desk"}
    rules.write_text(yaml.safe_dump({"rules": [{"name": "desk", "groups": ["desk"], "grant": [grant]}]}))
    with accounts.serve():
        assert "+ create  user shared.desk" in accounts.run("setup", "plan").output
        accounts.run("setup", "apply", "--yes")
        assert "= leave   user shared.desk" in accounts.run("setup", "plan").output


def test_another_accounts_credentials_are_refused(accounts):
    with accounts.serve(), pytest.raises(SetupFailed, match="of the account 1000000000000002, not of 1000000000000001"):
        open_account(accounts, key_of="acme-sandbox").check_account()


def test_a_wrong_secret_is_said_in_rams_words(accounts):
    with accounts.serve(), pytest.raises(SetupFailed, match=r"GetCallerIdentity: SignatureDoesNotMatch.*RequestId"):
        open_account(accounts, secret="another").check_account()


def test_terraform_needs_neither_ram_nor_a_key(accounts):
    printed = accounts.run("setup", "plan", "--terraform")
    assert printed.exit_code == 0
    assert 'resource "alicloud_ram_role" "PlatformAdmin"' in printed.output


def test_without_the_extra_the_way_to_get_it_is_said(accounts, monkeypatch):
    monkeypatch.setitem(sys.modules, "bridge.setup.ram", None)
    monkeypatch.delitem(sys.modules, "bridge.setup.ram", raising=False)
    monkeypatch.setitem(sys.modules, "alibabacloud_ram20150501", None)
    result = accounts.run("setup", "plan")
    assert result.exit_code == 1
    assert "pip install 'rambridge[setup]'" in result.output


@pytest.mark.parametrize("reference", ["LTAIabc", "env:NOT_SET_HERE", "file:/no/such/file"])
def test_a_key_itself_is_not_taken_and_a_reference_that_leads_nowhere_is_said(accounts, reference):
    account = load_configuration(accounts.installation.config, secrets=False).accounts["acme-production"]
    with pytest.raises(SetupFailed) as refused:
        open_ram(account, reference, "env:RAM_KEY_SECRET", None)
    assert "LTAIabc" not in refused.value.detail


def attach(account):
    document = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]}
    account.setdefault("policies", []).append({"name": "all-of-ecs", "versions": [{"id": "v3", "document": document}]})
    account["policies"][-1]["default_version"] = "v3"
    for role in account["roles"]:
        if role["name"] == "ReadOnly":
            role["policies"] = ["ReadOnlyAccess", "all-of-ecs"]


def test_what_roles_may_do_is_read_shown_and_written_for_review(accounts):
    accounts.change("acme-production", attach)
    file = accounts.installation.config / "role_policies" / "acme-production.json"
    file.unlink()
    with accounts.serve():
        shown = accounts.run("setup", "policies")
        assert (shown.exit_code, file.exists()) == (1, False)
        assert "+ role ReadOnly: Custom/all-of-ecs, System/ReadOnlyAccess" in shown.output
        assert "+ role FinanceAuditor: Custom/finance-reading" in shown.output
        written = accounts.run("setup", "policies", "--write")
        assert (written.exit_code, file.exists()) == (0, True), written.output
        again = accounts.run("setup", "policies")
        assert again.exit_code == 0, again.output
        assert "~" not in again.output
    found = load_configuration(accounts.installation.config, secrets=False).role_policies["acme-production"]
    assert found.roles["ReadOnly"] == ("System/ReadOnlyAccess", "Custom/all-of-ecs")
    assert found.policies["Custom/all-of-ecs"].version == "v3"
    assert found.policies["Custom/all-of-ecs"].document["Statement"][0]["Action"] == ["ecs:*"]
