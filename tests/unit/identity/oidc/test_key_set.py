"""A key says what it may be used for, and is found by its exact name."""

import json

import pytest
from joserfc.jwk import ECKey

from bridge.attack.oidc.openid_provider import make_key
from bridge.identity.oidc.key_set import parse_key_set

RSA = make_key().as_dict(private=False)
PLAIN = {name: RSA[name] for name in ("kty", "n", "e")}
OTHER = {name: value for name, value in make_key("other").as_dict(private=False).items() if name != "alg"}
RSA_ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


def find(kid, *entries):
    return parse_key_set(json.dumps({"keys": [*entries, OTHER]}).encode()).find(kid)


@pytest.mark.parametrize(
    ("members", "algorithms"),
    [
        ({}, RSA_ALGORITHMS),
        ({"use": "sig"}, RSA_ALGORITHMS),
        ({"key_ops": ["verify"]}, RSA_ALGORITHMS),
        ({"alg": "PS256"}, {"PS256"}),
        ({"alg": "ES256"}, set()),
        ({"alg": "RSA-OAEP"}, set()),
        ({"alg": ["RS256"]}, set()),
        ({"alg": None}, set()),
        ({"use": "enc"}, set()),
        ({"use": None}, set()),
        ({"use": ["sig"]}, set()),
        ({"key_ops": []}, set()),
        ({"key_ops": ["sign"]}, set()),
        ({"key_ops": ["encrypt"], "use": "sig"}, set()),
        ({"key_ops": "verify"}, set()),
        ({"key_ops": None}, set()),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set | frozenset) else str(value),
)
def test_an_rsa_key_is_for_what_its_owner_published_it_for(members, algorithms):
    assert find("x", {**PLAIN, "kid": "x", **members}).algorithms == algorithms


@pytest.mark.parametrize(("curve", "algorithm"), [("P-256", "ES256"), ("P-384", "ES384")])
def test_a_curve_has_one_algorithm(curve, algorithm):
    assert find("x", {**ECKey.generate_key(curve).as_dict(private=False), "kid": "x"}).algorithms == {algorithm}


@pytest.mark.parametrize("kid", [None, 1, "", ["x"], {"x": 1}, "k" * 257])
def test_a_key_without_a_usable_name_is_found_by_none(kid):
    entry = {**PLAIN, "kid": kid}
    assert find("x", entry) is None
    assert find("", entry) is None
    assert find("k" * 257, entry) is None
    assert find("other", entry) is not None


def test_members_that_we_do_not_know_do_not_matter():
    assert find("x", {**PLAIN, "kid": "x", "x5c": 7, "x5u": "https://evil.example", "ext": True, "nbf": "soon"})


def test_the_only_key_is_the_only_one_for_signatures():
    assert find(None) is not None
    assert find(None, {**PLAIN, "kid": "x", "use": "enc"}) is not None
    assert find(None, {**PLAIN, "kid": "x"}) is None
