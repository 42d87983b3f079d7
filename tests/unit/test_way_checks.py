"""How accounts are entered: what cannot work is an error, what is unwise a warning with what to write instead."""

import re

import pytest

from bridge.settings import check_configuration, load_configuration
from bridge.settings.way_checks import make_external_id
from tests.unit.configurations import BRIDGE, PRODUCTION, SANDBOX, write_configuration

GOOD = "external_id: rambridge-0123456789abcdef\n"
VIA = SANDBOX.replace("trust: oidc\n", "") + "via: {account: production, role: Hub}\n"
KEY = "trust: access_key\naccess_key_id: env:PATH\naccess_key_secret: file:../providers/secret\n"
PROXY = "proxy: http://10.0.0.1:3128\n"
OWN_NETWORK = "outbound: {allowed_networks: [10.0.0.0/8, 100.64.0.0/10]}\n"


def find(folder, account, production=PRODUCTION, bridge=BRIDGE):
    files = {"accounts/sandbox.yaml": account, "accounts/production.yaml": production, "bridge.yaml": bridge}
    problems = check_configuration(write_configuration(folder, files))
    return [problem for problem in problems if problem.file.name == "sandbox.yaml"]


@pytest.mark.parametrize(
    ("account", "bridge"),
    [
        (VIA + GOOD + "source_identity: true\n", BRIDGE),
        (SANDBOX + "endpoint: https://sts.ap-southeast-1.aliyuncs.com\n", BRIDGE),
        (SANDBOX + "endpoint: https://sts-vpc.cn-hangzhou.aliyuncs.com\n", BRIDGE + OWN_NETWORK),
        (SANDBOX + PROXY, BRIDGE + OWN_NETWORK),
        (SANDBOX + "proxy: http://proxy.corp.example:3128\n", BRIDGE),
    ],
)
def test_what_works_is_accepted(tmp_path, account, bridge):
    assert find(tmp_path, account, bridge=bridge) == []
    assert load_configuration(tmp_path).accounts["sandbox"]


@pytest.mark.parametrize(
    ("account", "line", "word"),
    [
        (SANDBOX + GOOD, 5, "no place"),
        (SANDBOX + "source_identity: true\n", 5, "no place"),
        (VIA + GOOD + "trust: oidc\n", 6, "never used"),
        (VIA.replace("production", "prod") + GOOD, 4, "no other account named `prod`"),
        (VIA.replace("production", "sandbox") + GOOD, 4, "no other account"),
        (VIA + "external_id: x\n", 5, ""),
        (VIA + 'external_id: "a b c d e f g h i j"\n', 5, ""),
        (SANDBOX + "endpoint: https://ram.aliyuncs.com\n", 5, "not a name of Alibaba Cloud's STS"),
        (SANDBOX + "endpoint: https://sts.evil.cn-hangzhou.aliyuncs.com\n", 5, "not a name"),
        (SANDBOX + PROXY, 5, "allowed_networks"),
        (SANDBOX + "proxy: proxy.corp.example:3128\n", 5, "not the address of a proxy"),
        (SANDBOX + "proxy: http://user:word@proxy.corp.example\n", 5, "not the address of a proxy"),
        (SANDBOX + "proxy: http://proxy.corp.example/path\n", 5, "not the address of a proxy"),
        (SANDBOX + "proxy: http://169.254.169.254:80\n", 5, "never allowed"),
    ],
)
def test_what_cannot_work_is_an_error_with_its_line(tmp_path, account, line, word):
    found = [problem for problem in find(tmp_path, account) if problem.severity == "error"]
    assert [problem for problem in found if problem.line == line and word in problem.message], found


def test_a_chain_has_one_step(tmp_path):
    third = PRODUCTION + "via: {account: sandbox, role: Hub}\n" + GOOD
    assert any("one step" in problem.message for problem in find(tmp_path, VIA + GOOD.replace("0", "1"), third))


def test_two_accounts_have_no_external_id_in_common(tmp_path):
    found = find(tmp_path, VIA + GOOD, PRODUCTION + KEY + GOOD)
    assert [problem.kind for problem in found if problem.severity == "error"] == ["duplicate"]


@pytest.mark.parametrize("account", [VIA, VIA + "external_id: customer-1\n"])
def test_an_external_id_is_made_by_us_and_different_each_time(tmp_path, account):
    made = set()
    for _ in range(2):
        [warning] = find(tmp_path, account)
        assert (warning.severity, warning.kind) == ("warning", "external-id")
        made |= set(re.findall(r"rambridge-[0-9a-f]{32}", warning.fix))
    assert len(made) == 2
    assert find(tmp_path, VIA + f"external_id: {made.pop()}\n") == []


def test_a_made_external_id_is_one_that_sts_takes():
    assert re.fullmatch(r"[\w+=,.@:/-]{2,1224}", make_external_id(), re.ASCII)


def test_a_role_for_the_chain_that_people_may_have_is_a_warning(tmp_path):
    [warning] = find(tmp_path, VIA + GOOD, PRODUCTION + "roles: [Admin, Hub]\n")
    assert (warning.severity, warning.kind) == ("warning", "role-for-chain")


def test_a_vpc_endpoint_whose_addresses_are_not_allowed_is_a_warning(tmp_path):
    [warning] = find(tmp_path, SANDBOX + "endpoint: https://sts-vpc.cn-hangzhou.aliyuncs.com\n")
    assert (warning.severity, warning.kind) == ("warning", "unreachable")
    assert "100.64.0.0/10" in warning.fix
