"""How we prove to a provider that we are its client: a secret, an assertion that we sign, or one that we are given.

A secret can be copied and has to be renewed by hand. With ``private_key_jwt`` the provider fetches our public keys, and
what is sent is worth nothing a minute later. With ``federated`` somebody else vouches for us, such as the cluster that
we run in, whose token stands in a file and is replaced there all the time: it is read at each use. OpenID Connect
Core 9; RFC 7521, RFC 7523.
"""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote_plus

from joserfc import jwt
from joserfc.jwk import RSAKey

from bridge.errors import OIDCClientAssertion
from bridge.identity.oidc.discovery import ProviderMetadata
from bridge.identity.providers import OIDCProvider
from bridge.keys import SigningKey

ASSERTION_LIFETIME = timedelta(seconds=60)
MAX_ASSERTION_CHARACTERS = 20_000

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class ClientProof:
    """What to add to a request of ours; it prints as nothing."""

    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def authenticate(
    provider: OIDCProvider, metadata: ProviderMetadata, key: SigningKey | None, now: datetime
) -> ClientProof:
    """Return what proves to the provider's token endpoint, or where it takes pushed requests, that we ask.

    Args:
        provider: its settings say how.
        metadata: where its token endpoint is.
        key: what to sign with; needed for ``private_key_jwt`` alone.
        now: the moment at which an assertion begins to be valid.

    Raises:
        OIDCClientAssertion: the file with the assertion cannot be read, or does not hold one.
    """
    method = provider.client_authentication
    if method == "private_key_jwt":
        return _present(provider, _sign_assertion(provider, metadata, key, now))
    if method == "federated":
        return _present(provider, _read_assertion(Path(provider.client_assertion_file or "")))
    secret = provider.client_secret.get_secret_value() if provider.client_secret else ""
    if method == "client_secret_basic":
        return ClientProof(headers={"Authorization": _basic(provider.client_id, secret)})
    return ClientProof(fields={"client_id": provider.client_id, "client_secret": secret})


def _present(provider: OIDCProvider, assertion: str) -> ClientProof:
    # RFC 7521 4.2 lets the client ID out; several providers find no client without it.
    return ClientProof(
        fields={
            "client_id": provider.client_id,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": assertion,
        }
    )


def _sign_assertion(provider: OIDCProvider, metadata: ProviderMetadata, key: SigningKey | None, now: datetime) -> str:
    if key is None:
        raise OIDCClientAssertion("there is no key to sign with")
    at_issuer = provider.client_assertion_audience == "issuer"
    issued_at = int(now.timestamp())
    claims = {
        "iss": provider.client_id,
        "sub": provider.client_id,
        "aud": metadata.issuer if at_issuer else metadata.token_endpoint,
        "iat": issued_at,
        "exp": issued_at + int(ASSERTION_LIFETIME.total_seconds()),
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode({"alg": "RS256", "kid": key.id, "typ": "JWT"}, claims, RSAKey.import_key(key.private_key))


def _read_assertion(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_ASSERTION_CHARACTERS + 1)
    except OSError as error:
        raise OIDCClientAssertion(f"{path}: cannot be read: {error.strerror}") from error
    assertion = content.decode("ascii", "replace").strip()
    if len(content) > MAX_ASSERTION_CHARACTERS or not _COMPACT.fullmatch(assertion):
        raise OIDCClientAssertion(f"{path}: does not hold a signed token of three parts")
    return assertion


def _basic(client_id: str, secret: str) -> str:
    # NOTE: RFC 6749 2.3.1 form-encodes both parts first; authlib and requests do not, and then a secret with "%",
    # "+" or a letter outside Latin-1 is another secret, or none, at the provider.
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
