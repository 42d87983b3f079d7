"""Hostile flows: a provider, or somebody in its name, misbehaves at a real HTTP server (OIDC-11, 16 to 19, 21, 22).

Each case changes one thing in a flow that works; ``test_an_honest_flow_is_accepted`` is the twin of them all.
"""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from bridge.attack.oidc.cases_flow import (
    CALLBACKS,
    DOCUMENTS,
    KEY_SETS,
    METADATA,
    RSA,
    TOKEN_MEMBERS,
    TOKEN_RESPONSES,
    answer,
    changed,
)
from bridge.attack.oidc.openid_provider import DISCOVERY, OpenIDProvider, make_key
from bridge.attack.scripted_server import Reply, ScriptedServer
from bridge.clock import SystemClock
from bridge.errors import (
    IdentityError,
    OIDCAlgorithm,
    OIDCAudience,
    OIDCCode,
    OIDCKeyId,
    OIDCKeySet,
    OIDCMetadata,
    OIDCMixUp,
    OIDCNonce,
    OIDCProviderError,
    OIDCSignature,
    OIDCTokenResponse,
    ProviderUnavailable,
)
from bridge.identity.oidc.discovery import parse_metadata
from bridge.identity.oidc.key_set import parse_key_set
from bridge.identity.oidc.login import new_verifier
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.pending import PendingSignIn
from bridge.identity.providers import OIDCProvider
from bridge.outbound import Outbound

PUBLIC_URL = "https://bridge.example"
OUTBOUND = Outbound(development=True)


@pytest.fixture
def op():
    with OpenIDProvider() as running:
        yield running


def relying_party(op, clock=None, **settings):
    provider = OIDCProvider(
        **{
            "name": "corp",
            "title": "Corp",
            "protocol": "oidc",
            "issuer": op.issuer,
            "client_id": op.client_id,
            "client_secret": op.client_secret,
            **settings,
        }
    )
    return RelyingParty(provider, PUBLIC_URL, OUTBOUND, clock or SystemClock())


def question(**changes):
    pending = PendingSignIn(
        handle="state-" + "s" * 37,
        provider="corp",
        protocol="oidc",
        browser="b" * 64,
        expires_at=datetime.now(UTC) + timedelta(minutes=10),
        nonce="nonce-" + "n" * 37,
        code_verifier=new_verifier(),
    )
    return replace(pending, **changes)


def begin(party, pending, **options):
    return party.begin(pending.handle, pending.nonce, pending.code_verifier, **options)


def sign_in(op, party=None, change_query=list):
    """Run a whole flow, the callback's parameters changed on the way."""
    party = party or relying_party(op)
    pending = question()
    return party.finish(change_query(op.authorize(begin(party, pending))), pending)


def test_an_honest_flow_is_accepted(op):
    identity = sign_in(op)
    assert (identity.provider, identity.issuer, identity.subject) == ("corp", op.issuer, "ada")
    assert op.paths() == [DISCOVERY, "/token", "/jwks"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("secret", ["plain", "a+b c%2B:=&/", "\u5bc6\u7801"])
def test_the_client_secret_arrives_whatever_its_characters(method, secret):
    with OpenIDProvider(client_secret=secret) as op:
        identity = sign_in(op, relying_party(op, client_authentication=method))
        assert identity.subject == "ada"
        token_request = op.requests[1]
        assert ("Authorization" in token_request.headers) == (method == "client_secret_basic")
        assert ("client_secret" in token_request.form) == (method == "client_secret_post")
        assert token_request.query == []


# ── OIDC-11 Code injection, PKCE ─────────────────────────────────────────────────────────────────────────────────────


def test_the_verifier_is_long_fresh_and_sent_only_to_the_token_endpoint(op):
    party, pending = relying_party(op), question()
    url = begin(party, pending)
    assert len(pending.code_verifier) >= 43
    assert new_verifier() != new_verifier()
    assert pending.code_verifier not in url
    party.finish(op.authorize(url), pending)
    assert op.requests[1].form["code_verifier"] == pending.code_verifier


@pytest.mark.parametrize("methods", [["plain"], [], None])
def test_pkce_is_s256_whatever_the_metadata_says(op, methods):
    op.metadata["code_challenge_methods_supported"] = methods
    asked = parse_qs(urlsplit(begin(relying_party(op), question())).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43


def test_a_code_of_another_sign_in_is_refused_by_the_verifier(op):
    party = relying_party(op)
    stolen = dict(op.authorize(begin(party, question(handle="victim"), login_hint=None)))["code"]
    mine = question(handle="attacker")
    callback = [(name, stolen if name == "code" else value) for name, value in op.authorize(begin(party, mine))]
    with pytest.raises(OIDCCode):
        party.finish(callback, mine)


def test_a_token_of_another_sign_in_is_refused_by_the_nonce(op):
    op.claims["nonce"] = "nonce-of-the-victim"
    with pytest.raises(OIDCNonce):
        sign_in(op)


def test_a_code_is_redeemed_once(op):
    party, pending = relying_party(op), question()
    callback = op.authorize(begin(party, pending))
    party.finish(callback, pending)
    with pytest.raises(OIDCCode):
        party.finish(callback, pending)


def test_a_token_request_is_not_repeated_when_its_answer_is_lost(op):
    op.replies["/token"] = Reply(raw=b"")
    with pytest.raises(ProviderUnavailable):
        sign_in(op)
    assert op.paths().count("/token") == 1


# ── OIDC-17, OIDC-18 The callback ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", CALLBACKS, ids=str)
def test_hostile_callback_is_refused_before_the_code_is_redeemed(op, case):
    with pytest.raises(IdentityError) as refused:
        sign_in(op, change_query=case.change)
    assert type(refused.value) is case.error
    assert "/token" not in op.paths()
    assert "script" not in refused.value.detail


def test_harmless_further_parameters_are_ignored(op):
    assert sign_in(op, change_query=changed(session_state="x.y", scope="openid")).subject == "ada"


def test_an_error_description_is_never_repeated(op):
    change = changed(code=None, error="server_error", error_description="<b>call 555-0100</b>")
    with pytest.raises(OIDCProviderError) as refused:
        sign_in(op, change_query=change)
    assert refused.value.detail == "the provider answered server_error"


@pytest.mark.parametrize("promise", [None, False, "true", 1])
def test_an_issuer_that_is_not_promised_may_be_missing_but_not_wrong(op, promise):
    op.metadata["authorization_response_iss_parameter_supported"] = promise
    party = relying_party(op)
    assert sign_in(op, party, changed(iss=None)).subject == "ada"
    with pytest.raises(OIDCMixUp):
        sign_in(op, party, changed(iss="https://evil.example"))


def test_a_code_of_another_provider_does_not_reach_this_ones_token_endpoint(op):
    with OpenIDProvider() as other:
        party, pending = relying_party(op), question()
        begin(party, pending)
        elsewhere = other.authorize(begin(relying_party(other, name="other"), pending))
        with pytest.raises(OIDCMixUp):
            party.finish(elsewhere, pending)
        assert "/token" not in op.paths() + other.paths()


def test_each_provider_has_a_redirect_uri_of_its_own(op):
    first, second = relying_party(op), relying_party(op, name="other")
    assert first.redirect_uri == f"{PUBLIC_URL}/oidc/corp/callback"
    assert second.redirect_uri == f"{PUBLIC_URL}/oidc/other/callback"


# ── OIDC-19 Token response ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", TOKEN_RESPONSES, ids=str)
def test_hostile_token_response_is_refused(op, case):
    op.replies["/token"] = case.reply
    with pytest.raises(IdentityError) as refused:
        sign_in(op)
    assert type(refused.value) is case.error


@pytest.mark.parametrize("case", TOKEN_MEMBERS, ids=str)
def test_a_token_response_without_bearer_token_and_id_token_is_refused(op, case):
    op.token_response = case.changes
    with pytest.raises(case.error):
        sign_in(op)


def test_a_token_type_in_lower_case_is_accepted(op):
    op.token_response = {"token_type": "bearer", "scope": "openid"}
    assert sign_in(op).subject == "ada"


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, OIDCTokenResponse), (401, OIDCTokenResponse), (404, OIDCTokenResponse), (201, OIDCTokenResponse)]
    + [(status, ProviderUnavailable) for status in (302, 307, 429, 500, 502, 503)],
)
def test_a_token_response_counts_only_with_status_200(op, status, error):
    party, pending = relying_party(op), question()
    callback = op.authorize(begin(party, pending))
    op.replies["/token"] = replace(
        answer({"access_token": "a", "token_type": "Bearer", "id_token": "a.b.c"}, status),
        headers={"Location": f"{op.url}/elsewhere"},
    )
    with pytest.raises(error):
        party.finish(callback, pending)
    assert "/elsewhere" not in op.paths()


def test_a_wrong_client_secret_is_not_the_persons_fault(op):
    with pytest.raises(OIDCTokenResponse) as refused:
        sign_in(op, relying_party(op, client_secret="wrong"))
    assert refused.value.detail == "the provider answered invalid_client"


# ── OIDC-21 Discovery ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", METADATA, ids=str)
def test_hostile_metadata_is_refused_before_the_browser_is_sent_anywhere(op, case):
    op.metadata = case.changes
    with pytest.raises(case.error):
        begin(relying_party(op), question())


@pytest.mark.parametrize("issuer", ["/", "/other", "?x=1"], ids=["with a slash", "with a path", "with a query"])
def test_an_issuer_that_almost_is_the_configured_one_is_refused(op, issuer):
    op.issuer = op.url + issuer
    with pytest.raises(OIDCMetadata):
        begin(relying_party(op, issuer=op.url), question())


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_endpoint_without_tls_is_refused_in_production(endpoint):
    issuer = "https://idp.example"
    members = {name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    production = Outbound(development=False)
    assert parse_metadata(json.dumps({"issuer": issuer, **members}).encode(), issuer, production).issuer == issuer
    members[endpoint] = members[endpoint].replace("https", "http")
    with pytest.raises(OIDCMetadata):
        parse_metadata(json.dumps({"issuer": issuer, **members}).encode(), issuer, production)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404),
        Reply(500),
        Reply(302, headers={"Location": "http://127.0.0.1:9/"}),
        Reply(raw=b""),
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    ],
    ids=["404", "500", "redirect", "nothing", "cut short"],
)
@pytest.mark.parametrize("path", [DISCOVERY, "/jwks"])
def test_a_provider_that_cannot_be_asked_is_unavailable(op, path, reply):
    op.replies[path] = reply
    with pytest.raises(ProviderUnavailable):
        sign_in(op)


@pytest.mark.parametrize("case", DOCUMENTS, ids=str)
def test_a_document_that_cannot_be_read_is_refused(op, case):
    op.replies[case.path] = case.reply
    started = time.thread_time()
    with pytest.raises(case.error):
        sign_in(op)
    assert time.thread_time() - started < 1


@pytest.mark.parametrize(
    ("supported", "key", "error"),
    [
        (["none"], None, OIDCAlgorithm),
        ([], None, OIDCAlgorithm),
        (["HS256"], None, OIDCAlgorithm),
        (["ES256"], None, OIDCAlgorithm),
        (["RS256", "RS512"], make_key("rs512", alg="RS512"), OIDCAlgorithm),
    ],
    ids=["none alone", "nothing", "HS256", "another", "more than is configured"],
)
def test_metadata_narrows_the_algorithms_and_never_widens_them(op, supported, key, error):
    op.metadata["id_token_signing_alg_values_supported"] = supported
    if key:
        op.keys = [key]
    op.sign = _sign_with_any_algorithm(op)
    with pytest.raises(error):
        sign_in(op)


def _sign_with_any_algorithm(op):
    key = op.keys[-1]
    return lambda claims: jws.serialize_compact(
        {"alg": key.alg, "kid": key.kid}, json.dumps(claims), key, ["RS256", "RS512"]
    )


def test_metadata_that_names_no_algorithms_leaves_those_of_the_settings(op):
    op.metadata["id_token_signing_alg_values_supported"] = None
    assert sign_in(op).subject == "ada"


# ── OIDC-21 Key set ──────────────────────────────────────────────────────────────────────────────────────────────────


def _publish(op, *entries):
    """Publish these keys beside the provider's own."""
    ours = [key.as_dict(private=False) for key in op.keys]
    op.replies["/jwks"] = answer({"keys": [*entries, *ours]})


SKIPPED = {
    "unknown kind": {"kty": "XYZ", "kid": "x"},
    "no kind": {"kid": "x"},
    "kind a list": {"kty": ["RSA"], "kid": "x"},
    "unknown curve": {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "kid": "x"},
    "curve a list": {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA", "kid": "x"},
    "secp256k1": {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "x"},
    "Edwards curve": {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "x"},
    "symmetric": {"kty": "oct", "k": "c2VjcmV0", "kid": "x"},
    "no modulus": {"kty": "RSA", "e": "AQAB", "kid": "x"},
    "modulus no string": {**RSA, "n": 7},
    "modulus no base64": {**RSA, "n": "!!!"},
    "modulus not ASCII": {**RSA, "n": "\u00fc" * 400},
    "short modulus": RSA,
    "exponent 1": {**RSA, "n": "_" * 342, "e": "AQ"},
    "exponent 0": {**RSA, "n": "_" * 342, "e": "AA"},
    "exponent missing": {"kty": "RSA", "n": "_" * 342, "kid": "x"},
    "giant modulus": {**RSA, "n": "_" * 20_000},
    "point not on the curve": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ", "kid": "x"},
    "coordinate missing": {"kty": "EC", "crv": "P-256", "x": "AQ", "kid": "x"},
    "coordinate null": {"kty": "EC", "crv": "P-256", "x": "AQ", "y": None, "kid": "x"},
    "alg a list": {**make_key("x").as_dict(private=False), "alg": ["RS256"]},
    "use a list": {**make_key("x").as_dict(private=False), "use": ["sig"]},
    "key_ops a string": {**make_key("x").as_dict(private=False), "key_ops": "verify"},
}


@pytest.mark.parametrize("entry", SKIPPED.values(), ids=[f"T-OIDC-21[{name}]" for name in SKIPPED])
def test_a_key_that_cannot_be_used_is_skipped_and_the_others_work(op, entry):
    with pytest.raises(OIDCKeySet):
        parse_key_set(json.dumps({"keys": [entry]}).encode())
    _publish(op, entry)
    assert sign_in(op).subject == "ada"


def test_a_weak_rsa_key_is_as_good_as_none(op):
    with pytest.warns(match="Key size"):
        weak = RSAKey.generate_key(1024, {"kid": "weak", "alg": "RS256"})
    _publish(op, weak.as_dict(private=False))
    with pytest.warns(match="Key size"):
        op.signing_key = RSAKey.import_key(weak.as_pem(private=True), {"kid": "weak", "alg": "RS256"})
    with pytest.raises(OIDCKeyId):
        sign_in(op)


@pytest.mark.parametrize("case", KEY_SETS, ids=str)
def test_a_key_set_that_cannot_be_trusted_is_refused(op, case):
    op.replies["/jwks"] = case.reply
    with pytest.raises(IdentityError) as refused:
        sign_in(op)
    assert type(refused.value) is case.error


def test_50_keys_are_accepted(op):
    _publish(op, *[RSA] * 49)
    assert sign_in(op).subject == "ada"


def test_two_keys_under_one_kid_are_neither(op):
    _publish(op, make_key("first").as_dict(private=False))
    with pytest.raises(OIDCKeyId):
        sign_in(op)


def test_one_key_published_twice_is_one(op):
    _publish(op, op.keys[0].as_dict(private=False))
    assert sign_in(op).subject == "ada"


def test_a_key_for_encryption_under_the_same_kid_does_not_hide_the_one_for_signatures(op):
    _publish(op, {**make_key("first").as_dict(private=False), "use": "enc"})
    assert sign_in(op).subject == "ada"
    op.replies["/jwks"] = answer(
        {"keys": [op.keys[0].as_dict(private=False), {**make_key("first").as_dict(private=False), "use": "enc"}]}
    )
    assert sign_in(op, relying_party(op)).subject == "ada"


def test_a_kid_may_be_missing_with_one_key_for_signatures(op):
    op.header = {"kid": None}
    _publish(op, {**make_key("e").as_dict(private=False), "use": "enc"}, OctKey.generate_key().as_dict(private=True))
    assert sign_in(op).subject == "ada"


def test_a_kid_may_not_be_missing_with_two_keys(op):
    op.header = {"kid": None}
    _publish(op, make_key("second").as_dict(private=False))
    with pytest.raises(OIDCKeyId):
        sign_in(op)


def test_a_token_of_an_unpublished_key_is_refused(op):
    op.signing_key = make_key("first")
    with pytest.raises(OIDCSignature):
        sign_in(op)


def test_a_token_for_another_client_is_refused(op):
    op.claims["aud"] = "other"
    with pytest.raises(OIDCAudience):
        sign_in(op)


def test_no_address_in_a_token_is_fetched(op):
    with ScriptedServer() as canary:
        op.header = {"jku": f"{canary.url}/jwks"}
        op.signing_key = make_key("canary")
        with pytest.raises(IdentityError):
            sign_in(op)
        assert canary.requests == []


# ── OIDC-22 What a stranger may add to the question ──────────────────────────────────────────────────────────────────


def test_a_login_hint_is_passed_on_encoded(op):
    hint = 'ada@corp.example&redirect_uri=https://evil.example#"<\u4f60'
    asked = parse_qs(urlsplit(begin(relying_party(op), question(), login_hint=hint)).query)
    assert asked["login_hint"] == [hint]
    assert asked["redirect_uri"] == [f"{PUBLIC_URL}/oidc/corp/callback"]


@pytest.mark.parametrize("hint", ["", "a\r\nb", "a\x00", "\ud800", "h" * 256])
def test_a_login_hint_that_is_no_name_is_left_out(op, hint):
    assert "login_hint" not in begin(relying_party(op), question(), login_hint=hint)
