"""UserInfo (OIDC-20): only about the person of the ID token, only in one form, and never against the ID token."""

import pytest

from bridge.attack.oidc.cases_userinfo import ADA, USERINFO, answer
from bridge.attack.oidc.openid_provider import OpenIDProvider, make_key
from bridge.errors import (
    GroupsUnknown,
    IdentityError,
    OIDCMetadata,
    OIDCSignature,
)
from tests.attacks.oidc.test_flow import relying_party, sign_in


@pytest.fixture
def op():
    with OpenIDProvider() as running:
        yield running


def ask(op, wanted="always", **settings):
    return sign_in(op, relying_party(op, userinfo=wanted, **settings))


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


@pytest.mark.parametrize("case", USERINFO, ids=str)
def test_hostile_userinfo_is_refused_unlike_its_twin(op, case):
    op.replies["/userinfo"] = case.reply
    with pytest.raises(IdentityError) as refused:
        ask(op)
    assert type(refused.value) is case.error
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
