"""A real oidc-provider (Node) on a loopback port, for as long as a ``with`` block lasts."""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from tests.interop.npm import ROOT, install
from tests.interop.parties import OIDCClient, Person
from tests.interop.processes import Server
from tests.ports import reserve_ports

HERE = Path(__file__).parent
INSTALLATION = ROOT / "node"


class NodeProvider:
    """OpenID provider of one enterprise: the strictest that the suite meets.

    The address is known before the start, so that the bridge can be configured first.
    """

    def __init__(
        self,
        folder: Path,
        *,
        oidc_client: OIDCClient,
        people: Iterable[Person],
        client_metadata: Mapping[str, Any] | None = None,
        claims_in_id_token: bool = True,
    ) -> None:
        """Take further metadata of the client, such as how it proves who it is, and where claims are to be found.

        ``claims_in_id_token=False`` is how oidc-provider comes: claims of scopes are in userinfo only.
        """
        [port] = reserve_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.issuer = self.url
        self._folder = folder
        self._server: Server | None = None
        self._configuration = {
            "port": port,
            "issuer": self.issuer,
            "client": asdict(oidc_client),
            "people": [{**asdict(person), "password": person.password} for person in people],
            "jwks": {"keys": [_make_signing_key()]},
            "clientMetadata": dict(client_metadata or {}),
            "claimsInIdToken": claims_in_id_token,
            "cookieKey": secrets.token_urlsafe(32),
        }

    def __enter__(self) -> Self:
        install(HERE, INSTALLATION, "server.mjs", "oidc-provider")
        self._folder.mkdir(parents=True, exist_ok=True)
        configuration = self._folder / "provider.json"
        configuration.write_text(json.dumps(self._configuration))
        self._server = Server(
            ["node", "server.mjs", str(configuration)],
            folder=INSTALLATION,
            log=self._folder / "provider.log",
        )
        try:
            self._server.wait_until_it_answers(f"{self.issuer}/.well-known/openid-configuration")
        except BaseException:
            self._server.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.stop()


def _make_signing_key() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return RSAKey.import_key(key, {"kid": secrets.token_hex(4), "use": "sig", "alg": "RS256"}).as_dict(private=True)
