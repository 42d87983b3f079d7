"""A client of the cloud under test: it speaks the wire format by hand, so that a test can speak it wrongly."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.clock import format_utc
from bridge.sandbox.cloud.app import create_cloud
from bridge.sandbox.cloud.state import CloudState
from bridge.sts_wire.signature import build_string_to_sign_v1, compute_signature
from tests.unit.sandbox.cloud.parties import (
    ADMIN_KEY,
    KEY_ID,
    KEY_SECRET,
    PRODUCTION,
    SANDBOX,
    Documents,
    MovableClock,
    Response,
    Token,
    build_state,
)


@dataclass
class Cloud:
    """A cloud, its clock, and what its parties publish."""

    clock: MovableClock = field(default_factory=MovableClock)
    documents: Documents = field(default_factory=Documents)

    state: CloudState = field(default_factory=build_state)
    saved: Path | None = None

    def __post_init__(self) -> None:
        self.app = create_cloud(self.state, self.clock, self.documents.fetch, self.saved)
        self.http = self.app.test_client()

    def call(self, action: str, **parameters: str) -> tuple[int, dict[str, Any]]:
        """Call an action anonymously with a form."""
        form = {"Action": action, "Version": "2015-04-01", "Format": "JSON", **parameters}
        return _read(self.http.post("/", data=form))

    def call_signed(
        self, action: str, *, key: tuple[str, str, str | None] = (KEY_ID, KEY_SECRET, None), **parameters: str
    ) -> tuple[int, dict[str, Any]]:
        """Call an action signed with the RPC signature; ``key`` is id, secret and token."""
        return _read(self.http.post("/", data=self.sign(action, key=key, **parameters)))

    def manage(
        self, action: str, *, key: tuple[str, str, str | None] = ADMIN_KEY, source_ip: str = "127.0.0.1", **given: str
    ) -> tuple[int, dict[str, Any]]:
        """Call an action of RAM (or of the ``Version`` given), signed by an administrator."""
        form = self.sign(action, key=key, **{"Version": "2015-05-01", **given})
        return _read(self.http.post("/", data=form, environ_base={"REMOTE_ADDR": source_ip}))

    def sign(
        self, action: str, *, key: tuple[str, str, str | None] = (KEY_ID, KEY_SECRET, None), **parameters: str
    ) -> dict[str, str]:
        access_key_id, secret, token = key
        form = {
            "Action": action,
            "Version": "2015-04-01",
            "Format": "JSON",
            "AccessKeyId": access_key_id,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": secrets.token_hex(16),
            "Timestamp": format_utc(self.clock.now()),
            **({"SecurityToken": token} if token else {}),
            **parameters,
        }
        return {**form, "Signature": compute_signature("v1", build_string_to_sign_v1("POST", form), secret)}

    def assume_role(self, role: str = "Automation", **parameters: str) -> tuple[int, dict[str, Any]]:
        given = {"RoleArn": role_arn(role), "RoleSessionName": "bridge-1", **parameters}
        return self.call_signed("AssumeRole", **given)

    def assume_with_saml(self, response: Response | str, **parameters: str) -> tuple[int, dict[str, Any]]:
        given = {
            "SAMLProviderArn": f"acs:ram::{PRODUCTION}:saml-provider/corp",
            "RoleArn": role_arn("PlatformAdmin"),
            "SAMLAssertion": response if isinstance(response, str) else response.encode(),
            **parameters,
        }
        return self.call("AssumeRoleWithSAML", **given)

    def assume_with_oidc(self, token: Token | str, **parameters: str) -> tuple[int, dict[str, Any]]:
        given = {
            "OIDCProviderArn": f"acs:ram::{SANDBOX}:oidc-provider/corp",
            "RoleArn": role_arn("Developer", SANDBOX),
            "RoleSessionName": "ci-1",
            "OIDCToken": token if isinstance(token, str) else token.encode(),
            **parameters,
        }
        return self.call("AssumeRoleWithOIDC", **given)


def role_arn(role: str, account: str = PRODUCTION) -> str:
    return f"acs:ram::{account}:role/{role}"


def read_key(answer: dict[str, Any]) -> tuple[str, str, str]:
    """Return the credentials of an answer as a key to sign with."""
    given = answer["Credentials"]
    return given["AccessKeyId"], given["AccessKeySecret"], given["SecurityToken"]


def _read(response: Any) -> tuple[int, dict[str, Any]]:
    return response.status_code, json.loads(response.data)
