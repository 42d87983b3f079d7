"""Workloads without a key: a server's metadata service, and the token files of pods."""

import json
import stat
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from bridge.sandbox.cloud.app import create_cloud
from bridge.sandbox.cloud.clusters import PodFiles
from bridge.sandbox.cloud.state import CloudState
from bridge.sandbox.signing_key import load_or_create_token_key
from tests.unit.sandbox.cloud.client import Cloud
from tests.unit.sandbox.cloud.parties import PRODUCTION, URL, build_state

TOKEN, TTL = "X-aliyun-ecs-metadata-token", "X-aliyun-ecs-metadata-token-ttl-seconds"
CREDENTIALS = "/latest/meta-data/ram/security-credentials"
PROVIDER = f"acs:ram::{PRODUCTION}:oidc-provider/ack-rrsa-c1"


def build(*, hardened=False, role="AppServer", service="ecs.aliyuncs.com", condition=None):
    document = build_state().model_dump(by_alias=True)
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    servers = {
        "Version": "1",
        "Statement": [statement | {"Principal": {"Service": service}, "Condition": condition or {}}],
    }
    pods = {"StringEquals": {"oidc:sub": "system:serviceaccount:shop:checkout", "oidc:aud": "sts.aliyuncs.com"}}
    trust = {"Version": "1", "Statement": [statement | {"Principal": {"Federated": PROVIDER}, "Condition": pods}]}
    account = document["accounts"][0]
    account["roles"] = [
        *account["roles"],
        {"name": "AppServer", "id": f"{51:018}", "trust": servers},
        {"name": "Checkout", "id": f"{52:018}", "trust": trust},
    ]
    account["oidc_providers"] = [
        {"name": "ack-rrsa-c1", "issuer": f"{URL}/clusters/c1", "client_ids": ["sts.aliyuncs.com"]}
    ]
    checkout = {"namespace": "shop", "name": "checkout", "role": "Checkout"}
    cart = {"namespace": "shop", "name": "cart", "role": "Checkout"}
    document["instance"] = {"id": "i-abc123", "account": PRODUCTION, "role": role, "hardened": hardened}
    document["clusters"] = [{"id": "c1", "account": PRODUCTION, "service_accounts": [checkout, cart]}]
    return CloudState.model_validate(document)


def get(cloud, path, token=None):
    answer = cloud.http.get(path, headers={TOKEN: token} if token else {})
    return answer.status_code, answer.get_data(as_text=True)


def make_token(cloud, seconds="21600"):
    answer = cloud.http.put("/latest/api/token", headers={TTL: seconds} if seconds is not None else {})
    return answer.status_code, answer.get_data(as_text=True)


def test_a_server_s_programs_become_its_role():
    cloud = Cloud(state=build())

    assert get(cloud, f"{CREDENTIALS}/") == (200, "AppServer")
    status, text = get(cloud, f"{CREDENTIALS}/AppServer")
    given = json.loads(text)
    key = given["AccessKeyId"], given["AccessKeySecret"], given["SecurityToken"]

    assert (status, given["Code"]) == (200, "Success")
    assert (given["LastUpdated"], given["Expiration"]) == ("2026-03-04T05:06:07Z", "2026-03-04T11:06:07Z")
    _, caller = cloud.call_signed("GetCallerIdentity", key=key)
    assert caller["Arn"] == f"acs:ram::{PRODUCTION}:assumed-role/AppServer/i-abc123"


def test_a_server_s_credentials_stay_until_they_are_about_to_end():
    cloud = Cloud(state=build())

    def ask():
        return json.loads(get(cloud, f"{CREDENTIALS}/AppServer")[1])["AccessKeyId"]

    first = ask()
    cloud.clock.advance(hours=5, minutes=29)
    assert ask() == first
    cloud.clock.advance(minutes=2)
    assert ask() != first


def test_a_hardened_server_answers_to_tokens_alone():
    cloud = Cloud(state=build(hardened=True))
    status, token = make_token(cloud, "60")

    assert status == 200
    for path in (f"{CREDENTIALS}/", f"{CREDENTIALS}/AppServer", "/latest/meta-data/region-id"):
        assert get(cloud, path)[0] == 403
        assert get(cloud, path, "guessed")[0] == 403
        assert get(cloud, path, token)[0] == 200
    cloud.clock.advance(seconds=61)
    assert get(cloud, f"{CREDENTIALS}/", token)[0] == 403


def test_a_wrong_token_is_refused_where_none_is_needed():
    cloud = Cloud(state=build())

    assert get(cloud, f"{CREDENTIALS}/", "guessed")[0] == 403
    assert get(cloud, f"{CREDENTIALS}/")[0] == 200


@pytest.mark.parametrize("seconds", [None, "", "0", "21601", "-1", "1.5", "１", "999999"])
def test_a_token_lives_for_some_seconds_up_to_six_hours(seconds):
    assert make_token(Cloud(state=build()), seconds)[0] == 400


@pytest.mark.parametrize(
    ("state", "path"),
    [
        pytest.param(build(), f"{CREDENTIALS}/ReadOnly", id="a role that is not attached"),
        pytest.param(build(role=None), f"{CREDENTIALS}/", id="no role"),
        pytest.param(build(role="Gone"), f"{CREDENTIALS}/Gone", id="a role that does not exist"),
        pytest.param(build(role="ReadOnly"), f"{CREDENTIALS}/ReadOnly", id="a role that trusts no server"),
        pytest.param(build(service="fc.aliyuncs.com"), f"{CREDENTIALS}/AppServer", id="a role of another service"),
        pytest.param(build(service="9000000000000001@ecs.aliyuncs.com"), f"{CREDENTIALS}/AppServer", id="another's"),
        pytest.param(build(), "/latest/meta-data/hostname", id="a fact that is not known"),
        pytest.param(build_state(), f"{CREDENTIALS}/", id="no server"),
        pytest.param(build_state(), "/latest/meta-data/region-id", id="no server either"),
    ],
)
def test_what_a_server_does_not_have_is_not_found(state, path):
    assert get(Cloud(state=state), path)[0] == 404


def test_a_server_of_the_trusted_account_may_be_the_role():
    cloud = Cloud(state=build(service=f"{PRODUCTION}@ecs.aliyuncs.com"))

    assert get(cloud, f"{CREDENTIALS}/AppServer")[0] == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instance-id", "i-abc123"),
        ("region-id", "cn-hangzhou"),
        ("zone-id", "cn-hangzhou-h"),
        ("owner-account-id", PRODUCTION),
    ],
)
def test_a_server_knows_where_it_is(name, value):
    assert get(Cloud(state=build()), f"/latest/meta-data/{name}") == (200, value)


# ── pods ─────────────────────────────────────────────────────────────────────────────────────────────────────


class ClusterCloud(Cloud):
    """A cloud with a cluster, whose own documents the cloud can fetch."""

    def __init__(self, folder: Path) -> None:
        self.key = load_or_create_token_key(folder / "key")
        super().__init__(state=build())
        self.app = create_cloud(self.state, self.clock, self._fetch, cluster_key=self.key)
        self.http = self.app.test_client()
        self.pods = PodFiles(self.state, self.key, folder / "tokens", self.clock)
        self.pods.write()

    def _fetch(self, url: str) -> bytes:
        answer = self.app.test_client().get(url.removeprefix(URL))
        if answer.status_code != 200:
            raise ConnectionError(url)
        return answer.data


@pytest.fixture
def cluster(tmp_path):
    return ClusterCloud(tmp_path)


def read_environment(folder):
    lines = (folder / "environment").read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def become(cluster, environment):
    return cluster.call(
        "AssumeRoleWithOIDC",
        OIDCProviderArn=environment["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"],
        RoleArn=environment["ALIBABA_CLOUD_ROLE_ARN"],
        OIDCToken=Path(environment["ALIBABA_CLOUD_OIDC_TOKEN_FILE"]).read_text(),
        RoleSessionName="pod",
    )


def test_a_pod_becomes_the_role_of_its_service_account(cluster, tmp_path):
    status, answer = become(cluster, read_environment(tmp_path / "tokens/c1/shop/checkout"))

    assert status == 200, answer
    assert answer["AssumedRoleUser"]["Arn"] == f"acs:ram::{PRODUCTION}:role/Checkout/pod"
    assert answer["OIDCTokenInfo"]["Subject"] == "system:serviceaccount:shop:checkout"


def test_another_service_account_s_pod_does_not(cluster, tmp_path):
    status, answer = become(cluster, read_environment(tmp_path / "tokens/c1/shop/cart"))

    assert (status, answer["Code"]) == (401, "AuthenticationFail.NoPermission")


def test_an_old_token_is_refused_and_its_successor_is_not(cluster, tmp_path):
    environment = read_environment(tmp_path / "tokens/c1/shop/checkout")
    cluster.clock.advance(hours=1, minutes=1)

    status, answer = become(cluster, environment)
    assert (status, answer["Code"]) == (401, "AuthenticationFail.OIDCToken.Expired")
    cluster.pods.write()
    assert become(cluster, environment)[0] == 200


def test_pod_files_are_their_owner_s_alone_and_leave_no_drafts(cluster, tmp_path):
    folder = tmp_path / "tokens/c1/shop/checkout"
    cluster.pods.write()

    assert {each.name for each in folder.iterdir()} == {"token", "environment"}
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in folder.iterdir())


def test_a_pod_s_token_says_what_a_projected_one_says(cluster, tmp_path):
    payload = (tmp_path / "tokens/c1/shop/checkout/token").read_text().split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    assert claims["iss"] == f"{URL}/clusters/c1"
    assert claims["aud"] == ["sts.aliyuncs.com"]
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["kubernetes.io"] == {"namespace": "shop", "serviceaccount": {"name": "checkout"}}


@pytest.mark.parametrize("path", ["/clusters/c2/openid/v1/jwks", "/clusters/c2/.well-known/openid-configuration"])
def test_there_is_nothing_of_a_cluster_that_does_not_exist(cluster, path):
    assert cluster.http.get(path).status_code == 404
