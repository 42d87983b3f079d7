"""Which OIDC tokens the cloud accepts, and with which of the vendor's codes it refuses the others."""

import base64
import hmac
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.sandbox.cloud.documents import Documents as LoadedDocuments
from bridge.sandbox.cloud.oidc_token import verify_oidc_token
from bridge.sandbox.cloud.state import OIDCProvider
from bridge.sts_wire.reply import STSFault
from tests.unit.sandbox.cloud.parties import (
    ISSUER,
    NOW,
    Documents,
    MovableClock,
    Token,
    build_discovery,
    build_jwks,
    make_key,
)

PROVIDER = OIDCProvider(name="corp", issuer=ISSUER, client_ids=("sts.aliyuncs.com", "other"))
AT = int(NOW.timestamp())


def verify(token, *, documents=None, provider=PROVIDER, now=NOW):
    loaded = LoadedDocuments((documents or Documents()).fetch, MovableClock(now))
    return verify_oidc_token(token if isinstance(token, str) else token.encode(), provider, loaded, now)


def refused_kind(token, **given):
    with pytest.raises(STSFault) as refused:
        verify(token, **given)
    assert refused.value.status == 401
    return refused.value.code.removeprefix("AuthenticationFail.OIDCToken.")


def test_good_token_is_accepted_and_read():
    statement = verify(Token())

    assert (statement.issuer, statement.subject, statement.audiences) == (ISSUER, "team-a/ci", ("sts.aliyuncs.com",))
    assert statement.issued_at == NOW
    assert statement.expires_at == NOW + timedelta(minutes=10)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(Token().encode() + "\n", id="final newline"),
        pytest.param(Token(changes={"aud": ["x", "other"]}), id="one of several audiences"),
        pytest.param(Token(changes={"iat": AT - 12 * 3600}), id="issued twelve hours ago"),
        pytest.param(Token(changes={"iat": AT + 50}), id="issuer's clock ahead"),
        pytest.param(Token(changes={"nbf": AT}), id="nbf now"),
        pytest.param(Token(changes={"exp": AT + 0.5, "extra": {"a": [1]}}), id="fraction and extra claims"),
    ],
)
def test_variants_of_a_good_token_are_accepted(token):
    assert verify(token).subject == "team-a/ci"


def encode(header, claims):
    parts = (header if isinstance(header, str) else json.dumps(header), claims if isinstance(claims, str) else "{}")
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts) + ".AAAA"


def use_public_key_as_secret():
    """Sign by hand, since joserfc refuses to: HMAC with the published key as the secret."""
    pem = make_key().private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"key-1"}').rstrip(b"=").decode()
    signed = f"{header}.{GOOD.split('.')[1]}"
    signature = base64.urlsafe_b64encode(hmac.digest(pem, signed.encode(), "sha256")).rstrip(b"=").decode()
    return f"{signed}.{signature}"


GOOD = Token().encode()


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        pytest.param("", "Invalid", id="empty"),
        pytest.param("a.b", "Invalid", id="two parts"),
        pytest.param(f"{GOOD}.x", "Invalid", id="four parts"),
        pytest.param("a.b.c" * 4_001, "Invalid", id="too long"),
        pytest.param("!.!.!", "Invalid", id="not base64url"),
        pytest.param(f"{GOOD}=", "Invalid", id="padding"),
        pytest.param(GOOD.replace(".", "ä.", 1), "Invalid", id="not ASCII"),
        pytest.param(encode("[]", "{}"), "Invalid", id="header is no object"),
        pytest.param(encode('{"alg":"none","alg":"RS256"}', "{}"), "Invalid", id="member twice"),
        pytest.param(encode({"alg": "none"}, "{}"), "Invalid", id="alg none"),
        pytest.param(encode({"alg": "rs256"}, "{}"), "Invalid", id="alg in another case"),
        pytest.param(Token(header={"alg": "RS512", "kid": "key-1"}), "Invalid", id="RS512"),
        pytest.param(Token(header={"alg": "PS256", "kid": "key-1"}), "Invalid", id="PS256"),
        pytest.param(Token(header={"alg": "RS256", "kid": "key-2"}), "InvalidSignature", id="unknown kid"),
        pytest.param(Token(header={"alg": "RS256"}), "InvalidSignature", id="no kid"),
        pytest.param(Token(key=make_key("thief")), "InvalidSignature", id="key of one's own"),
        pytest.param(GOOD[:-8] + "AAAAAAAA"[: len(GOOD[-8:])], "InvalidSignature", id="changed signature"),
        pytest.param(Token(changes={"iss": f"{ISSUER}/"}), "IssuerNotMatch", id="issuer with a slash"),
        pytest.param(Token(changes={"iss": [ISSUER]}), "IssuerNotMatch", id="issuer in a list"),
        pytest.param(Token(changes={"aud": "sts.aliyuncs.co"}), "AudienceNotMatch", id="almost the audience"),
        pytest.param(Token(changes={"aud": []}), "AudienceNotMatch", id="no audience"),
        pytest.param(Token(changes={"aud": {"a": 1}}), "Invalid", id="audience is an object"),
        pytest.param(Token(changes={"sub": ""}), "Invalid", id="empty subject"),
        pytest.param(Token(changes={"sub": 7}), "Invalid", id="subject is a number"),
        pytest.param(Token(changes={"exp": AT}), "Expired", id="expires now"),
        pytest.param(Token(changes={"exp": "2099"}), "Invalid", id="exp is text"),
        pytest.param(Token(changes={"exp": True}), "Invalid", id="exp is a boolean"),
        pytest.param(Token(changes={"exp": 1e300}), "Invalid", id="exp is huge"),
        pytest.param(Token(changes={"iat": AT - 12 * 3600 - 1}), "Expired", id="issued too long ago"),
        pytest.param(Token(changes={"iat": AT + 120}), "Invalid", id="from the future"),
        pytest.param(Token(changes={"nbf": AT + 120}), "Invalid", id="nbf in the future"),
        pytest.param(Token(changes={"nbf": "now"}), "Invalid", id="nbf is text"),
        *[
            pytest.param(Token(without=(name,)), "Invalid", id=f"no {name}")
            for name in ("iss", "sub", "aud", "exp", "iat")
        ],
    ],
)
def test_token_with_one_fault_is_refused(token, kind):
    assert refused_kind(token) == kind


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512"])
def test_other_algorithm_is_named_as_the_cause_and_no_key_is_asked_for(algorithm):
    documents = Documents()

    with pytest.raises(STSFault, match="algorithm of OIDC token is unknown"):
        verify(encode({"alg": algorithm}, "{}"), documents=documents)

    assert documents.fetched == []


def test_public_key_is_not_taken_as_a_shared_secret():
    assert refused_kind(use_public_key_as_secret()) == "Invalid"


def test_key_id_that_is_no_string_is_refused():
    parts = GOOD.split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":["key-1"]}').rstrip(b"=").decode()

    assert refused_kind(".".join([header, *parts[1:]])) == "Invalid"


def test_unknown_critical_header_is_refused():
    parts = GOOD.split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"key-1","crit":["x"],"x":1}').rstrip(b"=").decode()

    assert refused_kind(".".join([header, *parts[1:]])) == "Invalid"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({f"{ISSUER}/.well-known/openid-configuration": None}, id="no discovery"),
        pytest.param({f"{ISSUER}/jwks": None}, id="no keys"),
        pytest.param({f"{ISSUER}/jwks": b"<html>"}, id="keys are no JSON"),
        pytest.param({f"{ISSUER}/jwks": b'{"keys": [{"kty": "RSA"}]}'}, id="broken key"),
        pytest.param({f"{ISSUER}/jwks": b"[]"}, id="keys are a list"),
        pytest.param(
            {f"{ISSUER}/.well-known/openid-configuration": build_discovery().replace(b"9000", b"9001", 1)},
            id="another issuer's discovery",
        ),
    ],
)
def test_broken_issuer_is_said_to_be_broken(changes):
    documents = Documents()
    for url, document in changes.items():
        del documents[url]
        if document is not None:
            documents[url] = document

    assert refused_kind(Token(), documents=documents) == "IssuerConfigurationBroken"


def test_plain_http_is_refused_for_an_issuer_that_is_not_on_this_machine():
    issuer = "http://issuer.example.com"
    provider = OIDCProvider(name="corp", issuer=issuer, client_ids=("sts.aliyuncs.com",))

    assert refused_kind(Token(changes={"iss": issuer}), provider=provider) == "HttpsUrlInvalid"


def test_new_key_of_the_issuer_is_fetched_when_a_token_names_it():
    clock, documents = MovableClock(), Documents()
    loaded = LoadedDocuments(documents.fetch, clock)
    verify_oidc_token(Token().encode(), PROVIDER, loaded, NOW)
    documents[f"{ISSUER}/jwks"] = build_jwks(make_key("next"), "key-2")
    token = Token(header={"alg": "RS256", "kid": "key-2"}, key=make_key("next")).encode()

    clock.advance(seconds=6)

    assert verify_oidc_token(token, PROVIDER, loaded, NOW).subject == "team-a/ci"


def test_unknown_key_ids_do_not_make_the_cloud_fetch_without_end():
    documents = Documents()
    loaded = LoadedDocuments(documents.fetch, MovableClock())

    for number in range(20):
        token = Token(header={"alg": "RS256", "kid": f"unknown-{number}"}).encode()
        with pytest.raises(STSFault):
            verify_oidc_token(token, PROVIDER, loaded, NOW)

    assert len(documents.fetched) == 2


def test_key_for_encryption_verifies_nothing():
    documents = Documents()
    documents[f"{ISSUER}/jwks"] = build_jwks().replace(b'"sig"', b'"enc"')

    assert refused_kind(Token(), documents=documents) == "InvalidSignature"
