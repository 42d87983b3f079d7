"""Unmodified official SDKs use what we deliver, and present what we sign."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from html import unescape

import pytest
from alibabacloud_sts20150401.client import Client as STSClient
from alibabacloud_sts20150401.models import AssumeRoleWithOIDCRequest, AssumeRoleWithSAMLRequest
from alibabacloud_tea_openapi.models import Config

from bridge.exchange.assertion import issue_response, state_role
from bridge.exchange.metadata import entity_id
from bridge.exchange.token import issue_token
from bridge.keys import KeyFolder
from bridge.settings import load_configuration
from tests.installation import run_installation
from tests.integration.test_main_job import entitlements, read_credentials

ASK_WITH_DEFAULT_CHAIN = """
import json, sys
from alibabacloud_credentials.client import Client as CredentialClient
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.models import Config
client = Client(Config(credential=CredentialClient(), endpoint=sys.argv[1], protocol="http"))
print(json.dumps(client.get_caller_identity().body.to_map()))
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("sdk")) as (installation, _):
        yield installation


@pytest.fixture(scope="module")
def page(installation):
    """Return the page with delivered credentials of one role."""
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)["role acme-sandbox/Developer"]
    return browser.submit(f"/credentials/{chosen['id']}")


def text_of(page, name):
    found = re.search(rf'<pre[^>]* id="{name}-text">(.*?)</pre>', page.html, re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", "", found[1])).lstrip("\n")


def endpoint(installation):
    return installation.cloud.removeprefix("http://")


def ask_in_new_process(installation, environment):
    """Return what GetCallerIdentity says to a program that knows nothing but its environment."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("ALIBABA_CLOUD", "ALIBABACLOUD"))
    }
    process = subprocess.run(
        [sys.executable, "-c", ASK_WITH_DEFAULT_CHAIN, endpoint(installation)],
        env=clean | {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return json.loads(process.stdout.splitlines()[-1])


def check_caller(caller):
    assert caller["IdentityType"] == "AssumedRoleUser"
    assert caller["AccountId"] == "1000000000000002"
    assert caller["Arn"] == "acs:ram::1000000000000002:assumed-role/Developer/lin.wei@acme.example"


def test_the_sts_sdk_accepts_the_delivered_credentials(installation, page):
    credentials = read_credentials(page)
    client = STSClient(
        Config(
            access_key_id=credentials["AccessKeyId"],
            access_key_secret=credentials["AccessKeySecret"],
            security_token=credentials["SecurityToken"],
            endpoint=endpoint(installation),
            protocol="http",
        )
    )
    check_caller(client.get_caller_identity().body.to_map())


def test_the_credentials_sdk_reads_the_environment_lines(installation, page, tmp_path):
    lines = re.findall(r"^export (\w+)=(\S+)$", text_of(page, "environment"), re.MULTILINE)
    assert len(lines) == 3
    check_caller(ask_in_new_process(installation, {"HOME": str(tmp_path), **dict(lines)}))


def test_a_shell_takes_the_environment_lines_as_they_are(installation, page):
    script = text_of(page, "environment") + "env | grep -c ^ALIBABA_CLOUD_"
    process = subprocess.run(["sh", "-eu"], input=script, env={}, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "3"


def test_the_credentials_sdk_reads_the_cli_profile(installation, page, tmp_path):
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun" / "config.json").write_text(text_of(page, "profile"))
    check_caller(ask_in_new_process(installation, {"HOME": str(tmp_path)}))


@pytest.fixture(scope="module")
def signer(installation):
    """Return the accounts and keys of the installation, to sign exactly as the bridge does."""
    configuration = load_configuration(installation.config)
    return configuration.accounts, KeyFolder(configuration.settings.key_folder)


def anonymous_client(installation):
    return STSClient(Config(endpoint=endpoint(installation), protocol="http", region_id="cn-hangzhou"))


def test_the_sts_sdk_presents_our_saml_response(installation, signer):
    accounts, keys = signer
    account = accounts["acme-production"]
    now = datetime.now(UTC)
    statement = state_role(
        account,
        "ReadOnly",
        session_name="someone@acme.example",
        issuer=entity_id(installation.bridge),
        duration_seconds=3600,
        now=now,
        authenticated_at=now,
    )
    answer = anonymous_client(installation).assume_role_with_saml(
        AssumeRoleWithSAMLRequest(
            role_arn=account.role_arn("ReadOnly"),
            samlprovider_arn=account.saml_provider_arn,
            samlassertion=issue_response(statement, keys.signing("saml-issuer"), now).encoded,
            duration_seconds=3600,
        )
    )
    assert answer.body.assumed_role_user.arn == "acs:ram::1000000000000001:role/ReadOnly/someone@acme.example"
    assert answer.body.samlassertion_info.issuer == entity_id(installation.bridge)
    assert answer.body.samlassertion_info.recipient == account.console_addresses.role_sso_url


def test_the_sts_sdk_presents_our_oidc_token(installation, signer):
    accounts, keys = signer
    account = accounts["acme-sandbox"]
    token = issue_token(
        issuer=installation.bridge,
        subject="somebody",
        audience=account.oidc_audience,
        key=keys.signing("oidc-issuer"),
        now=datetime.now(UTC),
    )
    answer = anonymous_client(installation).assume_role_with_oidc(
        AssumeRoleWithOIDCRequest(
            role_arn=account.role_arn("Developer"),
            oidcprovider_arn=account.oidc_provider_arn,
            oidctoken=token,
            role_session_name="somebody",
        )
    )
    assert answer.body.assumed_role_user.arn == "acs:ram::1000000000000002:role/Developer/somebody"
    assert answer.body.oidctoken_info.subject == "somebody"


def test_the_sts_sdk_is_refused_with_the_token_of_another_issuer(installation, signer):
    accounts, keys = signer
    account = accounts["acme-sandbox"]
    token = issue_token(
        issuer="https://elsewhere.example",
        subject="somebody",
        audience=account.oidc_audience,
        key=keys.signing("oidc-issuer"),
        now=datetime.now(UTC),
    )
    with pytest.raises(Exception, match="IssuerNotMatch") as caught:
        anonymous_client(installation).assume_role_with_oidc(
            AssumeRoleWithOIDCRequest(
                role_arn=account.role_arn("Developer"),
                oidcprovider_arn=account.oidc_provider_arn,
                oidctoken=token,
                role_session_name="somebody",
            )
        )
    assert caught.value.code == "AuthenticationFail.OIDCToken.IssuerNotMatch"
