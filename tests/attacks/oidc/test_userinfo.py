"""UserInfo (OIDC-20): only about the person of the ID token, only in one form, and never against the ID token."""

import json

import pytest

from bridge.attack.oidc.openid_provider import OpenIDProvider, make_key
from bridge.attack.scripted_server import Reply
from bridge.errors import (
    GroupsUnknown,
    IdentityError,
    OIDCMetadata,
    OIDCSignature,
    OIDCSize,
    OIDCUserInfo,
    ProviderUnavailable,
)
from tests.attacks.oidc.test_flow import relying_party, sign_in

ADA = {"sub": "ada", "groups": ["platform"]}


@pytest.fixture
def op():
    with OpenIDProvider() as running:
        yield running


def ask(op, wanted="always", **settings):
    return sign_in(op, relying_party(op, userinfo=wanted, **settings))


def answer(body, status=200, kind="application/json", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, content, {"Content-Type": kind, **headers})


@pytest.mark.parametrize("wanted", ["always", "when_offered"])
def test_claims_that_live_only_there_are_found(op, wanted):
    op.claims = {"groups": None, "email": None}
    op.userinfo = {"groups": ["platform"], "email": "ada@corp.example"}
    identity = ask(op, wanted)
    assert identity.claims["groups"] == ["platform"]
    assert identity.email == "ada@corp.example"
    assert op.requests[-1].headers["Authorization"].startswith("Bearer ")
    assert op.requests[-1].query == []


def test_nobody_asks_unless_that_is_set(op):
    assert "department" not in sign_in(op).claims
    op.metadata["userinfo_endpoint"] = None
    assert ask(op, "when_offered").subject == "ada"
    assert "/userinfo" not in op.paths()


def test_always_means_always(op):
    op.metadata["userinfo_endpoint"] = None
    with pytest.raises(OIDCMetadata):
        ask(op)


USERINFO = {
    "sub of another": (OIDCUserInfo, answer(ADA | {"sub": "bob"})),
    "sub missing": (OIDCUserInfo, answer({"groups": ["platform"]})),
    "sub null": (OIDCUserInfo, answer(ADA | {"sub": None})),
    "sub empty": (OIDCUserInfo, answer(ADA | {"sub": ""})),
    "sub an array": (OIDCUserInfo, answer(ADA | {"sub": ["ada"]})),
    "sub in another case": (OIDCUserInfo, answer(ADA | {"sub": "Ada"})),
    "sub with a blank": (OIDCUserInfo, answer(ADA | {"sub": "ada "})),
    "sub twice": (OIDCUserInfo, answer(b'{"sub":"bob","sub":"ada"}')),
    "array": (OIDCUserInfo, answer([ADA])),
    "null": (OIDCUserInfo, answer(b"null")),
    "empty": (OIDCUserInfo, answer(b"")),
    "not UTF-8": (OIDCUserInfo, answer(json.dumps(ADA).encode("utf-16"))),
    "HTML": (OIDCUserInfo, answer(b"<html>", kind="text/html")),
    "JSON as text": (OIDCUserInfo, answer(ADA, kind="text/plain")),
    "JSON without a type": (OIDCUserInfo, Reply(200, json.dumps(ADA).encode())),
    "unsigned JWT": (OIDCUserInfo, answer(b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.", kind="application/jwt")),
    "JSON said to be a JWT": (OIDCUserInfo, answer(ADA, kind="application/jwt; charset=utf-8")),
    "JWT said to be JSON": (OIDCUserInfo, answer(b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.")),
    "refused": (OIDCUserInfo, answer({"error": "invalid_token"}, 401)),
    "claims in an error": (OIDCUserInfo, answer(ADA, 403)),
    "created": (OIDCUserInfo, answer(ADA, 201)),
    "no content": (OIDCUserInfo, answer(b"", 204)),
    "redirect": (ProviderUnavailable, answer(b"", 302, Location="http://127.0.0.1:9/")),
    "too many requests": (ProviderUnavailable, answer(ADA, 429)),
    "server error": (ProviderUnavailable, answer(ADA, 500)),
    "cut short": (ProviderUnavailable, Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")),
    "larger than 100 kB": (OIDCSize, answer(ADA | {"x": "x" * 100_000})),
    "groups elsewhere": (GroupsUnknown, answer({"sub": "ada", "_claim_names": {"groups": "src1"}})),
    "groups too many": (GroupsUnknown, answer({"sub": "ada", "hasgroups": True})),
}


@pytest.mark.parametrize(("error", "reply"), USERINFO.values(), ids=[f"T-OIDC-20[{name}]" for name in USERINFO])
def test_hostile_userinfo_is_refused_unlike_its_twin(op, error, reply):
    op.replies["/userinfo"] = reply
    with pytest.raises(IdentityError) as refused:
        ask(op)
    assert type(refused.value) is error
    op.replies["/userinfo"] = answer(ADA, kind="Application/JSON; charset=utf-8")
    assert ask(op).subject == "ada"


def test_t_oidc_20_what_the_id_token_says_wins(op):
    op.userinfo = {"groups": ["root"], "email": "boss@corp.example", "email_verified": True, "locale": "de"}
    claims = ask(op).claims
    assert claims["groups"] == ["platform", "staff"]
    assert claims["email"] == "ada@corp.example"
    assert claims["locale"] == "de"
    assert "email_verified" not in claims


def test_t_oidc_20_how_somebody_authenticated_is_the_tokens_to_say(op):
    op.userinfo = {"acr": "urn:mfa", "amr": ["mfa"], "auth_time": 1, "sid": "s", "iss": "https://x", "aud": "y"}
    identity = ask(op)
    assert (identity.acr, identity.amr) == (None, ())
    assert not {"acr", "amr"} & identity.claims.keys()
    assert (identity.claims["iss"], identity.claims["aud"]) == (op.issuer, op.client_id)


@pytest.mark.parametrize(
    ("token", "userinfo", "address"),
    [
        ({"email": "ada@corp.example"}, {"email": "x@evil.example", "email_verified": True}, None),
        ({"email": "ada@corp.example"}, {"email_verified": True}, None),
        ({"email": None, "email_verified": True}, {"email": "boss@corp.example"}, None),
        ({"email": None, "email_verified": True}, {"email": "boss@corp.example", "email_verified": False}, None),
        ({"email": "a@x.example", "email_verified": False}, {"email": "a@x.example", "email_verified": True}, None),
        ({"email": "a@x.example"}, {"email": "a@x.example", "email_verified": True}, "a@x.example"),
        ({"email": None}, {"email": "a@x.example", "email_verified": True}, "a@x.example"),
        ({"email": "a@x.example", "email_verified": True}, {}, "a@x.example"),
    ],
)
def test_t_oidc_14_one_address_is_not_verified_by_another(op, token, userinfo, address):
    op.claims, op.userinfo = token, userinfo
    assert ask(op, email_verified_required=True).claims.get("email") == address


def test_groups_that_the_token_withholds_are_not_asked_for_here(op):
    op.claims = {"groups": None, "_claim_names": {"groups": "src1"}}
    op.userinfo = {"groups": ["staff"]}
    with pytest.raises(GroupsUnknown):
        ask(op)
    assert "/userinfo" not in op.paths()


def test_no_token_that_fails_a_check_causes_a_fetch(op):
    op.signing_key = make_key("first")
    with pytest.raises(OIDCSignature):
        ask(op)
    assert "/userinfo" not in op.paths()
