"""The fingerprint of a TLS chain, by which RAM recognises the server of an OIDC issuer."""

import hashlib
import socket
import ssl
from urllib.parse import urlsplit

from bridge.errors import SetupFailed

TIMEOUT_SECONDS = 5.0
_HTTPS_PORT = 443


def fetch_fingerprint(url: str) -> str:
    """Return the SHA-1 (hex) of the last certificate that the server of an https address sends.

    The chain is looked at, not trusted: RAM verifies it itself, and this may run where its root is unknown.

    Raises:
        SetupFailed: no TLS connection in time.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _HTTPS_PORT
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            chain = _read_chain(secured)
    except (OSError, ValueError) as error:
        raise SetupFailed(f"the certificates of {host}:{port} cannot be read: {type(error).__name__}") from error
    return hashlib.sha1(chain[-1], usedforsecurity=False).hexdigest()  # RAM's own choice of digest


def _read_chain(secured: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates (DER) as they were sent, the server's own first."""
    if hasattr(secured, "get_unverified_chain"):  # Python 3.13
        return [bytes(each) for each in secured.get_unverified_chain()]
    # NOTE: before 3.13 the same is only in the object below, which the standard library tests but does not document.
    chain = secured._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # noqa: SLF001
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in chain]
