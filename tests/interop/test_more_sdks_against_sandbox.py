"""Node's SDKs and the legacy one for Python, unmodified, against the stand-in cloud as developers run it.

They are a RAM user with an AccessKey, a pod with its token file, and a program on a server that asks its metadata.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdksts.request.v20150401.AssumeRoleRequest import AssumeRoleRequest
from aliyunsdksts.request.v20150401.AssumeRoleWithOIDCRequest import AssumeRoleWithOIDCRequest
from aliyunsdksts.request.v20150401.GetCallerIdentityRequest import GetCallerIdentityRequest

from bridge.sandbox.servers import run_sandbox
from bridge.sandbox.workspace import copy_configuration
from tests.installation import ROOT
from tests.interop.node_sdks.rig import NodeSDKs, Refused
from tests.ports import reserve_ports
from tests.requirements import require

PRODUCTION, SANDBOX = "1000000000000001", "1000000000000002"
AUTOMATION = f"acs:ram::{PRODUCTION}:role/Automation"
CHECKOUT = f"acs:ram::{SANDBOX}:role/Checkout"
POD_PROVIDER = f"acs:ram::{SANDBOX}:oidc-provider/ack-rrsa-c-sandbox"
KEY_ID = "LTAISandboxRambridge"


@dataclass(frozen=True)
class Sandbox:
    """Where it is, and what its files say."""

    host: str
    keys: Path

    @property
    def secret(self) -> str:
        return (self.keys / "access-key-secret").read_text().strip()

    @property
    def token(self) -> str:
        return (self.keys / "rrsa-tokens" / "c-sandbox" / "shop" / "checkout" / "token").read_text()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sandbox")
    ports = reserve_ports(3)
    config = copy_configuration(ROOT / "config", folder, ports)
    described = config / "sandbox.yaml"
    described.write_text(described.read_text().replace("hardened: true", "hardened: false"))
    keys = folder / "certs" / "sandbox"
    with run_sandbox(config, keys):
        yield Sandbox(f"127.0.0.1:{ports[2]}", keys)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    require("node")
    with NodeSDKs(tmp_path_factory.mktemp("node")) as node:
        yield node


# ── @alicloud/sts20150401 and @alicloud/credentials ──────────────────────────────────────────────────────────


def sts(node, sandbox, action, *, key=None, credential=None, **parameters):
    config = {"endpoint": sandbox.host, "protocol": "http"}
    config |= dict(zip(("accessKeyId", "accessKeySecret", "securityToken"), key or (), strict=False))
    return node.call("sts", action=action, config=config, credential=credential, parameters=parameters)


def as_key(answer):
    return [answer["Credentials"][name] for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken")]


def test_node_sts_sdk_is_the_user_of_its_key_and_becomes_a_role(node, sandbox):
    key = (KEY_ID, sandbox.secret)
    assert sts(node, sandbox, "getCallerIdentity", key=key)["Arn"] == f"acs:ram::{PRODUCTION}:user/rambridge"

    answer = sts(node, sandbox, "assumeRole", key=key, roleArn=AUTOMATION, roleSessionName="node")

    caller = sts(node, sandbox, "getCallerIdentity", key=as_key(answer))
    assert caller["Arn"] == f"acs:ram::{PRODUCTION}:assumed-role/Automation/node"


def test_node_sts_sdk_becomes_the_role_of_a_pod(node, sandbox):
    asked = {"roleArn": CHECKOUT, "OIDCProviderArn": POD_PROVIDER, "roleSessionName": "pod"}

    answer = sts(node, sandbox, "assumeRoleWithOIDC", OIDCToken=sandbox.token, **asked)

    assert answer["AssumedRoleUser"]["Arn"] == f"{CHECKOUT}/pod"


def test_node_sts_sdk_sees_why_it_is_refused(node, sandbox):
    for secret, role, expected in (
        ("another-secret", AUTOMATION, (400, "SignatureDoesNotMatch")),
        (sandbox.secret, f"{AUTOMATION}s", (404, "EntityNotExist.Role")),
    ):
        with pytest.raises(Refused) as raised:
            sts(node, sandbox, "assumeRole", key=(KEY_ID, secret), roleArn=role, roleSessionName="node")
        assert (raised.value.status, raised.value.code) == expected


def test_node_credentials_library_takes_the_metadata_for_its_credentials_service(node, sandbox):
    """The metadata service of a server that is not hardened answers as a credentials URI has to."""
    uri = f"http://{sandbox.host}/latest/meta-data/ram/security-credentials/AppServer"
    node.call("credentials", name="server", config={"type": "credentials_uri", "credentialsURI": uri})

    caller = sts(node, sandbox, "getCallerIdentity", credential="server")

    assert caller["Arn"] == f"acs:ram::{SANDBOX}:assumed-role/AppServer/i-sandbox0001"


# ── @alicloud/pop-core ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pop_core_becomes_a_role_by_key_and_by_token(node, sandbox, method):
    def pop(action, config, **parameters):
        config = {"endpoint": f"http://{sandbox.host}", **config}
        return node.call(
            "pop",
            action=action,
            config=config,
            anonymous="accessKeyId" not in config,
            parameters=parameters,
            options={"method": method, "timeout": 60_000},
        )

    key = {"accessKeyId": KEY_ID, "accessKeySecret": sandbox.secret}
    by_key = pop("AssumeRole", key, RoleArn=AUTOMATION, RoleSessionName="pop")
    assert by_key["AssumedRoleUser"]["Arn"] == f"{AUTOMATION}/pop"
    by_token = pop(
        "AssumeRoleWithOIDC",
        {},
        RoleArn=CHECKOUT,
        OIDCProviderArn=POD_PROVIDER,
        OIDCToken=sandbox.token.strip(),
        RoleSessionName="pod",
    )
    assert by_token["AssumedRoleUser"]["Arn"] == f"{CHECKOUT}/pod"
    with pytest.raises(Refused) as raised:
        pop("GetCallerIdentity", key | {"accessKeySecret": "another-secret"})
    assert raised.value.code == "SignatureDoesNotMatch"


# ── aliyun-python-sdk-core and aliyun-python-sdk-sts ─────────────────────────────────────────────────────────


def legacy(sandbox, request, secret=None, **parameters):
    request.set_endpoint(sandbox.host)
    request.set_protocol_type("http")
    for name, value in parameters.items():
        getattr(request, f"set_{name}")(value)
    client = AcsClient(KEY_ID, secret or sandbox.secret, "cn-hangzhou")
    return json.loads(client.do_action_with_exception(request))


def test_legacy_sdk_is_the_user_of_its_key_and_becomes_roles(sandbox):
    assert legacy(sandbox, GetCallerIdentityRequest())["Arn"] == f"acs:ram::{PRODUCTION}:user/rambridge"

    by_key = legacy(sandbox, AssumeRoleRequest(), RoleArn=AUTOMATION, RoleSessionName="legacy", DurationSeconds=900)
    by_token = legacy(
        sandbox,
        AssumeRoleWithOIDCRequest(),
        RoleArn=CHECKOUT,
        OIDCProviderArn=POD_PROVIDER,
        OIDCToken=sandbox.token,
        RoleSessionName="pod",
    )

    assert by_key["AssumedRoleUser"]["Arn"] == f"{AUTOMATION}/legacy"
    assert by_token["AssumedRoleUser"]["Arn"] == f"{CHECKOUT}/pod"


def test_legacy_sdk_finds_out_that_its_secret_is_wrong(sandbox):
    with pytest.raises(ServerException) as raised:
        legacy(sandbox, GetCallerIdentityRequest(), secret="another-secret")

    assert raised.value.get_error_code() == "InvalidAccessKeySecret"
