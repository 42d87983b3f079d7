"""The parties of a test: a throw-away identity provider and issuer, a movable clock, a cloud that trusts them.

Responses are signed with signxml, which is neither what the cloud verifies with nor what the bridge signs with.
"""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import signxml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import RSAKey
from lxml import etree

from bridge.clock import format_utc
from bridge.sandbox.cloud.state import CloudState

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
URL = "http://127.0.0.1:8082"
ACS = f"{URL}/saml-role/sso"
USER_ACS = f"{URL}/saml/SSO"
PRODUCTION, SANDBOX = "1000000000000001", "1000000000000002"
USER_AUDIENCE = f"{URL}/{PRODUCTION}/saml/SSO"
METADATA_URL = "https://idp.example.com/metadata"
ENTITY_ID = "https://idp.example.com/saml"
ISSUER = "http://localhost:9000"
ROLE = "https://www.aliyun.com/SAML-Role/Attributes/Role"
SESSION_NAME = "https://www.aliyun.com/SAML-Role/Attributes/RoleSessionName"
SESSION_DURATION = "https://www.aliyun.com/SAML-Role/Attributes/SessionDuration"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
KEY_ID, KEY_SECRET = "LTAITestBridge", "throw-away-secret"
ADMIN_KEY = ("LTAITestAdmin", KEY_SECRET, None)
PARTNER_KEY = ("LTAITestPartner", KEY_SECRET, None)


class MovableClock:
    """A clock that stands where a test puts it."""

    def __init__(self, moment: datetime = NOW) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def advance(self, **delta: float) -> None:
        self.moment += timedelta(**delta)


@dataclass(frozen=True)
class KeyPair:
    private: rsa.RSAPrivateKey
    certificate: x509.Certificate


@cache
def make_key(_name: str = "idp") -> KeyPair:
    """Return a throw-away key; the same one for the same name within a run."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throw-away")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=3650))
        .sign(private, hashes.SHA256())
    )
    return KeyPair(private, certificate)


def build_metadata(key: KeyPair | None = None, entity_id: str = ENTITY_ID) -> bytes:
    certificate = base64.b64encode((key or make_key()).certificate.public_bytes(Encoding.DER)).decode()
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}">'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f'<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data>'
        f"<ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    ).encode()


def role_value(role: str = "PlatformAdmin", account: str = PRODUCTION, provider: str = "corp") -> str:
    return f"acs:ram::{account}:role/{role},acs:ram::{account}:saml-provider/{provider}"


@dataclass
class Response:
    """A good response for role sign-in; a test changes the one thing that it is about."""

    now: datetime = NOW
    issuer: str = ENTITY_ID
    subject: str = "alice@example.com"
    recipient: str = ACS
    audience: str = "urn:alibaba:cloudcomputing"
    attributes: dict[str, list[str]] = field(
        default_factory=lambda: {ROLE: [role_value()], SESSION_NAME: ["alice@example.com"]}
    )
    session_ends_at: datetime | None = None
    key: KeyPair = field(default_factory=make_key)
    change: Callable[[Any, Any], None] = lambda _response, _assertion: None
    """Done before signing."""
    change_signed: Callable[[Any, Any], None] = lambda _response, _assertion: None
    """Done after signing."""
    sign: bool = True
    sign_response: bool = False
    algorithm: str = "rsa-sha256"

    def encode(self) -> str:
        response = etree.fromstring(self._write())
        assertion = response.find(f"{{{SAML}}}Assertion")
        self.change(response, assertion)
        if self.sign:
            signed = self._sign(assertion)
            response.replace(assertion, signed)
            assertion = signed
        if self.sign_response:
            response = self._sign(response)
            assertion = response.find(f"{{{SAML}}}Assertion")
        self.change_signed(response, assertion)
        return base64.b64encode(etree.tostring(response)).decode()

    def _sign(self, element: Any) -> Any:
        place = etree.Element(f"{{{DS}}}Signature", Id="placeholder", nsmap={"ds": DS})
        element.insert(1, place)
        signer = _AnyAlgorithm(
            signature_algorithm=self.algorithm,
            digest_algorithm="sha256",
            c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
        )
        signed = signer.sign(
            element,
            key=self.key.private,
            cert=[self.key.certificate],
            reference_uri=element.get("ID"),
        )
        signed.find(f"{{{DS}}}Signature").attrib.pop("Id", None)
        return signed

    def _write(self) -> str:
        now = format_utc(self.now)
        end = format_utc(self.now + timedelta(minutes=5))
        session = f' SessionNotOnOrAfter="{format_utc(self.session_ends_at)}"' if self.session_ends_at else ""
        attributes = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in self.attributes.items()
        )
        statement = f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>" if attributes else ""
        return (
            f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_{secrets.token_hex(16)}" Version="2.0" '
            f'IssueInstant="{now}" Destination="{self.recipient}"><saml:Issuer>{self.issuer}</saml:Issuer>'
            '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
            f'<saml:Assertion ID="_{secrets.token_hex(16)}" Version="2.0" IssueInstant="{now}">'
            f"<saml:Issuer>{self.issuer}</saml:Issuer><saml:Subject>"
            '<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">'
            f"{self.subject}</saml:NameID>"
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<saml:SubjectConfirmationData NotOnOrAfter="{end}" Recipient="{self.recipient}"/>'
            f'</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{now}" NotOnOrAfter="{end}">'
            f"<saml:AudienceRestriction><saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction>"
            f'</saml:Conditions><saml:AuthnStatement AuthnInstant="{now}"{session}><saml:AuthnContext>'
            "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
            f"</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>{statement}</saml:Assertion>"
            "</samlp:Response>"
        )


class _AnyAlgorithm(signxml.XMLSigner):
    """signxml, willing to make the signatures that must be refused."""

    def check_deprecated_methods(self) -> None:
        pass


def user_response(**changes: Any) -> Response:
    """Return a good response for sign-in as the RAM user alice."""
    subject = f"alice@{PRODUCTION}.onaliyun.com"
    given = {"recipient": USER_ACS, "audience": USER_AUDIENCE, "subject": subject, "attributes": {}, **changes}
    return Response(**given)


@dataclass
class Token:
    """A good OIDC token; a test changes the one thing that it is about."""

    now: datetime = NOW
    changes: dict[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "key-1"})
    key: KeyPair = field(default_factory=make_key)

    def encode(self) -> str:
        at = int(self.now.timestamp())
        claims = {"iss": ISSUER, "sub": "team-a/ci", "aud": "sts.aliyuncs.com", "iat": at, "exp": at + 600}
        claims |= self.changes
        payload = json.dumps({name: claims[name] for name in claims if name not in self.without})
        key = RSAKey.import_key(self.key.private)
        return jws.serialize_compact(self.header, payload, key, algorithms=[self.header["alg"]])


def build_discovery(issuer: str = ISSUER) -> bytes:
    return json.dumps({"issuer": issuer, "jwks_uri": f"{issuer}/jwks"}).encode()


def build_jwks(key: KeyPair | None = None, kid: str = "key-1") -> bytes:
    public = RSAKey.import_key((key or make_key()).private.public_key()).as_dict(private=False)
    return json.dumps({"keys": [{**public, "kid": kid, "use": "sig", "alg": "RS256"}]}).encode()


class Documents(dict[str, bytes]):
    """What the parties publish, by address; an address without a document cannot be reached."""

    def __init__(self) -> None:
        super().__init__(
            {
                METADATA_URL: build_metadata(),
                f"{ISSUER}/.well-known/openid-configuration": build_discovery(),
                f"{ISSUER}/jwks": build_jwks(),
            }
        )
        self.fetched: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if url not in self:
            raise ConnectionError(url)
        return self[url]


def _trust(principal: dict[str, str], condition: dict[str, dict[str, str]] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    return {"Version": "1", "Statement": [statement | ({"Condition": condition} if condition else {})]}


def build_state(url: str = URL, issuer: str = ISSUER, metadata_url: str = METADATA_URL) -> CloudState:
    """Return a cloud with one role for each kind of trust."""
    saml = _trust(
        {"Federated": f"acs:ram::{PRODUCTION}:saml-provider/corp"},
        {"StringEquals": {"saml:recipient": f"{url}/saml-role/sso"}},
    )
    oidc = _trust(
        {"Federated": f"acs:ram::{SANDBOX}:oidc-provider/corp"},
        {
            "StringEquals": {"oidc:iss": issuer, "oidc:aud": "sts.aliyuncs.com"},
            "StringLike": {"oidc:sub": "team-a/*"},
        },
    )
    bridge = _trust({"RAM": f"acs:ram::{PRODUCTION}:user/bridge"})
    chained = _trust({"RAM": f"acs:ram::{PRODUCTION}:role/Automation"})
    external = _trust({"RAM": f"acs:ram::{PRODUCTION}:root"}, {"StringEquals": {"sts:ExternalId": "agreed-id"}})
    foreign = {
        "Version": "1",
        "Statement": [
            *_trust({"Federated": f"acs:ram::{PRODUCTION}:saml-provider/corp"})["Statement"],
            *_trust({"Federated": f"acs:ram::{SANDBOX}:oidc-provider/corp"})["Statement"],
        ],
    }
    may_assume = {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "acs:ram::*:role/*"}],
    }
    key = {"id": KEY_ID, "secret": KEY_SECRET}
    return CloudState.model_validate(
        {
            "url": url,
            "accounts": [
                {
                    "id": PRODUCTION,
                    "alias": "acme-production",
                    "title": "Acme Production",
                    "user_sso": {"metadata_url": metadata_url, "auxiliary_domain": "acme.example"},
                    "saml_providers": [{"name": "corp", "metadata_url": metadata_url}],
                    "policies": [{"name": "may-assume", "versions": [{"id": "v1", "document": may_assume}]}],
                    "roles": [
                        {"name": "PlatformAdmin", "id": f"{31:018}", "max_session_duration": 7200, "trust": saml},
                        {"name": "ReadOnly", "id": f"{32:018}", "trust": saml},
                        {"name": "TerminalOnly", "id": f"{33:018}", "allow_console_login": False, "trust": saml},
                        {
                            "name": "Automation",
                            "id": f"{34:018}",
                            "max_session_duration": 43200,
                            "trust": bridge,
                            "policies": ["may-assume"],
                        },
                        {"name": "Chained", "id": f"{35:018}", "trust": chained},
                        {"name": "Foreign", "id": f"{37:018}", "trust": foreign},
                        {"name": "BreakGlass", "id": f"{36:018}", "trust": external},
                    ],
                    "users": [
                        {"name": "alice", "id": f"{21:018}", "display_name": "Alice", "console": True},
                        {"name": "bob", "id": f"{22:018}", "display_name": "Bob"},
                        {
                            "name": "bridge",
                            "id": f"{23:018}",
                            "display_name": "Bridge",
                            "access_keys": [key],
                            "policies": ["may-assume"],
                        },
                        {
                            "name": "admin",
                            "id": f"{26:018}",
                            "display_name": "Admin",
                            "access_keys": [{"id": ADMIN_KEY[0], "secret": KEY_SECRET}],
                            "policies": ["AdministratorAccess"],
                        },
                        {
                            "name": "idle",
                            "id": f"{24:018}",
                            "display_name": "Idle",
                            "access_keys": [{"id": "LTAITestIdle", "secret": KEY_SECRET}],
                        },
                        {
                            "name": "former",
                            "id": f"{25:018}",
                            "display_name": "Former",
                            "access_keys": [{"id": "LTAITestFormer", "secret": KEY_SECRET, "active": False}],
                        },
                    ],
                },
                {
                    "id": SANDBOX,
                    "alias": "acme-sandbox",
                    "title": "Acme Sandbox",
                    "oidc_providers": [
                        {"name": "corp", "issuer": issuer, "client_ids": ["sts.aliyuncs.com", "other"]},
                        {"name": "plain", "issuer": "http://issuer.example.com", "client_ids": ["x"]},
                    ],
                    "roles": [
                        {"name": "Developer", "id": f"{41:018}", "max_session_duration": 43200, "trust": oidc},
                        {"name": "Foreign", "id": f"{42:018}", "trust": foreign},
                    ],
                    "users": [
                        {
                            "name": "partner",
                            "id": f"{43:018}",
                            "display_name": "Partner",
                            "access_keys": [{"id": PARTNER_KEY[0], "secret": KEY_SECRET}],
                            "policies": ["AliyunSTSAssumeRoleAccess"],
                        }
                    ],
                },
            ],
        }
    )
