"""The sandbox as developers run it: what its server and its pods find, read by the official credentials library."""

import pytest
from alibabacloud_credentials.client import Client as CredentialsClient
from alibabacloud_credentials.http import HttpOptions
from alibabacloud_credentials.models import Config as CredentialsConfig
from alibabacloud_credentials.provider import EcsRamRoleCredentialsProvider
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RAMClient
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.utils_models import Config

from bridge.sandbox.servers import run_sandbox
from bridge.sandbox.workspace import copy_configuration
from tests.installation import ROOT
from tests.ports import reserve_ports

ACCOUNT = "1000000000000002"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sandbox")
    ports = reserve_ports(3)
    config = copy_configuration(ROOT / "config", folder, ports)
    with run_sandbox(config, folder / "certs" / "sandbox"):
        yield folder / "certs" / "sandbox", f"127.0.0.1:{ports[2]}"


def identify(endpoint, **credentials):
    return Client(Config(endpoint=endpoint, protocol="http", **credentials)).get_caller_identity().body.arn


@pytest.mark.parametrize("role", [None, "AppServer"], ids=["role looked up", "role named"])
def test_the_library_becomes_the_hardened_server_s_role(sandbox, role):
    """It knows one address only, so it is given the sandbox as its proxy on the way there."""
    _, endpoint = sandbox
    provider = EcsRamRoleCredentialsProvider(
        role_name=role,
        disable_imds_v1=True,
        http_options=HttpOptions(proxy=f"http://{endpoint}"),
        async_update_enabled=False,
    )

    given = provider.get_credentials()

    arn = identify(
        endpoint,
        access_key_id=given.get_access_key_id(),
        access_key_secret=given.get_access_key_secret(),
        security_token=given.get_security_token(),
    )
    assert arn == f"acs:ram::{ACCOUNT}:assumed-role/AppServer/i-sandbox0001"


def test_the_library_becomes_the_pod_s_role(sandbox):
    keys, endpoint = sandbox
    folder = keys / "rrsa-tokens" / "c-sandbox" / "shop" / "checkout"
    lines = (folder / "environment").read_text().splitlines()
    environment = dict(line.removeprefix("export ALIBABA_CLOUD_").split("=", 1) for line in lines)
    credential = CredentialsClient(
        CredentialsConfig(
            type="oidc_role_arn",
            role_arn=environment["ROLE_ARN"],
            oidc_provider_arn=environment["OIDC_PROVIDER_ARN"],
            oidc_token_file_path=environment["OIDC_TOKEN_FILE"],
            role_session_name="pod",
            sts_endpoint=f"http://{environment['STS_ENDPOINT']}",
        )
    )

    assert identify(endpoint, credential=credential) == f"acs:ram::{ACCOUNT}:assumed-role/Checkout/pod"


def test_the_administrator_s_key_manages_and_what_it_changes_is_kept(sandbox):
    keys, endpoint = sandbox
    secret = (keys / "ram-admin-secret").read_text().strip()
    client = RAMClient(
        Config(endpoint=endpoint, protocol="http", access_key_id="LTAISandboxAdminSandbox", access_key_secret=secret)
    )

    client.create_user(ram.CreateUserRequest(user_name="eve"))

    assert '"eve"' in (keys / "cloud-changes.json").read_text()
