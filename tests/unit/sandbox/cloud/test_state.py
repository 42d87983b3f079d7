"""The declared cloud: the committed file is valid, faults are shown with their line, the one secret is never in it."""

import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.sandbox.cloud.state import CloudState, load_cloud_state
from bridge.sts_wire.arn import parse_arn
from tests.unit.sandbox.cloud.parties import PRODUCTION, build_state

COMMITTED = Path(__file__).parents[4] / "config" / "sandbox.yaml"


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    return Path(shutil.copy(COMMITTED, folder))


def test_committed_file_declares_both_accounts(config):
    state = load_cloud_state(config)

    roles = {account.alias: {role.name for role in account.roles} for account in state.accounts}
    assert roles["acme-production"] >= {"PlatformAdmin", "ReadOnly", "FinanceAuditor", "DatabaseOperator"}
    assert roles["acme-sandbox"] == {"Developer", "DataScientist", "ReadOnly", "AppServer", "Checkout"}
    assert sum(user.console for user in state.accounts[0].users) == 3


def test_every_principal_of_the_committed_file_is_a_provider_or_user_that_it_declares(config):
    state = load_cloud_state(config)

    for account in state.accounts:
        declared = {f"acs:ram::{account.id}:root"}
        declared |= {str(account.build_arn("saml-provider", each.name)) for each in account.saml_providers}
        declared |= {str(account.build_arn("oidc-provider", each.name)) for each in account.oidc_providers}
        declared |= {str(account.build_arn("user", each.name)) for each in account.users}
        for role in account.roles:
            for statement in role.trust.statement:
                assert {*statement.principal.federated, *statement.principal.ram} <= declared


def test_missing_secret_is_made_once_and_readable_by_its_owner_alone(config):
    with ThreadPoolExecutor(8) as threads:
        states = list(threads.map(lambda _: load_cloud_state(config), range(8)))

    file = config.parent.parent / "certs" / "sandbox" / "access-key-secret"
    secrets = {state.find_key_owner("LTAISandboxRambridge")[2].secret.get_secret_value() for state in states}
    assert secrets == {file.read_text().strip()}
    assert len(secrets.pop()) == 30
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {each.name for each in file.parent.iterdir()} == {"access-key-secret", "ram-admin-secret"}


def test_secret_comes_from_the_environment(config, monkeypatch):
    monkeypatch.setenv("CLOUD_SECRET", "from-outside")
    config.write_text(config.read_text().replace("file:../certs/sandbox/access-key-secret", "env:CLOUD_SECRET"))

    owner = load_cloud_state(config).find_key_owner("LTAISandboxRambridge")

    assert owner[2].secret.get_secret_value() == "from-outside"
    assert "from-outside" not in repr(owner)


@pytest.mark.parametrize("reference", ["env:CLOUD_SECRET_UNSET", "plain-text-secret", "env:"])
def test_secret_that_is_not_a_reference_is_refused_without_showing_it(config, reference):
    config.write_text(config.read_text().replace("file:../certs/sandbox/access-key-secret", f'"{reference}"'))

    with pytest.raises(SettingsError) as refused:
        load_cloud_state(config)

    assert "plain-text" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "right", "line_of"),
    [
        ("max_session_duration: 90000", "max_session_duration: 7200", "max_session_duration: 90000"),
        ("Effect: Permit", "Effect: Allow", "Effect: Permit"),
        ("StringEqualsIfExists: {", "StringEquals: {", "StringEqualsIfExists: {"),
    ],
)
def test_fault_is_shown_with_its_line(config, wrong, right, line_of):
    text = config.read_text().replace(right, wrong, 1)
    config.write_text(text)

    with pytest.raises(SettingsError) as refused:
        load_cloud_state(config)

    line = next(number for number, each in enumerate(text.splitlines(), 1) if line_of in each)
    assert line in [problem.line for problem in refused.value.problems]


@pytest.mark.parametrize("text", ["", "cloud", "idp: {}", "cloud: []", "cloud: {accounts: []}", "{", "\x80"])
def test_file_that_declares_no_cloud_is_refused(config, text):
    config.write_bytes(text.encode("latin-1"))

    with pytest.raises(SettingsError):
        load_cloud_state(config)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(SettingsError):
        load_cloud_state(tmp_path / "sandbox.yaml")


@pytest.mark.parametrize("twice", ["accounts", "roles", "users"])
def test_name_that_comes_twice_is_refused(twice):
    document = build_state().model_dump(by_alias=True)
    account = document["accounts"][0]
    holder, repeated = (document, account) if twice == "accounts" else (account, account[twice][0])
    holder[twice] = [*holder[twice], repeated]

    with pytest.raises(ValueError, match="the same"):
        CloudState.model_validate(document)


@pytest.mark.parametrize(
    ("arn", "found"),
    [
        (f"acs:ram::{PRODUCTION}:role/PlatformAdmin", True),
        (f"acs:ram::{PRODUCTION}:role/platformadmin", False),
        ("acs:ram::9999999999999999:role/PlatformAdmin", False),
    ],
)
def test_role_is_found_by_its_exact_name(arn, found):
    assert (build_state().find_role(parse_arn(arn, "role")) is not None) is found


def test_users_domains_are_the_id_the_alias_and_the_auxiliary_domain():
    assert build_state().accounts[0].domains == {
        f"{PRODUCTION}.onaliyun.com",
        "acme-production.onaliyun.com",
        "acme.example",
    }
