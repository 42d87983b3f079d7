"""The bridge as an STS that SDKs call: by http and https at one address, with pods and a SAML provider that it knows.

Each test is a pod of its own, since the limit on calls counts for one workload.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge import embedded_store
from bridge.attack.saml.messages import build_idp_metadata
from bridge.clock import SystemClock
from bridge.entitlements.choice import Choice
from bridge.exchange.credentials import TemporaryCredentials
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from bridge.settings import load_settings
from bridge.store_connection import connect_store
from bridge.sts_endpoint.issued import IssuedCredentials
from tests.attacks.sts.rig import ACCOUNT, Credentials, Rig, running_rig
from tests.factories import make_entitlement
from tests.installation import Installation
from tests.interop.private_ca import PrivateCA
from tests.unit.sandbox.cloud.parties import ENTITY_ID, PRODUCTION, ROLE, SESSION_NAME, Response, make_key

CALLS_PER_MINUTE = 12
SETTINGS = f"\nsts:\n  calls_per_minute_per_caller: {CALLS_PER_MINUTE}\n"
SAML_PROVIDER = f"acs:ram::{PRODUCTION}:saml-provider/corp"
SAML_ROLE = f"acs:ram::{PRODUCTION}:role/ReadOnly"
OIDC_PROVIDER = f"acs:ram::{ACCOUNT}:oidc-provider/pods"
POLICY = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:Get*","Resource":"*"}]}'
RULES = """rules:
  - name: pods
    provider: pods
    claims_like: {sub: "system:serviceaccount:shop:*"}
    grant:
      - {account: acme-sandbox, role: Developer}
      - {account: acme-sandbox, role: ReadOnly}
  - name: auditors
    provider: corp
    grant:
      - {account: acme-production, role: ReadOnly}
"""
SAML = f"""name: corp
title: Corp
protocol: saml
entity_id: {ENTITY_ID}
metadata: corp.xml
"""


@dataclass(frozen=True)
class STSEndpoint:
    """The running bridge, and what its callers have."""

    rig: Rig
    ca: PrivateCA
    folder: Path

    @property
    def host(self) -> str:
        """Host and port, as SDKs are told them."""
        return self.rig.url.removeprefix("http://")

    def role(self, name: str = "Developer") -> str:
        return self.rig.role(name)

    def token(self, pod: str, **changes: object) -> str:
        return self.rig.issuers["pods"].token(sub=f"system:serviceaccount:shop:{pod}", **changes)

    def token_file(self, pod: str, **changes: object) -> str:
        """Return the path of a file that ends in a newline, as an editor leaves it."""
        path = self.folder / f"token-of-{pod}"
        path.write_text(self.token(pod, **changes) + "\n")
        return str(path)

    def issue(self, pod: str) -> Credentials:
        """Return credentials that the endpoint released to a pod for the role Developer."""
        answer = self.rig.assume(self.token(pod), "Developer", "pods")
        assert answer.status_code == 200, answer.text
        issued = answer.json()["Credentials"]
        return Credentials(issued["AccessKeyId"], issued["AccessKeySecret"], issued["SecurityToken"])

    def issue_ended(self, pod: str) -> Credentials:
        """Return credentials that the endpoint remembers, and that ended a minute ago."""
        living = self.issue(pod)
        settings = load_settings(self.rig.installation.config)
        redis = connect_store(embedded_store.start(self.rig.installation.store_folder))
        memory = IssuedCredentials(redis, Sealer(*KeyFolder(settings.key_folder).sealing_keys()), SystemClock())
        session = memory.find(living.id)
        assert session is not None
        ended = Credentials(f"STS.Ended{pod}", "a-secret-that-was-good", "a-token-that-was-good")
        memory.remember(
            Choice(session.identity, make_entitlement()),
            TemporaryCredentials(
                access_key_id=ended.id,
                access_key_secret=ended.secret,
                security_token=ended.token,
                expires_at=datetime.now(UTC) - timedelta(minutes=1),
                assumed_role_arn=f"{session.role}/{session.session_name}",
                assumed_role_id=f"{session.role_id}:{session.session_name}",
                role_session_name=session.session_name,
                request_id="",
                duration_seconds=900,
                decided_by="default",
            ),
        )
        return ended

    def saml_response(self, name: str = "alice", **changes: object) -> str:
        """Return a response for the endpoint, in which the provider lists the role."""
        given = {
            "now": datetime.now(UTC).replace(microsecond=0),
            "recipient": f"{self.rig.url}/",
            "audience": f"{self.rig.url}/saml/corp/sts",
            "attributes": {ROLE: [f"{SAML_ROLE},{SAML_PROVIDER}"], SESSION_NAME: [name]},
            **changes,
        }
        return Response(**given).encode()


@contextmanager
def run_endpoint(folder: Path) -> Iterator[STSEndpoint]:
    """Run the bridge, its issuers and the sandbox."""
    ca = PrivateCA.make(folder)
    with running_rig(folder, SETTINGS, RULES, ca.serve, change=_add_saml_provider) as rig:
        yield STSEndpoint(rig, ca, folder)


def call_often(call: Callable[[], object]) -> None:
    """Call more often than is allowed in a minute, even if another one begins meanwhile."""
    for _ in range(2 * CALLS_PER_MINUTE + 1):
        call()


def _add_saml_provider(installation: Installation) -> None:
    providers = installation.config / "providers"
    (providers / "corp.yaml").write_text(SAML)
    (providers / "corp.xml").write_bytes(build_idp_metadata(make_key().certificate, entity_id=ENTITY_ID))
