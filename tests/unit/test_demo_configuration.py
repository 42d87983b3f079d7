"""The configuration that `make demo` starts with: without problems, and it gives people what its comments say."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.entitlements.resolve import resolve
from bridge.identity.verified import VerifiedIdentity
from bridge.settings import check_configuration, load_configuration

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MFA = "https://refeds.org/profile/mfa"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    shutil.copytree(Path(__file__).parents[2] / "config", root / "config")
    secret = root / "certs" / "sandbox" / "oidc-client-secret"
    secret.parent.mkdir(parents=True)
    secret.write_text("a-secret-of-this-test")
    return root / "config"


@pytest.fixture(scope="module")
def rules(folder):
    return load_configuration(folder).rules


def granted(rules, groups, *, department="Platform", uid="lin.wei", mail="lin.wei@acme.example", **evidence):
    identity = VerifiedIdentity(
        provider=evidence.pop("provider", "acme-saml"),
        protocol="saml",
        issuer="http://127.0.0.1:8081/saml/metadata",
        subject="s",
        claims={"groups": ["employees", *groups], "department": department, "uid": uid, "email": mail},
        authenticated_at=NOW - timedelta(minutes=1),
        message_id="_1",
        accept_until=NOW,
        **({"acr": PASSWORD} | evidence),
    )
    return {f"{each.account}/{each.name}": each for each in resolve(identity, rules, NOW).entitlements}


EVERYDAY = {"acme-production/ReadOnly", "acme-production/lin.wei", "acme-sandbox/Developer"}


def test_it_has_no_problem(folder):
    assert check_configuration(folder) == []


@pytest.mark.parametrize(
    ("evidence", "admin"),
    [
        ({"acr": MFA}, True),
        ({"provider": "acme-oidc", "acr": PASSWORD, "amr": ("pwd", "hwk")}, True),
        ({"acr": PASSWORD}, False),
        ({"provider": "acme-oidc", "acr": PASSWORD, "amr": ("pwd",)}, False),
    ],
)
def test_platform_people_administer_production_only_with_a_second_factor(rules, evidence, admin):
    expected = EVERYDAY | ({"acme-production/PlatformAdmin"} if admin else set())
    assert granted(rules, ["platform"], **evidence).keys() == expected


def test_finance_people_have_no_choice_and_so_are_not_asked(rules):
    assert granted(rules, ["finance", "billing"], department="Finance").keys() == {"acme-production/FinanceAuditor"}


def test_data_people_work_in_both_accounts(rules):
    expected = {"acme-sandbox/DataScientist", "acme-sandbox/ReadOnly", "acme-production/DatabaseOperator"}
    assert granted(rules, ["data"], department="Data").keys() == expected


def test_data_people_reach_their_own_folder_of_the_data_lake_and_no_other(rules):
    own = granted(rules, ["data"], department="Data", uid="zhang.min")["acme-sandbox/ReadOnly"]
    assert "acme-datalake/people/zhang.min/*" in own.session_policy
    assert "acme-sandbox/ReadOnly" not in granted(rules, ["data"], department="Data", uid="*")


@pytest.mark.parametrize("department", ["Security", "Support"])
def test_security_and_support_look_at_production(rules, department):
    assert granted(rules, [], department=department).keys() == {"acme-production/ReadOnly"}


def test_a_contractor_never_enters_production(rules):
    expected = {"acme-sandbox/DataScientist", "acme-sandbox/ReadOnly"}
    assert granted(rules, ["contractors", "data"], department="Contractors").keys() == expected
    assert granted(rules, ["contractors", "platform"], acr=MFA).keys() == {"acme-sandbox/Developer"}


def test_other_employees_get_nothing(rules):
    assert granted(rules, [], department="People").keys() == set()
