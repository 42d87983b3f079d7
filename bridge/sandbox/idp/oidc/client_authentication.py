"""Which client calls the token endpoint (RFC 6749 2.3.1)."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import unquote_plus

from bridge.sandbox.idp.oidc.token_errors import TokenRefused
from bridge.sandbox.idp.state import IdPState, OIDCClient


def verify_client(
    authorization: str | None, form: Mapping[str, str], state: IdPState, secrets: Mapping[str, str]
) -> OIDCClient:
    """Return the client that proved to know its secret, by ``client_secret_basic`` or ``client_secret_post``.

    ``secrets`` holds the secret of each client ID. Using both ways at once is refused.
    """
    if authorization is not None and "client_secret" in form:
        raise TokenRefused("invalid_request", "The client authenticated in two ways at once.")
    if authorization is not None:
        client_id, secret = _parse_basic(authorization)
        if form.get("client_id", client_id) != client_id:
            raise TokenRefused("invalid_request", "The client_id differs from the authenticated client.")
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    client = state.find_client(client_id)
    # Compared even for an unknown client, so that both refusals take the same time.
    expected = secrets[client_id] if client else ""
    if not hmac.compare_digest(secret.encode(), expected.encode()) or client is None or not expected:
        raise TokenRefused("invalid_client", "The client is unknown, or its secret is wrong.", 401)
    return client


def _parse_basic(authorization: str) -> tuple[str, str]:
    """Return ID and secret: each was form-encoded before both were joined (RFC 6749 2.3.1)."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        text = b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise TokenRefused("invalid_client", "The Authorization header is malformed.", 401) from error
    client_id, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise TokenRefused("invalid_client", "The Authorization header is malformed.", 401)
    return unquote_plus(client_id), unquote_plus(secret)
