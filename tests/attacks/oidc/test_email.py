"""E-mail as identity (OIDC-14): an address that nobody verified is no claim, where IT says so."""

import pytest

from bridge.attack.oidc.tokens import ABSENT, ISSUER, expected, forge
from bridge.identity.oidc.id_token import verify_id_token

UNVERIFIED = {
    "missing": ABSENT,
    "false": False,
    "null": None,
    "text true": "true",
    "text 1": "1",
    "number 1": 1,
    "array": [True],
    "object": {"email": True},
}


def claims(token, **settings):
    return verify_id_token(token, expected(**settings)).claims


@pytest.mark.parametrize("value", UNVERIFIED.values(), ids=[f"T-OIDC-14[{name}]" for name in UNVERIFIED])
def test_an_unverified_address_is_left_out_under_every_name(value):
    token = forge({"email_verified": value})
    assert "email" not in claims(token, email_verified_required=True)
    assert "mail" not in claims(token, email_verified_required=True, claims={"mail": "email"})
    twin = forge({"email_verified": True})
    assert claims(twin, email_verified_required=True)["email"] == "ada@corp.example"
    assert claims(twin, email_verified_required=True, claims={"mail": "email"})["mail"] == "ada@corp.example"


def test_a_provider_may_have_another_name_for_it():
    settings = {"email_verified_required": True, "claims": {"email_verified": "xms_edov"}}
    assert claims(forge({"xms_edov": True}), **settings)["email"] == "ada@corp.example"
    assert "email" not in claims(forge({"email_verified": True}), **settings)


def test_without_the_setting_the_provider_is_trusted():
    assert claims(forge({"email_verified": False}))["email"] == "ada@corp.example"


def test_t_oidc_14_an_address_never_decides_who_somebody_is():
    mine = verify_id_token(forge({"email": "ada@corp.example", "sub": "mallory"}), expected())
    assert (mine.issuer, mine.subject) == (ISSUER, "mallory")
