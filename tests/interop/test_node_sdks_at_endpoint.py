"""Alibaba Cloud's SDKs for Node, unmodified, call the bridge as their STS: by http and https."""

import json
import shlex
import sys

import pytest

from tests.attacks.sts.rig import ACCOUNT, Credentials
from tests.interop.node_sdks.rig import NodeSDKs, Refused
from tests.interop.sts_endpoint import OIDC_PROVIDER, POLICY, SAML_PROVIDER, SAML_ROLE, call_often, run_endpoint
from tests.requirements import require

ASSUMED = f"acs:ram::{ACCOUNT}:assumed-role"
PROTOCOLS = pytest.mark.parametrize("protocol", ["http", "https"])


@pytest.fixture(scope="module")
def sts(tmp_path_factory):
    require("node")
    with run_endpoint(tmp_path_factory.mktemp("sts")) as sts:
        yield sts


@pytest.fixture(scope="module")
def node(sts):
    with NodeSDKs(sts.folder, sts.ca.certificate) as node:
        yield node


@pytest.fixture
def pod(request):
    """Return the name of a pod that no other test is."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")


def refused(call, *arguments, **parameters):
    with pytest.raises(Refused) as raised:
        call(*arguments, **parameters)
    return raised.value


def as_key(given):
    return Credentials(given["AccessKeyId"], given["AccessKeySecret"], given["SecurityToken"])


# ── @alicloud/sts20150401 ────────────────────────────────────────────────────────────────────────────────────


class STS:
    """The STS SDK: with a key, with an object of the credentials library, or with neither."""

    def __init__(self, node, sts, protocol="http", key=None, credential=None):
        self._node, self._credential = node, credential
        self._config = {"endpoint": sts.host, "protocol": protocol, "regionId": "cn-hangzhou"}
        if key:
            self._config |= {"accessKeyId": key.id, "accessKeySecret": key.secret, "securityToken": key.token}

    def call(self, action, **parameters):
        return self._node.call(
            "sts", action=action, config=self._config, credential=self._credential, parameters=parameters
        )

    def identify(self):
        return self.call("getCallerIdentity")["Arn"].removeprefix(f"{ASSUMED}/")


def oidc(sts, token, **changes):
    return {
        "roleArn": sts.role(),
        "OIDCProviderArn": OIDC_PROVIDER,
        "OIDCToken": token,
        "roleSessionName": "pod-1",
        **changes,
    }


def saml(response):
    return {"roleArn": SAML_ROLE, "SAMLProviderArn": SAML_PROVIDER, "SAMLAssertion": response}


def chain(sts, **changes):
    return {"roleArn": sts.role("ReadOnly"), "roleSessionName": "next", **changes}


@PROTOCOLS
def test_sts_sdk_becomes_a_role_sees_itself_and_becomes_the_next_role(node, sts, protocol, pod):
    first = STS(node, sts, protocol).call("assumeRoleWithOIDC", **oidc(sts, sts.token(pod), durationSeconds=1800))
    assert first["AssumedRoleUser"]["Arn"] == f"{sts.role()}/pod-1"
    client = STS(node, sts, protocol, as_key(first["Credentials"]))
    assert client.identify() == "Developer/pod-1"

    second = client.call("assumeRole", **chain(sts, durationSeconds=900, policy=POLICY))

    assert STS(node, sts, protocol, as_key(second["Credentials"])).identify() == "ReadOnly/next"


@PROTOCOLS
def test_sts_sdk_trades_a_saml_response(node, sts, protocol):
    answer = STS(node, sts, protocol).call("assumeRoleWithSAML", **saml(sts.saml_response("dave")))

    assert answer["AssumedRoleUser"]["Arn"] == f"{SAML_ROLE}/dave"


def test_sts_sdk_sees_why_it_is_refused(node, sts, pod):
    key = sts.issue(pod)
    good, anonymous = STS(node, sts, key=key), STS(node, sts)
    wrong = STS(node, sts, key=Credentials(key.id, "another-secret", key.token))
    ended = STS(node, sts, key=sts.issue_ended(pod))
    prefix = "AuthenticationFail"

    for client, action, parameters, expected in (
        (wrong, "getCallerIdentity", {}, (400, "SignatureDoesNotMatch")),
        (ended, "getCallerIdentity", {}, (400, "InvalidSecurityToken.Expired")),
        (good, "assumeRole", chain(sts, roleArn=sts.role("Nobody")), (403, "NoPermission")),
        (good, "assumeRole", chain(sts, durationSeconds=60), (400, "InvalidParameter.DurationSeconds")),
        (anonymous, "assumeRoleWithOIDC", oidc(sts, sts.token(pod, exp=1)), (401, f"{prefix}.OIDCToken.Expired")),
        (anonymous, "assumeRoleWithOIDC", oidc(sts, "a.b.c"), (401, f"{prefix}.OIDCToken.Invalid")),
        (anonymous, "assumeRoleWithSAML", saml("AAAA"), (401, f"{prefix}.SAMLAssertion.Invalid")),
    ):
        refusal = refused(client.call, action, **parameters)
        assert (refusal.status, refusal.code) == expected
        assert refusal.request_id


def test_sts_sdk_is_told_how_long_to_wait_when_it_calls_too_often(node, sts, pod):
    client = STS(node, sts, key=sts.issue(pod))

    with pytest.raises(Refused) as raised:
        call_often(client.identify)

    assert (raised.value.name, raised.value.code, raised.value.status) == ("ThrottlingError", "Throttling", 429)
    assert 0 < raised.value.retry_after <= 60_000


# ── @alicloud/credentials: it knows https alone ──────────────────────────────────────────────────────────────


def by_oidc(sts, token_file, **changes):
    return {
        "type": "oidc_role_arn",
        "roleArn": sts.role(),
        "oidcProviderArn": OIDC_PROVIDER,
        "oidcTokenFilePath": token_file,
        "roleSessionName": "library",
        "roleSessionExpiration": 1800,
        "stsEndpoint": sts.host,
        **changes,
    }


def by_role(sts, key, **changes):
    return {
        "type": "ram_role_arn",
        "accessKeyId": key.id,
        "accessKeySecret": key.secret,
        "securityToken": key.token,
        "roleArn": sts.role("ReadOnly"),
        "roleSessionName": "library",
        "roleSessionExpiration": 1800,
        "stsEndpoint": sts.host,
        **changes,
    }


def test_credentials_library_trades_the_token_in_a_file(node, sts, pod):
    node.call("credentials", name=pod, config=by_oidc(sts, sts.token_file(pod), policy=POLICY))

    assert STS(node, sts, "https", credential=pod).identify() == "Developer/library"


def test_credentials_library_chains_from_role_to_role(node, sts, pod):
    node.call("credentials", name=pod, config=by_role(sts, sts.issue(pod)))

    assert STS(node, sts, "https", credential=pod).identify() == "ReadOnly/library"


def test_credentials_library_takes_what_an_external_program_got_here(node, sts, pod):
    key = sts.issue(pod)
    printed = {"mode": "StsToken", "access_key_id": key.id, "access_key_secret": key.secret, "sts_token": key.token}
    program = node.home / "program.py"
    program.write_text(f"print({json.dumps(printed)!r})")
    profile = {"name": "ours", "mode": "External", "process_command": shlex.join([sys.executable, str(program)])}
    (node.home / ".aliyun").mkdir()
    (node.home / ".aliyun" / "config.json").write_text(json.dumps({"current": "ours", "profiles": [profile]}))

    node.call("credentials", name=pod, profile="ours")

    assert STS(node, sts, credential=pod).identify() == "Developer/ci"


def test_credentials_library_shows_every_refusal(node, sts, pod):
    key = sts.issue(pod)
    for config, words in (
        (by_oidc(sts, sts.token_file(pod, exp=1)), "AuthenticationFail.OIDCToken.Expired"),
        # It finds out by itself: it compares the string that was signed with the one we show.
        (by_role(sts, Credentials(key.id, "another-secret", key.token)), "the access key secret is invalid"),
        (by_role(sts, sts.issue_ended(pod)), "InvalidSecurityToken.Expired"),
        (by_role(sts, key, externalId="x"), "InvalidParameter.ExternalId"),
    ):
        assert words in refused(node.call, "credentials", name=pod, config=config).message


def test_credentials_library_shows_that_it_calls_too_often(node, sts, pod):
    config = by_role(sts, sts.issue(pod))

    with pytest.raises(Refused, match="Throttling"):
        call_often(lambda: node.call("credentials", name=pod, config=config))


# ── @alicloud/pop-core ───────────────────────────────────────────────────────────────────────────────────────


def pop(node, sts, action, parameters, *, key=None, protocol="http", method="GET"):
    config = {"endpoint": f"{protocol}://{sts.host}"}
    if key:
        config |= {"accessKeyId": key.id, "accessKeySecret": key.secret, "securityToken": key.token}
    options = {"method": method, "timeout": 60_000}
    return node.call("pop", action=action, config=config, anonymous=not key, parameters=parameters, options=options)


METHODS = pytest.mark.parametrize("method", ["GET", "POST"])


@METHODS
@PROTOCOLS
def test_pop_core_becomes_a_role_sees_itself_and_becomes_the_next_role(node, sts, protocol, method, pod):
    how = {"protocol": protocol, "method": method}
    first = pop(node, sts, "AssumeRoleWithOIDC", oidc(sts, sts.token(pod), DurationSeconds=1800), **how)
    key = as_key(first["Credentials"])
    assert pop(node, sts, "GetCallerIdentity", {}, key=key, **how)["Arn"] == f"{ASSUMED}/Developer/pod-1"

    second = pop(node, sts, "AssumeRole", chain(sts, DurationSeconds=900, Policy=POLICY), key=key, **how)

    assert second["AssumedRoleUser"]["Arn"] == f"{sts.role('ReadOnly')}/next"


@METHODS
def test_pop_core_trades_a_saml_response(node, sts, method):
    answer = pop(node, sts, "AssumeRoleWithSAML", saml(sts.saml_response("erin")), method=method)

    assert answer["AssumedRoleUser"]["Arn"] == f"{SAML_ROLE}/erin"


def test_pop_core_sees_why_it_is_refused(node, sts, pod):
    key = sts.issue(pod)
    wrong = Credentials(key.id, "another-secret", key.token)
    for action, parameters, signer, code in (
        ("GetCallerIdentity", {}, wrong, "SignatureDoesNotMatch"),
        ("GetCallerIdentity", {}, sts.issue_ended(pod), "InvalidSecurityToken.Expired"),
        ("AssumeRole", chain(sts, roleArn=sts.role("Nobody")), key, "NoPermission"),
        ("AssumeRoleWithOIDC", oidc(sts, sts.token(pod, exp=1)), None, "AuthenticationFail.OIDCToken.Expired"),
    ):
        assert refused(pop, node, sts, action, parameters, key=signer).code == code


def test_pop_core_sees_that_it_calls_too_often(node, sts, pod):
    key = sts.issue(pod)

    with pytest.raises(Refused) as raised:
        call_often(lambda: pop(node, sts, "GetCallerIdentity", {}, key=key))

    assert raised.value.code == "Throttling"
