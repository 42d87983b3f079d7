"""Logout messages as an honest provider writes them, from throw-away keys; a test changes the one thing it is about.

:class:`Logout` writes the message; :meth:`Logout.query` signs it for the Redirect binding and :meth:`Logout.form` for
POST. Nothing here shares code with the verifier.
"""

import base64
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from bridge.attack.saml.messages import (
    EMAIL,
    IDP,
    NS,
    RSA_SHA256,
    SUCCESS,
    SignatureOptions,
    at,
    element,
    make_certificate,
    make_key,
    sign,
)

SLO = "https://bridge.example.com/saml/corp/slo"
_HASHES = {"sha1": hashes.SHA1, "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}


@dataclass
class Logout:
    """One message in the making. ``root`` is there to be changed before it is written."""

    kind: str = "LogoutRequest"
    issuer: str = IDP
    subject: str = "alice@example.com"
    indexes: Sequence[str] = ("_session1",)
    in_response_to: str = "_ours"
    slo: str = SLO
    id: str = "_logout1"
    key: Any = None
    key_name: str = "idp"
    root: Any = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.key or make_key(self.key_name)
        attributes = {"ID": self.id, "Version": "2.0", "IssueInstant": at(0), "Destination": self.slo}
        self.root = etree.Element(
            f"{{{NS['samlp']}}}{self.kind}", attributes, nsmap={"samlp": NS["samlp"], "saml": NS["saml"]}
        )
        self.root.append(element("saml:Issuer", self.issuer))
        if self.kind == "LogoutRequest":
            self.root.set("NotOnOrAfter", at(300))
            self.root.append(element("saml:NameID", self.subject, Format=EMAIL))
            for index in self.indexes:
                self.root.append(element("samlp:SessionIndex", index))
        else:
            self.root.set("InResponseTo", self.in_response_to)
            status = element("samlp:Status")
            status.append(element("samlp:StatusCode", Value=SUCCESS))
            self.root.append(status)

    @property
    def parameter(self) -> str:
        return "SAMLRequest" if self.kind == "LogoutRequest" else "SAMLResponse"

    def find(self, path: str) -> Any:
        return self.root.xpath(path, namespaces=NS)[0]

    def query(
        self,
        relay_state: str | None = None,
        *,
        algorithm: str = RSA_SHA256,
        xml: bytes | None = None,
        deflated: bytes | None = None,
        parameter: str | None = None,
        encode: Callable[[str], str] = lambda value: quote(value, safe=""),
    ) -> str:
        """Return the signed query string."""
        if deflated is None:
            deflated = deflate(etree.tostring(self.root) if xml is None else xml)
        values = {
            parameter or self.parameter: base64.b64encode(deflated).decode(),
            "RelayState": relay_state,
            "SigAlg": algorithm,
        }
        query = "&".join(f"{name}={encode(value)}" for name, value in values.items() if value is not None)
        return f"{query}&Signature={encode(base64.b64encode(sign_bytes(query.encode(), self.key, algorithm)).decode())}"

    def form(self, relay_state: str | None = None, **options: Any) -> dict[str, str]:
        """Return the form fields, with a signature within the message."""
        return self.unsigned_form(relay_state, self.signed_xml(**options))

    def signed_xml(self, **options: Any) -> bytes:
        root = etree.fromstring(etree.tostring(self.root))
        sign(root, SignatureOptions(key=self.key, certificate=make_certificate(self.key_name), **options))
        return etree.tostring(root)

    def unsigned_form(self, relay_state: str | None = None, xml: bytes | None = None) -> dict[str, str]:
        encoded = base64.b64encode(etree.tostring(self.root) if xml is None else xml).decode()
        return {self.parameter: encoded} | ({} if relay_state is None else {"RelayState": relay_state})


def deflate(content: bytes) -> bytes:
    compress = zlib.compressobj(9, wbits=-15)
    return compress.compress(content) + compress.flush()


def sign_bytes(content: bytes, key: Any, algorithm: str) -> bytes:
    digest = _HASHES.get(algorithm.rpartition("-")[2].rpartition("#")[2], hashes.SHA256)()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        half = (key.key_size + 7) // 8
        return b"".join(n.to_bytes(half, "big") for n in decode_dss_signature(key.sign(content, ec.ECDSA(digest))))
    return key.sign(content, padding.PKCS1v15(), digest)
