"""What we sign for Alibaba Cloud follows its rules, by the judgement of other libraries than ours."""

import base64
import dataclasses
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from lxml import etree
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML
from signxml import XMLVerifier
from signxml.exceptions import InvalidSignature

from bridge.exchange.assertion import Statement, issue_response, state_role
from bridge.exchange.metadata import build_discovery, build_jwks, build_saml_metadata
from bridge.exchange.token import issue_token
from bridge.keys import SIGNING_PURPOSES, KeyFolder
from tests.factories import NOW, make_account
from tests.ready_keys import put_keys

NAMESPACES = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion", "samlp": "urn:oasis:names:tc:SAML:2.0:protocol"}
ISSUER = "https://bridge.example.com/cloud/saml/metadata"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    put_keys(folder)
    return KeyFolder(folder)


@pytest.fixture(scope="module")
def statement():
    return state_role(
        make_account(),
        "ReadOnly",
        session_name="lin.wei",
        issuer=ISSUER,
        duration_seconds=3600,
        now=NOW,
        authenticated_at=NOW - timedelta(hours=3),
    )


@pytest.fixture(scope="module")
def response(keys, statement):
    return etree.fromstring(base64.b64decode(issue_response(statement, keys.signing("saml-issuer"), NOW).encoded))


def texts(response, path):
    return [node if isinstance(node, str) else node.text for node in response.xpath(path, namespaces=NAMESPACES)]


def test_the_assertion_is_signed_and_verifies_with_our_published_certificate(response, keys):
    certificate = keys.signing("saml-issuer").certificate
    verified = XMLVerifier().verify(response, x509_cert=certificate, expect_references=1).signed_xml
    assert verified.tag == f"{{{NAMESPACES['saml']}}}Assertion"


def test_the_response_follows_the_saml_schema(response):
    valid = OneLogin_Saml2_XML.validate_xml(etree.tostring(response), "saml-schema-protocol-2.0.xsd", debug=False)
    assert not isinstance(valid, str), valid


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("count(//saml:Assertion)", 1.0),
        ("count(//saml:Subject/saml:SubjectConfirmation)", 1.0),
        ("string(//saml:SubjectConfirmation/@Method)", "urn:oasis:names:tc:SAML:2.0:cm:bearer"),
        ("string(//saml:SubjectConfirmationData/@Recipient)", "https://signin.aliyun.com/saml-role/sso"),
        ("string(/samlp:Response/@Destination)", "https://signin.aliyun.com/saml-role/sso"),
        ("string(//saml:Audience)", "urn:alibaba:cloudcomputing"),
        ("string(/samlp:Response/saml:Issuer)", ISSUER),
        ("string(//saml:Assertion/saml:Issuer)", ISSUER),
        ("string(//samlp:StatusCode/@Value)", "urn:oasis:names:tc:SAML:2.0:status:Success"),
        ("string(//saml:Conditions/@NotBefore)", "2026-11-24T11:58:00Z"),
        ("string(//saml:Conditions/@NotOnOrAfter)", "2026-11-24T12:03:00Z"),
        ("string(//saml:AuthnStatement/@AuthnInstant)", "2026-11-24T09:00:00Z"),
        ("string(//saml:AuthnStatement/@SessionNotOnOrAfter)", "2026-11-24T13:01:00Z"),
    ],
)
def test_the_response_says_what_the_cloud_requires(response, path, expected):
    assert response.xpath(path, namespaces=NAMESPACES) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Role", ["acs:ram::1000000000000001:role/ReadOnly,acs:ram::1000000000000001:saml-provider/rambridge"]),
        ("RoleSessionName", ["lin.wei"]),
        ("SessionDuration", ["3600"]),
    ],
)
def test_the_role_attributes_name_exactly_the_chosen_role(response, name, expected):
    path = f"//saml:Attribute[@Name='https://www.aliyun.com/SAML-Role/Attributes/{name}']/saml:AttributeValue"
    assert texts(response, path) == expected


def test_t_out_03_no_other_key_of_ours_verifies_the_assertion(response, keys):
    for purpose in SIGNING_PURPOSES:
        certificate = keys.signing(purpose).certificate
        if purpose == "saml-issuer":
            assert XMLVerifier().verify(response, x509_cert=certificate, expect_references=1)
            continue
        with pytest.raises(InvalidSignature):
            XMLVerifier().verify(response, x509_cert=certificate, expect_references=1)


def test_t_out_04_nothing_is_said_of_the_method_and_the_sign_in_is_never_younger_than_it_was(keys, statement, response):
    """Whatever the provider said of the method: the weakest context that there is. How old the sign-in is stays."""
    contexts = texts(response, "//saml:AuthnContextClassRef")
    assert contexts == ["urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"]
    ahead = dataclasses.replace(statement, authenticated_at=NOW + timedelta(minutes=3))
    issued = issue_response(ahead, keys.signing("saml-issuer"), NOW)
    root = etree.fromstring(base64.b64decode(issued.encoded))
    assert root.xpath("string(//saml:AuthnStatement/@AuthnInstant)", namespaces=NAMESPACES) == "2026-11-24T12:00:00Z"


def test_identifiers_are_fresh(keys, statement):
    key = keys.signing("saml-issuer")
    assert len({issue_response(statement, key, NOW).assertion_id for _ in range(20)}) == 20


def test_t_out_02_markup_in_a_name_stays_text(keys):
    hostile = '"><saml:Attribute Name="x"/>&]]>\u202e'
    statement = Statement(
        issuer=ISSUER,
        recipient="https://signin.aliyun.com/saml/SSO",
        audience="a",
        subject=hostile,
        subject_format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        attributes={"n": hostile},
        authenticated_at=NOW,
        session_ends_at=NOW,
    )
    response = etree.fromstring(base64.b64decode(issue_response(statement, keys.signing("saml-issuer"), NOW).encoded))
    assert texts(response, "//saml:NameID") == [hostile]
    assert texts(response, "//saml:AttributeValue") == [hostile]
    assert len(response.xpath("//saml:Attribute", namespaces=NAMESPACES)) == 1


def test_a_signed_response_does_not_show_itself(keys, statement):
    issued = issue_response(statement, keys.signing("saml-issuer"), NOW)
    assert issued.encoded not in repr(issued)


def test_the_token_verifies_with_the_published_keys_and_lives_five_minutes(keys):
    token = issue_token(
        issuer="https://bridge.example.com",
        subject="s",
        audience="sts.aliyuncs.com",
        key=keys.signing("oidc-issuer"),
        now=NOW,
    )
    published = build_jwks(keys.published("oidc-issuer"))["keys"]
    decoded = jwt.decode(token, RSAKey.import_key(published[0]), algorithms=["RS256"])
    assert decoded.header == {"alg": "RS256", "kid": published[0]["kid"], "typ": "JWT"}
    assert decoded.claims["aud"] == "sts.aliyuncs.com"
    assert decoded.claims["exp"] - decoded.claims["iat"] == 300


@pytest.mark.parametrize("subject", ['","aud":"admin"', "a:b", "]]>\n<x/>", "\u202e\u4f60", "a\\u0022"])
def test_t_out_02_a_token_says_the_subject_as_it_is(keys, subject):
    token = issue_token(
        issuer="https://bridge.example.com", subject=subject, audience="a", key=keys.signing("oidc-issuer"), now=NOW
    )
    claims = decode(keys, token).claims
    assert (claims["sub"], claims["aud"]) == (subject, "a")


def test_t_out_05_a_token_lives_five_minutes_is_for_one_audience_and_has_an_identifier_of_its_own(keys):
    """It says nothing of strength either (T-OUT-04), and its key signs nothing else."""
    tokens = [
        decode(
            keys,
            issue_token(
                issuer="https://bridge.example.com", subject="s", audience="a", key=keys.signing("oidc-issuer"), now=NOW
            ),
        )
        for _ in range(20)
    ]
    assert len({token.claims["jti"] for token in tokens}) == 20
    for token in tokens:
        assert token.claims.keys() == {"iss", "sub", "aud", "iat", "exp", "jti"}
        assert token.claims["iat"] == NOW.timestamp()
        assert token.claims["exp"] - token.claims["iat"] <= 300
        assert token.header["typ"] == "JWT"
    for purpose in set(SIGNING_PURPOSES) - {"oidc-issuer"}:
        assert keys.signing(purpose).id != tokens[0].header["kid"]


def decode(keys, token):
    published = build_jwks(keys.published("oidc-issuer"))["keys"]
    return jwt.decode(token, RSAKey.import_key(published[0]), algorithms=["RS256"])


def test_t_out_03_published_documents_hold_current_and_next_and_nothing_private(keys):
    jwks = build_jwks(keys.published("oidc-issuer"))["keys"]
    assert len(jwks) == 2
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set().union(*jwks)
    document = build_saml_metadata(ISSUER, "https://bridge.example.com/sign-in", keys.published("saml-issuer"))
    assert document.count(b"<ds:X509Certificate>") == 2
    assert b"PRIVATE" not in document


def test_our_metadata_follows_the_schema(keys):
    document = build_saml_metadata(ISSUER, "https://bridge.example.com/sign-in", keys.published("saml-issuer"))
    assert not isinstance(OneLogin_Saml2_XML.validate_xml(document, "saml-schema-metadata-2.0.xsd", debug=False), str)


def test_the_discovery_document_names_the_issuer_exactly():
    document = build_discovery("https://bridge.example.com", "https://bridge.example.com/cloud/oidc/keys")
    assert document["issuer"] == "https://bridge.example.com"
    assert document["jwks_uri"] == "https://bridge.example.com/cloud/oidc/keys"
