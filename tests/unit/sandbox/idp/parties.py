"""The provider under test, served on 127.0.0.1, and a relying party of both protocols, served on localhost."""

import threading
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus, urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from flask import Flask, request
from lxml import etree
from signxml import XMLSigner
from signxml.algorithms import CanonicalizationMethod
from werkzeug.serving import make_server

from bridge.clock import format_utc
from bridge.sandbox.browser import Browser, Page

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


class MovableClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self):
        return self.moment

    def advance(self, **delta) -> None:
        self.moment += timedelta(**delta)


@contextmanager
def serve(app, host) -> Iterator[int]:
    """The application answers on a free port, in a thread, until the end."""
    server = make_server(host, 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class SigningKey:
    """A throw-away key with a self-signed certificate."""

    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    @property
    def certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sp.example")])
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )

    @property
    def certificate_body(self) -> str:
        return b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()


@dataclass
class RelyingParty:
    """A service provider and OIDC client that takes down what it is sent."""

    url: str
    key: SigningKey
    received: list[dict[str, str]] = field(default_factory=list)
    encryption_key: SigningKey | None = None
    """The key to encrypt for, if its metadata has one."""

    @property
    def entity_id(self) -> str:
        return f"{self.url}/metadata"

    @property
    def acs_url(self) -> str:
        return f"{self.url}/acs"

    @property
    def second_acs_url(self) -> str:
        return f"{self.url}/acs-two"

    @property
    def redirect_uri(self) -> str:
        return f"{self.url}/callback"

    def build_metadata(self) -> bytes:
        return f"""<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
          xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{self.entity_id}">
          <md:SPSSODescriptor AuthnRequestsSigned="true" protocolSupportEnumeration="{SAMLP}">
            <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
              {self.key.certificate_body}
            </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>{self._describe_encryption()}
            <md:AssertionConsumerService index="1" Binding="{POST}" Location="{self.second_acs_url}"/>
            <md:AssertionConsumerService index="0" isDefault="true" Binding="{POST}" Location="{self.acs_url}"/>
          </md:SPSSODescriptor></md:EntityDescriptor>""".encode()

    def _describe_encryption(self) -> str:
        if self.encryption_key is None:
            return ""
        return f"""<md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
            {self.encryption_key.certificate_body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"""

    def build_request(self, destination: str, now: datetime, inside: str = "", **changes: str | None) -> bytes:
        """Return an acceptable AuthnRequest, apart from ``changes`` to its attributes (None: absent)."""
        attributes = {
            "ID": "_question-1",
            "Version": "2.0",
            "IssueInstant": format_utc(now),
            "Destination": destination,
            "ProtocolBinding": POST,
            "AssertionConsumerServiceURL": self.acs_url,
        } | changes
        text = " ".join(f'{name}="{value}"' for name, value in attributes.items() if value is not None)
        return (
            f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" {text}>'
            f"<saml:Issuer>{self.entity_id}</saml:Issuer>{inside}</samlp:AuthnRequest>"
        ).encode()

    def build_redirect(
        self, document: bytes, relay_state: str | None = "state-1", key: SigningKey | None = None
    ) -> str:
        """Return the query string of the Redirect binding, signed."""
        compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        deflated = compressor.compress(document) + compressor.flush()
        fields = {"SAMLRequest": b64encode(deflated), "RelayState": relay_state, "SigAlg": RSA_SHA256}
        query = urlencode(fields)
        signature = (key or self.key).key.sign(query.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{query}&Signature={quote_plus(b64encode(signature))}"

    def sign_document(self, document: bytes, key: SigningKey | None = None):
        """Return the root of the document with an enveloped signature, made by signxml."""
        signing = key or self.key
        exclusive = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
        signer = XMLSigner(signature_algorithm="rsa-sha256", digest_algorithm="sha256", c14n_algorithm=exclusive)
        root = etree.fromstring(document)
        certificate = signing.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return signer.sign(root, key=signing.key, cert=certificate, reference_uri="#" + root.get("ID"))


def build_relying_party_app(received: list[dict[str, str]]) -> Flask:
    app = Flask("relying_party")

    def receive():
        headers = {"Origin": request.headers.get("Origin", ""), "Sec-Fetch-Site": request.headers["Sec-Fetch-Site"]}
        received.append({**request.args.to_dict(), **request.form.to_dict(), **headers, "path": request.path})
        return "<title>Arrived</title>"

    for path in ("/acs", "/acs-two", "/callback", "/initiate", "/start"):
        app.add_url_rule(path, path, receive, methods=["GET", "POST"])
    return app


def sign_in(browser: Browser, person: str, method: str = "password") -> Page:
    """Sign in on the sign-in page where the browser is."""
    return browser.submit("Sign in", user_name=person, method=method)


def read_response(page: Page):
    """Return the root of the SAML response that the page would post."""
    return etree.fromstring(b64decode(page.forms[0].fields["SAMLResponse"]))
