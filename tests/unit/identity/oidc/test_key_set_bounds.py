"""How many keys, how long, and which ones: the last that is taken, beside the first that is not."""

import base64
import json

import pytest
from joserfc.jwk import ECKey

from bridge.attack.oidc.openid_provider import make_key
from bridge.errors import OIDCKeyLeaked, OIDCKeySet
from bridge.identity.oidc.key_set import parse_key_set

RSA = {name: make_key().as_dict(private=False)[name] for name in ("kty", "n", "e")}
OTHER = {name: make_key("other").as_dict(private=False)[name] for name in ("kty", "n", "e")}


def parse(*entries):
    return parse_key_set(json.dumps({"keys": entries}).encode())


def of_bits(bits):
    modulus = (1 << (bits - 1)) + 1
    text = base64.urlsafe_b64encode(modulus.to_bytes((bits + 7) // 8)).rstrip(b"=").decode()
    return {"kty": "RSA", "n": text, "e": "AQAB", "kid": "x"}


@pytest.mark.parametrize(("bits", "usable"), [(2_047, False), (2_048, True), (8_192, True), (8_193, False)])
def test_an_rsa_key_has_2048_to_8192_bits(bits, usable):
    assert (parse(of_bits(bits), {**RSA, "kid": "y"}).find("x") is not None) is usable


def test_the_most_keys_are_read():
    assert parse(*[{**RSA, "kid": str(number)} for number in range(50)]).find("49")
    with pytest.raises(OIDCKeySet):
        parse(*[{**RSA, "kid": str(number)} for number in range(51)])


def test_the_longest_name_is_found():
    assert parse({**RSA, "kid": "k" * 256}).find("k" * 256)
    assert parse({**RSA, "kid": "k"}).find("k")


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth"])
def test_a_set_that_shows_any_private_member_is_refused_whole(member):
    with pytest.raises(OIDCKeyLeaked):
        parse({**OTHER, "kid": "y"}, {**RSA, "kid": "x", member: "AQAB"})


def test_the_same_key_twice_under_one_name_is_found():
    assert parse({**RSA, "kid": "x"}, {**RSA, "kid": "x"}).find("x")


def test_different_keys_under_one_name_are_found_by_none():
    both = parse({**RSA, "kid": "x"}, {**OTHER, "kid": "x"}, {**OTHER, "kid": "y"})
    assert both.find("x") is None
    assert both.find("y")


def test_one_key_for_two_issuers_is_not_the_same_key_twice():
    issuers = ("https://a.example", "https://b.example")
    assert parse(*({**RSA, "kid": "x", "issuer": issuer} for issuer in issuers)).find("x") is None


@pytest.mark.parametrize("first", ["sig", "enc"])
def test_of_one_name_the_key_for_signatures_is_found(first):
    uses = [first, "enc" if first == "sig" else "sig"]
    keys = {"sig": RSA, "enc": OTHER}
    found = parse(*({**keys[use], "use": use, "kid": "x"} for use in uses)).find("x")
    assert found.algorithms
    assert found.key.as_dict(private=False)["n"] == RSA["n"]


@pytest.mark.parametrize("issuer", [1, [], {}, True, False])
def test_a_key_of_an_issuer_that_is_no_text_is_left_out(issuer):
    assert parse({**RSA, "kid": "x", "issuer": issuer}, {**OTHER, "kid": "y"}).find("x") is None


def test_the_issuer_of_a_key_is_read():
    assert parse({**RSA, "kid": "x", "issuer": "https://a.example"}).find("x").issuer == "https://a.example"
    assert parse({**RSA, "kid": "x", "issuer": None}).find("x").issuer is None


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "RSA", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "n": "A", "e": "AQAB"},
        {"kty": "RSA", "n": 1, "e": "AQAB"},
        {"kty": "RSA", "e": "AQAB"},
        {"kty": "RSA", "n": RSA["n"]},
        {"kty": "RSA", "n": RSA["n"], "e": None},
        {"kty": "RSA", "n": "é", "e": "AQAB"},
        {},
        {"n": RSA["n"], "e": RSA["e"]},
    ],
    ids=lambda entry: (
        " ".join(f"{name}={str(value)[:6]}" for name, value in entry.items() if value != RSA["n"]) or "empty"
    ),
)
def test_a_key_that_cannot_be_used_stops_no_other(entry):
    found = parse({**entry, "kid": "x"}, {**RSA, "kid": "y"})
    assert found.find("x") is None
    assert found.find("y")
    assert found.find(None) is found.find("y")


@pytest.mark.parametrize(
    "document",
    [
        b"[]",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":[1]}',
        b'{"keys":[{},1]}',
        b'{"keys":[{"d":1},[]]}',
        b'{"keys":[]}',
        b'{"keys":null}',
    ],
)
def test_what_is_no_key_set_is_refused(document):
    with pytest.raises(OIDCKeySet):
        parse_key_set(document)


def test_a_set_without_a_key_for_signatures_is_refused():
    with pytest.raises(OIDCKeySet):
        parse({**RSA, "kid": "x", "use": "enc"})


@pytest.mark.parametrize("kind", ["oct", "OKP", "ec", None])
def test_a_point_on_a_curve_is_a_key_only_of_its_own_kind(kind):
    point = ECKey.generate_key("P-256").as_dict(private=False)
    assert parse({**point, "kid": "x"}).find("x")
    assert parse({**point, "kty": kind, "kid": "x"}, {**RSA, "kid": "y"}).find("x") is None


@pytest.mark.parametrize("document", [b'{"keys":[{},1]}', b'{"keys":[{"d":1},[]]}'])
def test_one_entry_that_is_no_key_spoils_the_set(document):
    with pytest.raises(OIDCKeySet):
        parse_key_set(document)
