"""Alibaba Cloud's own SDKs, unmodified, against the stand-in cloud over HTTP: what they send is taken, in each action.

The identity provider and the issuer are throw-away ones, served by the test.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from alibabacloud_credentials.client import Client as CredentialsClient
from alibabacloud_credentials.models import Config as CredentialsConfig
from alibabacloud_sts20150401 import models
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.utils_models import Config

from bridge.clock import SystemClock
from bridge.sandbox.cloud.app import create_cloud
from bridge.sandbox.long_requests import make_long_request_server
from tests.ports import reserve_ports
from tests.unit.sandbox.cloud.client import role_arn
from tests.unit.sandbox.cloud.parties import (
    KEY_ID,
    KEY_SECRET,
    PRODUCTION,
    ROLE,
    SANDBOX,
    SESSION_NAME,
    Response,
    Token,
    build_discovery,
    build_jwks,
    build_metadata,
    build_state,
    make_key,
    role_value,
)

SAML_PROVIDER = f"acs:ram::{PRODUCTION}:saml-provider/corp"
OIDC_PROVIDER = f"acs:ram::{SANDBOX}:oidc-provider/corp"
DEVELOPER = role_arn("Developer", SANDBOX)
POLICY = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "oss:Get*", "Resource": "*"}]}'


class _Parties(ThreadingHTTPServer):
    """Serves what the identity provider and the issuer publish."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}"


class _Publisher(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = self.server.url
        documents = {
            "/metadata": build_metadata,
            "/.well-known/openid-configuration": lambda: build_discovery(url),
            "/jwks": build_jwks,
        }
        body = documents[self.path]()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments) -> None:
        """Say nothing."""


@contextmanager
def serve(server) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetch(url: str) -> bytes:
    with requests.get(url, timeout=60) as answer:
        answer.raise_for_status()
        return answer.content


@pytest.fixture(scope="module")
def parties():
    server = _Parties(("127.0.0.1", 0), _Publisher)
    with serve(server):
        yield server


@pytest.fixture(scope="module")
def endpoint(parties, module_port):
    state = build_state(f"http://127.0.0.1:{module_port}", parties.url, f"{parties.url}/metadata")
    server = make_long_request_server(create_cloud(state, SystemClock(), fetch), "127.0.0.1", module_port)
    with serve(server):
        yield f"127.0.0.1:{module_port}"


@pytest.fixture(scope="module")
def module_port():
    return reserve_ports(1)[0]


SIGNATURES = pytest.mark.parametrize("signature", [None, "v2"], ids=["ACS3", "RPC"])


def make_client(endpoint, *, key=(KEY_ID, KEY_SECRET, None), signature=None, credential=None):
    access_key_id, access_key_secret, token = key
    given = (
        {"credential": credential}
        if credential
        else {"access_key_id": access_key_id, "access_key_secret": access_key_secret, "security_token": token}
    )
    return Client(Config(endpoint=endpoint, protocol="http", signature_algorithm=signature, **given))


def now():
    return datetime.now(UTC).replace(microsecond=0)


def make_response(endpoint, **changes):
    return Response(now=now(), recipient=f"http://{endpoint}/saml-role/sso", **changes)


def make_token(parties, **changes):
    return Token(now=now(), changes={"iss": parties.url, **changes}).encode()


def as_key(credentials):
    return credentials.access_key_id, credentials.access_key_secret, credentials.security_token


def assume(client, role="Automation", **parameters):
    request = models.AssumeRoleRequest(role_arn=role_arn(role), role_session_name="sdk@example.com", **parameters)
    return client.assume_role(request).body


def with_saml(client, response, **parameters):
    given = {"role_arn": role_arn("PlatformAdmin"), "samlprovider_arn": SAML_PROVIDER, **parameters}
    return client.assume_role_with_saml(models.AssumeRoleWithSAMLRequest(samlassertion=response, **given)).body


def with_oidc(client, token, **parameters):
    given = {"role_arn": DEVELOPER, "oidcprovider_arn": OIDC_PROVIDER, "role_session_name": "ci-1", **parameters}
    return client.assume_role_with_oidc(models.AssumeRoleWithOIDCRequest(oidctoken=token, **given)).body


# ── alibabacloud-sts20150401 ─────────────────────────────────────────────────────────────────────────────────


@SIGNATURES
def test_sdk_assumes_a_role_and_sees_itself_in_it(endpoint, signature):
    answer = assume(
        make_client(endpoint, signature=signature),
        duration_seconds=900,
        policy=POLICY,
        source_identity="alice@example.com",
    )

    assert answer.assumed_role_user.arn == f"{role_arn('Automation')}/sdk@example.com"
    assert answer.source_identity == "alice@example.com"
    caller = make_client(endpoint, key=as_key(answer.credentials), signature=signature).get_caller_identity().body
    assert caller.arn == f"acs:ram::{PRODUCTION}:assumed-role/Automation/sdk@example.com"
    assert caller.identity_type == "AssumedRoleUser"


@SIGNATURES
def test_sdk_with_a_users_key_sees_the_user(endpoint, signature):
    caller = make_client(endpoint, signature=signature).get_caller_identity().body

    assert (caller.arn, caller.account_id) == (f"acs:ram::{PRODUCTION}:user/bridge", PRODUCTION)


@SIGNATURES
def test_sdk_chains_from_role_to_role(endpoint, signature):
    first = assume(make_client(endpoint, signature=signature))

    second = assume(make_client(endpoint, key=as_key(first.credentials), signature=signature), "Chained")

    assert second.assumed_role_user.arn == f"{role_arn('Chained')}/sdk@example.com"


@pytest.mark.parametrize("key", [(KEY_ID, KEY_SECRET, None), (None, None, None)], ids=["with a key", "without"])
def test_sdk_trades_a_saml_response(endpoint, key):
    answer = with_saml(make_client(endpoint, key=key), make_response(endpoint).encode(), duration_seconds=1800)

    assert answer.assumed_role_user.arn == f"{role_arn('PlatformAdmin')}/alice@example.com"
    assert answer.samlassertion_info.subject == "alice@example.com"
    assert answer.samlassertion_info.subject_type == "persistent"
    caller = make_client(endpoint, key=as_key(answer.credentials)).get_caller_identity().body
    assert caller.arn == f"acs:ram::{PRODUCTION}:assumed-role/PlatformAdmin/alice@example.com"


def test_sdk_trades_a_saml_response_of_nearly_100_000_characters(endpoint):
    attributes = {ROLE: [role_value()], SESSION_NAME: ["alice@example.com"], "note": ["x" * 70_000]}
    encoded = make_response(endpoint, attributes=attributes).encode()
    assert 95_000 < len(encoded) <= 100_000

    assert with_saml(make_client(endpoint), encoded).credentials.access_key_id.startswith("STS.")


@pytest.mark.parametrize("key", [(KEY_ID, KEY_SECRET, None), (None, None, None)], ids=["with a key", "without"])
def test_sdk_trades_an_oidc_token(parties, endpoint, key):
    answer = with_oidc(make_client(endpoint, key=key), make_token(parties), policy=POLICY)

    assert answer.assumed_role_user.arn == f"{DEVELOPER}/ci-1"
    assert answer.oidctoken_info.subject == "team-a/ci"
    assert answer.oidctoken_info.issuer == parties.url
    caller = make_client(endpoint, key=as_key(answer.credentials)).get_caller_identity().body
    assert caller.account_id == SANDBOX


def refused(call, *arguments, **parameters):
    with pytest.raises(ClientException) as raised:
        call(*arguments, **parameters)
    assert raised.value.request_id
    assert raised.value.message
    return raised.value.status_code, raised.value.code


@SIGNATURES
@pytest.mark.parametrize(
    ("key", "code"),
    [
        ((KEY_ID, "another-secret", None), (400, "SignatureDoesNotMatch")),
        (("LTAINobody", KEY_SECRET, None), (404, "InvalidAccessKeyId.NotFound")),
        ((KEY_ID, KEY_SECRET, "token"), (400, "InvalidSecurityToken.MismatchWithAccessKey")),
    ],
)
def test_sdk_sees_why_its_key_is_refused(endpoint, signature, key, code):
    assert refused(assume, make_client(endpoint, key=key, signature=signature)) == code


@SIGNATURES
@pytest.mark.parametrize(
    ("role", "parameters", "code"),
    [
        ("Nobody", {}, (404, "EntityNotExist.Role")),
        ("PlatformAdmin", {}, (403, "NoPermission")),
        ("BreakGlass", {"external_id": "another"}, (403, "NoPermission")),
        ("Automation", {"duration_seconds": 60}, (400, "InvalidParameter.DurationSeconds")),
        ("Automation", {"policy": "{}"}, (400, "InvalidParameter.PolicyGrammar")),
    ],
)
def test_sdk_sees_why_a_role_is_refused(endpoint, signature, role, parameters, code):
    assert refused(assume, make_client(endpoint, signature=signature), role, **parameters) == code


def test_sdk_sees_why_a_saml_response_is_refused(endpoint):
    client = make_client(endpoint)
    invalid, expired = "AuthenticationFail.SAMLAssertion.Invalid", "AuthenticationFail.SAMLAssertion.Expired"
    old = Response(now=now() - timedelta(hours=1), recipient=f"http://{endpoint}/saml-role/sso").encode()

    assert refused(with_saml, client, make_response(endpoint, key=make_key("thief")).encode()) == (401, invalid)
    assert refused(with_saml, client, old) == (401, expired)
    unknown = {"samlprovider_arn": SAML_PROVIDER.replace("corp", "nobody")}
    assert refused(with_saml, client, make_response(endpoint).encode(), **unknown) == (
        404,
        "EntityNotExist.SAMLProvider",
    )


def test_sdk_sees_why_an_oidc_token_is_refused(parties, endpoint):
    client = make_client(endpoint)
    prefix = "AuthenticationFail.OIDCToken"

    assert refused(with_oidc, client, make_token(parties, exp=1)) == (401, f"{prefix}.Expired")
    assert refused(with_oidc, client, make_token(parties, aud="x")) == (401, f"{prefix}.AudienceNotMatch")
    assert refused(with_oidc, client, make_token(parties, iss="http://x")) == (401, f"{prefix}.IssuerNotMatch")
    stolen = Token(now=now(), changes={"iss": parties.url}, key=make_key("thief")).encode()
    assert refused(with_oidc, client, stolen) == (401, f"{prefix}.InvalidSignature")
    assert refused(with_oidc, client, make_token(parties, sub="x")) == (401, "AuthenticationFail.NoPermission")


# ── alibabacloud-credentials: it insists on https, unless the endpoint itself says http ──────────────────────


def test_credentials_library_assumes_a_role_with_an_access_key(endpoint):
    credential = CredentialsClient(
        CredentialsConfig(
            type="ram_role_arn",
            access_key_id=KEY_ID,
            access_key_secret=KEY_SECRET,
            role_arn=role_arn("Automation"),
            role_session_name="credentials-lib",
            role_session_expiration=3600,
            sts_endpoint=f"http://{endpoint}",
        )
    )

    caller = make_client(endpoint, credential=credential).get_caller_identity().body

    assert caller.arn == f"acs:ram::{PRODUCTION}:assumed-role/Automation/credentials-lib"


def test_credentials_library_trades_the_oidc_token_in_a_file(parties, endpoint, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text(make_token(parties) + "\n")
    credential = CredentialsClient(
        CredentialsConfig(
            type="oidc_role_arn",
            role_arn=DEVELOPER,
            oidc_provider_arn=OIDC_PROVIDER,
            oidc_token_file_path=str(token_file),
            role_session_name="credentials-lib",
            role_session_expiration=3600,
            sts_endpoint=f"http://{endpoint}",
        )
    )

    caller = make_client(endpoint, credential=credential).get_caller_identity().body

    assert caller.arn == f"acs:ram::{SANDBOX}:assumed-role/Developer/credentials-lib"


def test_credentials_library_shows_the_refusal(endpoint, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text("a.b.c")
    credential = CredentialsClient(
        CredentialsConfig(
            type="oidc_role_arn",
            role_arn=DEVELOPER,
            oidc_provider_arn=OIDC_PROVIDER,
            oidc_token_file_path=str(token_file),
            role_session_name="credentials-lib",
            sts_endpoint=f"http://{endpoint}",
        )
    )

    with pytest.raises(Exception, match=r"AuthenticationFail\.OIDCToken\.Invalid"):
        credential.get_credential()


def test_credentials_library_carries_temporary_credentials(endpoint):
    access_key_id, access_key_secret, token = as_key(assume(make_client(endpoint)).credentials)
    credential = CredentialsClient(
        CredentialsConfig(
            type="sts", access_key_id=access_key_id, access_key_secret=access_key_secret, security_token=token
        )
    )

    caller = make_client(endpoint, credential=credential).get_caller_identity().body

    assert caller.arn == f"acs:ram::{PRODUCTION}:assumed-role/Automation/sdk@example.com"
