"""A running bridge with three workload issuers, their tokens, and a client that signs as it is told."""

import base64
import json
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from joserfc import jws
from joserfc.jwk import RSAKey

from bridge.attack.scripted_server import Reply, ScriptedServer
from bridge.clock import format_utc
from bridge.sts_wire.signature import build_string_to_sign_v1, compute_signature, sign_v3
from tests.installation import Installation, ServeBridge, run_installation

ACCOUNT = "1000000000000002"
AUDIENCE = "https://bridge.acme.example/sts"
VERSION = "2015-04-01"

RULES = """rules:
  - name: deploy-from-main
    provider: github
    claims:
      sub: repo:acme/app:ref:refs/heads/main
      repository_owner_id: "424242"
    grant:
      - {account: acme-sandbox, role: Developer, duration_seconds: 7200}
  - name: look-from-any-branch
    provider: github
    claims_like: {sub: "repo:acme/app:ref:refs/heads/*"}
    grant:
      - account: acme-sandbox
        role: ReadOnly
        session_policy: {Version: "1", Statement: [{Effect: Allow, Action: "oss:Get*", Resource: "*"}]}
  - name: analyse-by-workflow
    provider: github
    claims:
      sub: repo:acme/app:ref:refs/heads/main
      job_workflow_ref: acme/app/.github/workflows/analyse.yml@refs/heads/main
    grant:
      - {account: acme-sandbox, role: DataScientist}
  - name: protected-branches
    provider: gitlab
    claims: {sub: "project_path:acme/app:ref_type:branch:ref:main"}
    grant:
      - {account: acme-sandbox, role: DataScientist}
  - name: pods
    provider: pods
    claims: {sub: "system:serviceaccount:shop:deployer"}
    grant:
      - {account: acme-sandbox, role: Developer}
      - {account: acme-sandbox, role: ReadOnly}
  - name: people-only
    everyone: true
    grant:
      - {account: acme-production, role: FinanceAuditor}
"""
WORKLOADS = {
    "github": "preset: github-actions\nrequired_claims: {repository_owner: acme}\n",
    "gitlab": "preset: gitlab\n",
    "pods": "preset: kubernetes\nkeys_file: pods-keys.json\n",
}
CLAIMS = {
    "github": {
        "sub": "repo:acme/app:ref:refs/heads/main",
        "repository": "acme/app",
        "repository_owner": "acme",
        "repository_owner_id": "424242",
        "ref": "refs/heads/main",
    },
    "gitlab": {"sub": "project_path:acme/app:ref_type:branch:ref:main", "project_path": "acme/app", "ref": "main"},
    "pods": {
        "sub": "system:serviceaccount:shop:deployer",
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "deployer", "uid": "u"}},
    },
}


class Issuer:
    """A platform that signs tokens for its workloads; its discovery document has no endpoints, as GitHub's."""

    def __init__(self, name: str, server: ScriptedServer) -> None:
        self.name = name
        self.url = server.url
        self.key = RSAKey.generate_key(2048, {"kid": f"{name}-1", "use": "sig", "alg": "RS256"})
        self.jwks = json.dumps({"keys": [self.key.as_dict(private=False)]})
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        server.replies["/.well-known/openid-configuration"] = Reply(body=json.dumps(document).encode())
        server.replies["/keys"] = Reply(body=self.jwks.encode())

    def token(self, *, key: RSAKey | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return a token; ``changes`` replace claims, and None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "jti": secrets.token_hex(16),
            **CLAIMS[self.name],
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        protected = {"alg": "RS256", "kid": self.key.kid, **(header or {})}
        return jws.serialize_compact(protected, json.dumps(claims).encode(), key or self.key, algorithms=["RS256"])


def unsigned(token: str) -> str:
    """Return the token with ``alg: none`` and without its signature."""
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


@dataclass(frozen=True)
class Credentials:
    """What an SDK holds."""

    id: str
    secret: str
    token: str


@dataclass
class Rig:
    """The parties, and calls."""

    installation: Installation
    issuers: dict[str, Issuer]

    @property
    def url(self) -> str:
        return self.installation.bridge

    def role(self, name: str, account: str = ACCOUNT) -> str:
        return f"acs:ram::{account}:role/{name}"

    def oidc(self, token: str, role: str = "Developer", provider: str = "github", **changes: Any) -> dict[str, str]:
        """Return the parameters of AssumeRoleWithOIDC."""
        given = {
            "Action": "AssumeRoleWithOIDC",
            "Version": VERSION,
            "Format": "JSON",
            "Timestamp": format_utc(datetime.now(UTC)),
            "OIDCProviderArn": f"acs:ram::{ACCOUNT}:oidc-provider/{provider}",
            "RoleArn": self.role(role),
            "OIDCToken": token,
            "RoleSessionName": "ci",
            **changes,
        }
        return {name: value for name, value in given.items() if value is not None}

    def post(self, form: Any = None, query: Any = None, **more: Any) -> requests.Response:
        return requests.post(f"{self.url}/", params=query, data=form, timeout=60, **more)

    def assume(self, token: str, role: str = "Developer", provider: str = "github", **changes: Any) -> Any:
        return self.post(self.oidc(token, role, provider, **changes))

    def issue(self, role: str = "Developer", provider: str = "github", **changes: Any) -> Credentials:
        """Return credentials that the endpoint released."""
        answer = self.assume(self.issuers[provider].token(), role, provider, **changes)
        assert answer.status_code == 200, answer.text
        issued = answer.json()["Credentials"]
        return Credentials(issued["AccessKeyId"], issued["AccessKeySecret"], issued["SecurityToken"])

    def records(self, *names: str) -> list[dict[str, Any]]:
        return [each for each in self.installation.records() if not names or each["event"] in names]

    def sign_v1(self, credentials: Credentials, method: str = "POST", **parameters: Any) -> dict[str, str]:
        """Return signed parameters; None leaves one out."""
        given = {
            "Action": "GetCallerIdentity",
            "Version": VERSION,
            "Format": "JSON",
            "AccessKeyId": credentials.id,
            "SecurityToken": credentials.token,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": secrets.token_hex(16),
            "Timestamp": format_utc(datetime.now(UTC)),
            **parameters,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return given | {
            "Signature": compute_signature("v1", build_string_to_sign_v1(method, given), credentials.secret)
        }

    def sign_v3(
        self, credentials: Credentials, action: str = "GetCallerIdentity", query: Any = None, **changes: Any
    ) -> dict[str, str]:
        """Return signed headers."""
        given = {
            "method": "POST",
            "host": self.url.removeprefix("http://"),
            "action": action,
            "version": VERSION,
            "query": query or {},
            "body": b"",
            "content_type": None,
            "date": format_utc(datetime.now(UTC)),
            "nonce": secrets.token_hex(16),
            "access_key_id": credentials.id,
            "access_key_secret": credentials.secret,
            "security_token": credentials.token,
            **changes,
        }
        return sign_v3(**given)

    def ago(self, **delta: float) -> str:
        return format_utc(datetime.now(UTC) - timedelta(**delta))


@contextmanager
def running_rig(
    folder,
    settings: str = "",
    rules: str = RULES,
    serve_bridge: ServeBridge | None = None,
    change: Callable[[Installation], None] = lambda _: None,
):
    """Yield a rig; ``settings`` is added to bridge.yaml, ``change`` may do more; ``serve_bridge``: another server."""
    with ExitStack() as stack:
        issuers = {name: Issuer(name, stack.enter_context(ScriptedServer())) for name in WORKLOADS}

        def configure(installation: Installation) -> None:
            workloads = installation.config / "workloads"
            workloads.mkdir(exist_ok=True)
            for name, text in WORKLOADS.items():
                (workloads / f"{name}.yaml").write_text(
                    f"name: {name}\nissuer: {issuers[name].url}\naudiences: [{AUDIENCE}]\n{text}"
                )
            (workloads / "pods-keys.json").write_text(issuers["pods"].jwks)
            (installation.config / "rules" / "30-workloads.yaml").write_text(rules)
            bridge = installation.config / "bridge.yaml"
            bridge.write_text(bridge.read_text() + settings)
            change(installation)

        installation, _ = stack.enter_context(run_installation(folder, configure, serve_bridge))
        yield Rig(installation, issuers)


def code_of(answer: requests.Response) -> str:
    """Return the vendor's code of a refusal, whose shape is right."""
    body = answer.json()
    assert body["Message"]
    assert body["HostId"]
    assert body["RequestId"] == answer.headers["x-acs-request-id"]
    assert "Credentials" not in body
    return str(body["Code"])
