"""What userinfo may add to an ID token, and in which form it comes."""

import pytest

from bridge.attack.scripted_server import Reply, ScriptedServer
from bridge.errors import OIDCSize, OIDCUserInfo, ProviderUnavailable
from bridge.identity.oidc.userinfo import MAX_USERINFO_BYTES, fetch_userinfo, merge_claims, parse_userinfo
from bridge.outbound import Answer, Outbound

JSON = {"Content-Type": "application/json"}
ADA = b'{"sub":"ada"}'


def padded(size):
    return ADA + b" " * (size - len(ADA))


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


def fetch(server):
    return fetch_userinfo(f"{server.url}/userinfo", "token", "ada", Outbound(development=True))


def test_the_largest_answer_is_read_and_a_larger_one_is_not(server):
    assert MAX_USERINFO_BYTES == 100_000
    server.replies["/userinfo"] = Reply(200, padded(100_000), JSON)
    assert fetch(server) == {"sub": "ada"}
    server.replies["/userinfo"] = Reply(200, padded(100_001), JSON)
    with pytest.raises(OIDCSize):
        fetch(server)


def test_we_ask_for_json_and_show_the_token(server):
    server.replies["/userinfo"] = Reply(200, ADA, JSON)
    fetch(server)
    headers = server.requests[-1].headers
    assert (headers["Accept"], headers["Authorization"]) == ("application/json", "Bearer token")


@pytest.mark.parametrize("kind", ["application/json", "application/json ; charset=utf-8", " Application/JSON;q=1"])
def test_ways_to_write_the_media_type(kind):
    assert parse_userinfo(Answer(200, {"Content-Type": kind}, ADA), "ada") == {"sub": "ada"}


def test_a_signed_answer_is_refused_with_advice():
    with pytest.raises(OIDCUserInfo) as refused:
        parse_userinfo(Answer(200, {"Content-Type": "application/jwt"}, ADA), "ada")
    assert "let the provider send JSON" in refused.value.detail


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((status, OIDCUserInfo) for status in (199, 201, 400, 428, 430, 499)),
        *((status, ProviderUnavailable) for status in (429, 500, 503)),
    ],
)
def test_only_what_may_be_better_later_is_worth_another_try(status, error):
    with pytest.raises(error):
        parse_userinfo(Answer(status, JSON, ADA), "ada")


@pytest.mark.parametrize(
    "name", ["acr", "amr", "aud", "auth_time", "azp", "exp", "iat", "iss", "jti", "nbf", "sid", "tid"]
)
def test_t_oidc_20_what_is_about_the_sign_in_is_never_taken_from_userinfo(name):
    assert merge_claims({"sub": "ada"}, {"sub": "ada", name: "x"}, "email_verified") == {"sub": "ada"}


def test_every_claim_of_the_token_stays_beside_an_address_from_userinfo():
    token = {"sub": "ada", "groups": ["staff"], "verified": True}
    assert merge_claims(token, {"email": "a@x.example"}, "verified") == {
        "sub": "ada",
        "groups": ["staff"],
        "email": "a@x.example",
    }


def test_without_an_address_anywhere_nothing_of_the_token_is_dropped():
    assert merge_claims({"verified": True}, {"locale": "de"}, "verified") == {"verified": True, "locale": "de"}
