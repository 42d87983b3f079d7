"""Alibaba Cloud's SDKs for Python, unmodified, call the bridge as their STS: by http, and by https."""

import json
import shlex
import sys

import pytest
from alibabacloud_credentials.client import Client as CredentialsClient
from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.models import Config as CredentialsConfig
from alibabacloud_credentials.provider import CLIProfileCredentialsProvider
from alibabacloud_sts20150401 import models
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException, ThrottlingException
from alibabacloud_tea_openapi.utils_models import Config
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdksts.request.v20150401.AssumeRoleRequest import AssumeRoleRequest
from aliyunsdksts.request.v20150401.AssumeRoleWithOIDCRequest import AssumeRoleWithOIDCRequest
from aliyunsdksts.request.v20150401.AssumeRoleWithSAMLRequest import AssumeRoleWithSAMLRequest
from aliyunsdksts.request.v20150401.GetCallerIdentityRequest import GetCallerIdentityRequest

from tests.attacks.sts.rig import ACCOUNT, Credentials
from tests.interop.sts_endpoint import OIDC_PROVIDER, POLICY, SAML_PROVIDER, SAML_ROLE, call_often, run_endpoint

pytestmark = pytest.mark.filterwarnings("ignore:ssl:DeprecationWarning", "ignore:An HTTPS request has been made")
"""The SDKs choose the oldest version of TLS themselves, and the legacy one knows no SNI from Python 3.12 on."""

ASSUMED = f"acs:ram::{ACCOUNT}:assumed-role"


@pytest.fixture(scope="module")
def sts(tmp_path_factory):
    with run_endpoint(tmp_path_factory.mktemp("sts")) as sts:
        yield sts


@pytest.fixture(params=["http", "https"])
def protocol(request, sts, monkeypatch):
    """Return how the SDK calls; these variables are how an administrator adds a CA of their own."""
    if request.param == "https":
        monkeypatch.setenv("SSL_CERT_FILE", str(sts.ca.certificate))
        monkeypatch.setenv("ALIBABA_CLOUD_CA_BUNDLE", str(sts.ca.certificate))
    return request.param


@pytest.fixture
def pod(request):
    """Return the name of a pod that no other test is."""
    name = request.node.name
    return "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")


SIGNATURES = pytest.mark.parametrize("signature", [None, "v2"], ids=["ACS3", "RPC"])


# ── alibabacloud-sts20150401 ─────────────────────────────────────────────────────────────────────────────────


def make_client(sts, key=None, protocol="http", signature=None, credential=None):
    keys = {"access_key_id": key.id, "access_key_secret": key.secret, "security_token": key.token} if key else {}
    return Client(
        Config(
            endpoint=sts.host,
            protocol=protocol,
            region_id="cn-hangzhou",
            signature_algorithm=signature,
            **({"credential": credential} if credential else keys),
        )
    )


def as_key(credentials):
    return Credentials(credentials.access_key_id, credentials.access_key_secret, credentials.security_token)


def with_oidc(sts, client, token, **changes):
    given = {"role_arn": sts.role(), "oidcprovider_arn": OIDC_PROVIDER, "role_session_name": "pod-1", **changes}
    return client.assume_role_with_oidc(models.AssumeRoleWithOIDCRequest(oidctoken=token, **given)).body


def with_saml(client, response):
    given = {"role_arn": SAML_ROLE, "samlprovider_arn": SAML_PROVIDER, "samlassertion": response}
    return client.assume_role_with_saml(models.AssumeRoleWithSAMLRequest(**given)).body


def chain(sts, client, **changes):
    given = {"role_arn": sts.role("ReadOnly"), "role_session_name": "next", **changes}
    return client.assume_role(models.AssumeRoleRequest(**given)).body


@SIGNATURES
def test_sts_sdk_becomes_a_role_sees_itself_and_becomes_the_next_role(sts, protocol, signature, pod):
    answer = with_oidc(sts, make_client(sts, protocol=protocol), sts.token(pod), duration_seconds=1800)
    assert answer.assumed_role_user.arn == f"{sts.role()}/pod-1"
    assert answer.oidctoken_info.subject == f"system:serviceaccount:shop:{pod}"

    client = make_client(sts, as_key(answer.credentials), protocol, signature)
    caller = client.get_caller_identity().body
    assert (caller.arn, caller.account_id) == (f"{ASSUMED}/Developer/pod-1", ACCOUNT)
    assert caller.principal_id == answer.assumed_role_user.assumed_role_id

    following = chain(sts, client, duration_seconds=900, policy=POLICY)
    assert following.assumed_role_user.arn == f"{sts.role('ReadOnly')}/next"
    again = make_client(sts, as_key(following.credentials), protocol, signature).get_caller_identity().body
    assert again.arn == f"{ASSUMED}/ReadOnly/next"
    narrowed = make_client(sts, as_key(following.credentials), protocol, signature)
    assert refused(chain, sts, narrowed) == (403, "NoPermission")


def test_sts_sdk_trades_a_saml_response(sts, protocol):
    answer = with_saml(make_client(sts, protocol=protocol), sts.saml_response("alice"))

    assert answer.assumed_role_user.arn == f"{SAML_ROLE}/alice"
    assert answer.samlassertion_info.recipient == f"{sts.rig.url}/"
    caller = make_client(sts, as_key(answer.credentials), protocol).get_caller_identity().body
    assert caller.identity_type == "AssumedRoleUser"


def refused(call, *arguments, **parameters):
    """Return status and code of the refusal as the SDK tells them."""
    with pytest.raises(ClientException) as raised:
        call(*arguments, **parameters)
    assert raised.value.request_id
    assert raised.value.message
    return raised.value.status_code, raised.value.code


@SIGNATURES
def test_sts_sdk_sees_why_its_key_is_refused(sts, signature, pod):
    key = sts.issue(pod)
    for wrong, expected in (
        (Credentials(key.id, "another-secret", key.token), (400, "SignatureDoesNotMatch")),
        (Credentials("STS.nobody", key.secret, key.token), (404, "InvalidAccessKeyId.NotFound")),
        (Credentials(key.id, key.secret, "another"), (400, "InvalidSecurityToken.MismatchWithAccessKey")),
        (sts.issue_ended(pod), (400, "InvalidSecurityToken.Expired")),
    ):
        assert refused(make_client(sts, wrong, signature=signature).get_caller_identity) == expected


@SIGNATURES
def test_sts_sdk_sees_why_a_role_is_refused(sts, signature, pod):
    client = make_client(sts, sts.issue(pod), signature=signature)

    assert refused(chain, sts, client, role_arn=sts.role("Nobody")) == (403, "NoPermission")
    assert refused(chain, sts, client, external_id="x") == (400, "InvalidParameter.ExternalId")
    assert refused(chain, sts, client, duration_seconds=60) == (400, "InvalidParameter.DurationSeconds")
    assert refused(chain, sts, client, policy="{}") == (400, "InvalidParameter.PolicyGrammar")


def test_sts_sdk_sees_why_a_token_is_refused(sts, pod):
    client, prefix = make_client(sts), "AuthenticationFail.OIDCToken"

    for changes, code in (
        ({"exp": 1}, "Expired"),
        ({"aud": "somebody else"}, "AudienceNotMatch"),
        ({"iss": "https://elsewhere.example"}, "IssuerNotMatch"),
    ):
        assert refused(with_oidc, sts, client, sts.token(pod, **changes)) == (401, f"{prefix}.{code}")
    assert refused(with_oidc, sts, client, "a.b.c") == (401, f"{prefix}.Invalid")
    other = {"role_arn": sts.role("Automation")}
    assert refused(with_oidc, sts, client, sts.token(pod), **other) == (401, "AuthenticationFail.NoPermission")


def test_sts_sdk_sees_why_a_response_is_refused(sts):
    client, response = make_client(sts), sts.saml_response("bob")
    with_saml(client, response)

    code = (401, "AuthenticationFail.SAMLAssertion.Invalid")
    assert refused(with_saml, client, response) == code, "a second time"
    assert refused(with_saml, client, sts.saml_response(audience="urn:alibaba:cloudcomputing")) == code


def test_sts_sdk_is_told_how_long_to_wait_when_it_calls_too_often(sts, pod):
    client = make_client(sts, sts.issue(pod))

    with pytest.raises(ThrottlingException) as raised:
        call_often(client.get_caller_identity)

    assert (raised.value.status_code, raised.value.code) == (429, "Throttling")
    assert 0 < raised.value.retry_after <= 60_000


# ── alibabacloud-credentials: it insists on https, unless the endpoint itself says http ──────────────────────


def address(sts, protocol):
    return f"http://{sts.host}" if protocol == "http" else sts.host


def role_of(sts, credential, protocol="http"):
    """Return the session that the STS SDK is with what the credentials library gives it."""
    caller = make_client(sts, protocol=protocol, credential=credential).get_caller_identity().body
    return caller.arn.removeprefix(f"{ASSUMED}/")


def by_oidc(sts, token_file, protocol="http", **changes):
    given = {
        "role_arn": sts.role(),
        "oidc_provider_arn": OIDC_PROVIDER,
        "oidc_token_file_path": token_file,
        "role_session_name": "library",
        "role_session_expiration": 1800,
        "sts_endpoint": address(sts, protocol),
        **changes,
    }
    return CredentialsClient(CredentialsConfig(type="oidc_role_arn", **given))


def by_role(sts, key, protocol="http", **changes):
    given = {
        "access_key_id": key.id,
        "access_key_secret": key.secret,
        "security_token": key.token,
        "role_arn": sts.role("ReadOnly"),
        "role_session_name": "library",
        "role_session_expiration": 1800,
        "sts_endpoint": address(sts, protocol),
        **changes,
    }
    return CredentialsClient(CredentialsConfig(type="ram_role_arn", **given))


def test_credentials_library_trades_the_token_in_a_file(sts, protocol, pod):
    credential = by_oidc(sts, sts.token_file(pod), protocol, policy=POLICY)

    assert role_of(sts, credential, protocol) == "Developer/library"


def test_credentials_library_chains_from_role_to_role(sts, protocol, pod):
    credential = by_role(sts, sts.issue(pod), protocol)

    assert role_of(sts, credential, protocol) == "ReadOnly/library"


def test_credentials_library_takes_what_an_external_program_got_here(sts, pod, tmp_path):
    key = sts.issue(pod)
    printed = {
        "mode": "StsToken",
        "access_key_id": key.id,
        "access_key_secret": key.secret,
        "sts_token": key.token,
    }
    program = tmp_path / "program.py"
    program.write_text(f"print({json.dumps(printed)!r})")
    command = shlex.join([sys.executable, str(program)])
    profile = {"name": "ours", "mode": "External", "process_command": command}
    profiles = tmp_path / "config.json"
    profiles.write_text(json.dumps({"current": "ours", "profiles": [profile]}))
    credential = CredentialsClient(provider=CLIProfileCredentialsProvider(profile_file=str(profiles)))

    assert role_of(sts, credential) == "Developer/ci"


def test_credentials_library_shows_every_refusal(sts, pod):
    key = sts.issue(pod)
    for credential, code in (
        (by_oidc(sts, sts.token_file(pod, exp=1)), r"OIDCToken\.Expired"),
        (by_oidc(sts, sts.token_file(f"{pod}-2"), role_arn=sts.role("Nobody")), r"AuthenticationFail\.NoPermission"),
        (by_role(sts, Credentials(key.id, "another-secret", key.token)), "SignatureDoesNotMatch"),
        (by_role(sts, sts.issue_ended(pod)), r"InvalidSecurityToken\.Expired"),
        (by_role(sts, key, external_id="x"), r"InvalidParameter\.ExternalId"),
    ):
        with pytest.raises(CredentialException, match=code):
            credential.get_credential()


def test_credentials_library_shows_that_it_calls_too_often(sts, pod):
    key = sts.issue(pod)

    with pytest.raises(CredentialException, match=r"429.*Throttling"):
        call_often(lambda: by_role(sts, key).get_credential())


# ── aliyun-python-sdk-core and aliyun-python-sdk-sts ─────────────────────────────────────────────────────────


def legacy(sts, request, protocol="http", key=None, **options):
    """Return what the legacy SDK's client answers; it signs anonymous actions too, with any key that it has."""
    request.set_endpoint(sts.host)
    request.set_protocol_type(protocol)
    signer = (
        {"credential": StsTokenCredential(key.id, key.secret, key.token)}
        if key
        else {"ak": "LTAIAnything", "secret": "anything"}
    )
    client = AcsClient(region_id="cn-hangzhou", **signer, **options)
    return json.loads(client.do_action_with_exception(request))


def legacy_request(kind, **parameters):
    request = kind()
    for name, value in parameters.items():
        getattr(request, f"set_{name}")(value)
    return request


def legacy_chain(sts, role="ReadOnly"):
    asked = {"RoleArn": sts.role(role), "RoleSessionName": "next", "DurationSeconds": 900, "Policy": POLICY}
    return legacy_request(AssumeRoleRequest, **asked)


def legacy_key(answer):
    given = answer["Credentials"]
    return Credentials(given["AccessKeyId"], given["AccessKeySecret"], given["SecurityToken"])


def legacy_oidc(sts, token):
    return legacy_request(
        AssumeRoleWithOIDCRequest,
        RoleArn=sts.role(),
        OIDCProviderArn=OIDC_PROVIDER,
        OIDCToken=token,
        RoleSessionName="legacy",
        DurationSeconds=1800,
    )


def test_legacy_sdk_becomes_a_role_sees_itself_and_becomes_the_next_role(sts, protocol, pod):
    answer = legacy(sts, legacy_oidc(sts, sts.token(pod)), protocol)
    assert answer["AssumedRoleUser"]["Arn"] == f"{sts.role()}/legacy"

    caller = legacy(sts, GetCallerIdentityRequest(), protocol, legacy_key(answer))
    assert caller["Arn"] == f"{ASSUMED}/Developer/legacy"

    following = legacy(sts, legacy_chain(sts), protocol, legacy_key(answer))
    assert following["AssumedRoleUser"]["Arn"] == f"{sts.role('ReadOnly')}/next"


def test_legacy_sdk_trades_a_saml_response(sts, protocol):
    request = legacy_request(
        AssumeRoleWithSAMLRequest,
        RoleArn=SAML_ROLE,
        SAMLProviderArn=SAML_PROVIDER,
        SAMLAssertion=sts.saml_response("carol"),
    )

    assert legacy(sts, request, protocol)["AssumedRoleUser"]["Arn"] == f"{SAML_ROLE}/carol"


def legacy_refused(sts, request, key=None, **options):
    with pytest.raises(ServerException) as raised:
        legacy(sts, request, key=key, **options)
    assert raised.value.get_request_id()
    return raised.value.get_http_status(), raised.value.get_error_code()


def test_legacy_sdk_sees_why_it_is_refused(sts, pod):
    key = sts.issue(pod)
    wrong = Credentials(key.id, "another-secret", key.token)

    # It finds out by itself that the secret is wrong: it compares the string that was signed with the one we show.
    assert legacy_refused(sts, GetCallerIdentityRequest(), wrong) == (400, "InvalidAccessKeySecret")
    expired = (400, "InvalidSecurityToken.Expired")
    assert legacy_refused(sts, GetCallerIdentityRequest(), sts.issue_ended(pod)) == expired
    assert legacy_refused(sts, legacy_chain(sts, "Nobody"), key) == (403, "NoPermission")
    old = (401, "AuthenticationFail.OIDCToken.Expired")
    assert legacy_refused(sts, legacy_oidc(sts, sts.token(pod, exp=1))) == old


def test_legacy_sdk_gives_up_when_it_calls_too_often(sts, pod):
    key = sts.issue(pod)

    with pytest.raises(ServerException) as raised:
        call_often(lambda: legacy(sts, GetCallerIdentityRequest(), key=key, auto_retry=False))

    assert (raised.value.get_http_status(), raised.value.get_error_code()) == (429, "Throttling")
