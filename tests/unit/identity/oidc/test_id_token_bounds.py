"""Where exactly each bound of a token lies: the last value that is accepted, beside the first that is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.attack.oidc.cases_logout_token import forge_logout
from bridge.attack.oidc.tokens import ABSENT, ACCESS_TOKEN, CLIENT, CODE, NOW, T, b64, expected, forge, keys, left_half
from bridge.errors import (
    IdentityError,
    OIDCAccessTokenHash,
    OIDCAuthorizedParty,
    OIDCAuthTime,
    OIDCClaim,
    OIDCExpiry,
    OIDCForm,
    OIDCHeader,
    OIDCIssuedAt,
    OIDCLogoutId,
    OIDCNotBefore,
    OIDCSize,
    OIDCSubject,
)
from bridge.identity.oidc.id_token import check_header, decode_token, read_seconds, verify_id_token
from bridge.identity.oidc.logout_token import verify_logout_token
from tests.attacks.oidc.test_logout_token import expect

YEAR_9999 = 253_402_300_799


def refusal(verify, *arguments):
    with pytest.raises(IdentityError) as refused:
        verify(*arguments)
    return type(refused.value)


def padded_to(characters):
    """Return a well-formed token of exactly this length."""
    header, signature = b64(b'{"alg":"RS256"}'), b64(b"x" * 256)
    missing = characters - len(header) - len(signature) - 2
    return f"{header}.{'A' * missing}.{signature}"


def test_the_longest_token_is_taken_apart():
    assert decode_token(padded_to(20_000)).unverified_header == {"alg": "RS256"}
    assert refusal(decode_token, padded_to(20_001)) is OIDCSize


def test_the_longest_header_is_read():
    def token(characters):
        raw = b'{"alg":"RS256","x":"%s"}'
        raw %= b"y" * (characters * 3 // 4 - len(raw) + 2)
        assert len(b64(raw)) == characters
        return f"{b64(raw)}.AAAA.AAAA"

    assert decode_token(token(4_000)).unverified_header["alg"] == "RS256"
    assert refusal(decode_token, token(4_002)) is OIDCSize
    assert refusal(decode_token, token(4_000).replace(".", "A.", 1)) is OIDCSize


@pytest.mark.parametrize("part", ["AA+A", "AA/A", "AA!A", "A", "AAAAA", "AB", "AAB", "AA==", "AA A", "AA\n"])
def test_base64url_is_read_in_one_way_only(part):
    assert refusal(decode_token, f"{b64(b'{}')}.{part}.AAAA") is OIDCForm
    assert refusal(decode_token, f"{b64(b'{}')}.AAAA.{part}") is OIDCForm


def test_base64url_is_read():
    assert decode_token(f"{b64(b'{}')}.--__.AA").payload == b"\xfb\xef\xff"
    assert decode_token(f"{b64(b'{}')}.AAAX.AAAX").signature == b"\0\0\x17"


def test_one_audience_in_a_list_needs_no_authorized_party():
    assert verify_id_token(forge({"aud": [CLIENT]}), expected()).subject == "ada"
    assert verify_id_token(forge({"aud": [CLIENT, "other"], "azp": CLIENT}), expected()).subject == "ada"
    assert refusal(verify_id_token, forge({"aud": [CLIENT, "other"]}), expected()) is OIDCAuthorizedParty


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
@pytest.mark.parametrize("end", ["A", "w", "X", "="])
def test_a_digest_is_compared_whole_whatever_its_end(algorithm, end):
    bits = algorithm[-3:]
    tokens = (f"token-{number}" for number in range(1_000))
    access_token = next((token for token in tokens if left_half(token, f"sha{bits}").endswith(end)), "token")
    question = replace(expected(algorithms=[algorithm]), access_token=access_token)
    half = left_half(access_token, f"sha{bits}")
    assert verify_id_token(forge({"at_hash": half}, algorithm=algorithm), question).subject == "ada"
    for other in (half[:-1], half + "=", half + "X", ""):
        assert refusal(verify_id_token, forge({"at_hash": other}, algorithm=algorithm), question) is OIDCAccessTokenHash


@pytest.mark.parametrize("name", ["crit", "b64", "zip", "cty", "enc", "jwk", "jku", "x5u", "x5c"])
def test_a_header_that_asks_for_anything_is_refused(name):
    assert refusal(check_header, {"alg": "RS256", name: "x"}) is OIDCHeader
    assert refusal(verify_id_token, forge(header={name: "x"}), expected()) is OIDCHeader


@pytest.mark.parametrize("name", ["x5t", "x5t#S256", "nonce", "kid", "alg", "typ"])
def test_a_header_that_only_says_something_is_not(name):
    check_header({name: "x"})


def test_what_proves_the_token_is_not_about_the_person():
    claims = {"s_hash": "x", "sub": "ada"}
    assert "s_hash" not in verify_id_token(forge(claims), expected()).claims


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_each_rsa_algorithm_verifies(algorithm):
    token = forge(algorithm=algorithm)
    assert verify_id_token(token, expected(algorithms=[algorithm])).subject == "ada"


@pytest.mark.parametrize(("algorithm", "key"), [("ES256", "ec"), ("ES384", "ec384")])
def test_each_elliptic_algorithm_verifies(algorithm, key):
    token = forge(algorithm=algorithm, key=getattr(keys(), key))
    assert verify_id_token(token, expected(algorithms=[algorithm])).subject == "ada"


def test_what_came_with_the_token_is_not_in_the_repr_of_what_is_expected():
    told = expected()
    verify_id_token(forge(), told)
    text = repr(told)
    assert (told.code, told.access_token) == (CODE, ACCESS_TOKEN)
    assert CODE not in text
    assert ACCESS_TOKEN not in text


@pytest.mark.parametrize("name", ["jti", "sid", "acr"])
def test_the_longest_names_are_read(name):
    longest = verify_id_token(forge({name: "x" * 255}), expected())
    assert "x" * 255 in {longest.message_id, longest.session_index, longest.acr}
    assert refusal(verify_id_token, forge({name: "x" * 256}), expected()) is OIDCClaim
    assert verify_id_token(forge({name: "x"}), expected()).subject == "ada"
    assert refusal(verify_id_token, forge({name: ""}), expected()) is OIDCClaim


@pytest.mark.parametrize("subject", ["!", "~", "a" * 255])
def test_a_subject_of_visible_characters_is_accepted(subject):
    assert verify_id_token(forge({"sub": subject}), expected()).subject == subject


@pytest.mark.parametrize("subject", ["", " ", "\x7f", "a" * 256])
def test_no_other_subject_is(subject):
    assert refusal(verify_id_token, forge({"sub": subject}), expected()) is OIDCSubject


@pytest.mark.parametrize("moment", [0, 0.0, YEAR_9999, YEAR_9999 - 0.5])
def test_a_moment_between_1970_and_9999_is_read(moment):
    assert read_seconds({"iat": moment}, "iat", OIDCIssuedAt) == moment


@pytest.mark.parametrize("moment", [-1, -0.001, YEAR_9999 + 1, YEAR_9999 + 0.001, True, False, "1", None])
def test_no_other_moment_is(moment):
    assert refusal(read_seconds, {"iat": moment}, "iat", OIDCIssuedAt) is OIDCIssuedAt


@pytest.mark.parametrize(
    ("accepted", "refused", "error", "settings"),
    [
        ({"exp": T - 59, "iat": T - 100}, {"exp": T - 60, "iat": T - 100}, OIDCExpiry, {}),
        ({"exp": T + 86_400}, {"exp": T + 86_401}, OIDCExpiry, {}),
        ({"exp": T + 1}, {"exp": T}, OIDCExpiry, {}),
        ({"iat": T + 60}, {"iat": T + 61}, OIDCIssuedAt, {}),
        ({"iat": T - 660}, {"iat": T - 661}, OIDCIssuedAt, {}),
        ({"nbf": T + 60}, {"nbf": T + 61}, OIDCNotBefore, {}),
        ({"auth_time": T + 60}, {"auth_time": T + 61}, OIDCAuthTime, {}),
        ({"auth_time": T - 360}, {"auth_time": T - 361}, OIDCAuthTime, {"max_age_seconds": 300}),
        ({"auth_time": T - 86_400}, {"auth_time": "x"}, OIDCAuthTime, {}),
        ({"auth_time": ABSENT}, {"auth_time": None}, OIDCAuthTime, {}),
    ],
)
def test_the_last_moment_is_accepted_and_the_first_one_is_not(accepted, refused, error, settings):
    assert verify_id_token(forge(accepted), expected(**settings)).subject == "ada"
    assert refusal(verify_id_token, forge(refused), expected(**settings)) is error


def test_a_maximum_age_of_nothing_is_one():
    assert verify_id_token(forge({"auth_time": T - 60}), expected(max_age_seconds=0)).subject == "ada"
    assert refusal(verify_id_token, forge({"auth_time": T - 61}), expected(max_age_seconds=0)) is OIDCAuthTime


def test_when_somebody_authenticated_is_the_issue_where_nothing_says_so():
    identity = verify_id_token(forge({"iat": T - 5, "auth_time": ABSENT}), expected())
    assert identity.authenticated_at == NOW - timedelta(seconds=5)
    assert verify_id_token(forge({"auth_time": 0}), expected()).authenticated_at == datetime.fromtimestamp(0, UTC)


def test_with_an_unverified_address_everything_else_stays():
    identity = verify_id_token(forge({"email_verified": False}), expected(email_verified_required=True))
    assert "email" not in identity.claims
    assert identity.claims["groups"] == ["platform", "staff"]


def test_groups_that_are_nowhere_else_are_known():
    assert (
        verify_id_token(forge({"_claim_names": {"address": "src1"}, "hasgroups": False}), expected()).subject == "ada"
    )


# ── Logout tokens ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("accepted", "refused", "error"),
    [
        ({"iat": T + 60}, {"iat": T + 61}, OIDCIssuedAt),
        ({"iat": T - 180}, {"iat": T - 181}, OIDCIssuedAt),
        ({"exp": T - 59}, {"exp": T - 60}, OIDCExpiry),
        ({"nbf": T + 60}, {"nbf": T + 61}, OIDCNotBefore),
        ({"nbf": T}, {"nbf": "now"}, OIDCNotBefore),
        ({"jti": "x" * 255}, {"jti": "x" * 256}, OIDCLogoutId),
        ({"jti": "x"}, {"jti": ""}, OIDCLogoutId),
        ({"sid": "x" * 255}, {"sid": "x" * 256}, OIDCClaim),
        ({"sid": "x"}, {"sid": ""}, OIDCClaim),
    ],
)
def test_a_logout_token_is_accepted_up_to_its_bounds(accepted, refused, error):
    over = verify_logout_token(forge_logout(accepted), expect())
    assert over.message_id == accepted.get("jti", "logout-1")
    assert refusal(verify_logout_token, forge_logout(refused), expect()) is error
