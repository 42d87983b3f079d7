"""Alibaba Cloud's own credentials library in its mode CloudSSO, unmodified, against the running bridge."""

import json
import os
import subprocess
import sys
import time

import pytest
from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.provider import CloudSSOCredentialsProvider
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.utils_models import Config

from tests.installation import run_installation
from tests.integration.terminal import sign_in_terminal

SANDBOX = "1000000000000002"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("installation")) as (installation, _):
        yield installation


@pytest.fixture
def browser(installation):
    return installation.sign_in()


def build_provider(installation, terminal, configuration="Developer"):
    return CloudSSOCredentialsProvider(
        sign_in_url=installation.bridge,
        account_id=SANDBOX,
        access_config=configuration,
        access_token=terminal.token,
        access_token_expire=int(time.time()) + 3_600,
    )


def test_the_library_gets_credentials_that_the_cloud_takes(installation, browser):
    provider = build_provider(installation, sign_in_terminal(installation, browser))
    credentials = provider.get_credentials()
    assert provider.get_credentials().get_access_key_id() == credentials.get_access_key_id()  # kept, not asked again
    config = Config(
        access_key_id=credentials.get_access_key_id(),
        access_key_secret=credentials.get_access_key_secret(),
        security_token=credentials.get_security_token(),
        endpoint=installation.cloud.removeprefix("http://"),
        protocol="http",
    )
    assert "/Developer/" in Client(config).get_caller_identity().body.arn


def test_the_library_is_refused_what_the_rules_do_not_grant(installation, browser):
    provider = build_provider(installation, sign_in_terminal(installation, browser), "PlatformAdmin")
    with pytest.raises(CredentialException, match="not_entitled"):
        provider.get_credentials()


def test_the_library_is_refused_after_a_sign_out(installation, browser):
    provider = build_provider(installation, sign_in_terminal(installation, browser))
    browser.open(installation.bridge)
    browser.submit("/sign-out")
    with pytest.raises(CredentialException, match="terminal_token_unknown"):
        provider.get_credentials()


def test_a_profile_as_the_cli_writes_it_serves_the_default_chain(installation, browser, tmp_path):
    terminal = sign_in_terminal(installation, browser)
    profile = {
        "name": "rambridge",
        "mode": "CloudSSO",
        "cloud_sso_sign_in_url": installation.bridge,
        "cloud_sso_account_id": SANDBOX,
        "cloud_sso_access_config": "Developer",
        "access_token": terminal.token,
        "cloud_sso_access_token_expire": int(time.time()) + 3_600,
    }
    (tmp_path / ".aliyun").mkdir()
    (tmp_path / ".aliyun" / "config.json").write_text(json.dumps({"current": "rambridge", "profiles": [profile]}))
    program = "from alibabacloud_credentials.client import Client; print(Client().get_credential().access_key_id)"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.startswith("STS."), done.stderr
