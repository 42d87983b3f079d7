"""Metadata and keys of a real server: where they are looked for, and how often."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bridge.attack.oidc.openid_provider import DISCOVERY, OpenIDProvider, make_key
from bridge.attack.scripted_server import Reply, Request
from bridge.errors import OIDCKeyLeaked
from bridge.identity.oidc.discovery import UNKNOWN_KEY_REFRESH, Discovery, parse_metadata
from bridge.outbound import Outbound

OUTBOUND = Outbound(development=True)
SECOND = timedelta(seconds=1)


@pytest.fixture
def op():
    with OpenIDProvider() as running:
        yield running


@pytest.fixture
def discovery(op, clock):
    return Discovery(op.issuer, OUTBOUND, clock)


def test_keys_are_fetched_once_and_found_by_kid(op, discovery):
    for _ in range(5):
        assert discovery.find_key("first").key.kid is None
        assert discovery.find_key(None) is not None
    assert op.paths() == [DISCOVERY, "/jwks"]


def test_an_issuer_with_a_path_and_a_slash_has_its_document_below_it(op, clock):
    op.issuer = f"{op.url}/realms/corp/"
    op.replies[f"/realms/corp{DISCOVERY}"] = op.answer(Request("GET", DISCOVERY, [], {}, b""))
    assert Discovery(op.issuer, OUTBOUND, clock).metadata().issuer == op.issuer
    assert op.paths() == [f"/realms/corp{DISCOVERY}"]


def test_a_rotated_key_is_found_at_its_first_token_once_a_minute_has_passed(op, clock, discovery):
    assert discovery.find_key("first")
    op.rotate("second")
    assert discovery.find_key("second") is None
    clock.forward(UNKNOWN_KEY_REFRESH + SECOND)
    assert discovery.find_key("second")
    assert discovery.find_key("first") is None


def test_unknown_kids_cause_one_fetch_a_minute(op, clock, discovery):
    discovery.find_key("first")
    for minute in range(3):
        clock.forward(UNKNOWN_KEY_REFRESH + SECOND)
        for number in range(50):
            assert discovery.find_key(f"storm-{minute}-{number}") is None
    assert op.paths().count("/jwks") == 4


def test_a_refresh_that_fails_leaves_the_keys_that_were_known(op, clock, discovery):
    discovery.find_key("first")
    op.replies["/jwks"] = Reply(503)
    clock.forward(UNKNOWN_KEY_REFRESH + SECOND)
    assert discovery.find_key("unknown") is None
    assert discovery.find_key("first")


def test_a_provider_that_publishes_a_private_key_is_not_believed_any_more(op, clock, discovery):
    discovery.find_key("first")
    leaked = {"keys": [op.keys[0].as_dict(private=True)]}
    op.replies["/jwks"] = Reply(body=json.dumps(leaked).encode())
    clock.forward(timedelta(hours=1) + SECOND)
    with pytest.raises(OIDCKeyLeaked):
        discovery.find_key("first")


def test_a_promise_of_the_issuer_parameter_is_the_boolean_true_only():
    def promises(value):
        document = (
            '{"issuer":"https://i","authorization_endpoint":"https://i/a","token_endpoint":"https://i/t",'
            f'"jwks_uri":"https://i/k","authorization_response_iss_parameter_supported":{value}}}'
        )
        return parse_metadata(document.encode(), "https://i", OUTBOUND).promises_issuer

    assert promises("true")
    assert not any(promises(value) for value in ("false", "null", '"true"', "1"))


def test_t_oidc_16_unknown_kids_at_one_provider_hold_back_nobody_elses_new_key(op, clock, discovery):
    with OpenIDProvider() as other:
        others = Discovery(other.issuer, OUTBOUND, clock)
        discovery.find_key("first")
        others.find_key("first")
        clock.forward(UNKNOWN_KEY_REFRESH + SECOND)
        for number in range(50):
            assert discovery.find_key(f"storm-{number}") is None
        other.rotate("second")
        assert others.find_key("second"), "the throttle is each provider's own"
        assert op.paths().count("/jwks") == 2


def test_t_oidc_16_unknown_kids_at_once_cause_one_fetch(op, clock, discovery):
    discovery.find_key("first")
    clock.forward(UNKNOWN_KEY_REFRESH + SECOND)
    op.replies["/jwks"] = Reply(body=op.answer(Request("GET", "/jwks", [], {}, b"")).body, delay_seconds=0.05)
    with ThreadPoolExecutor(20) as pool:
        assert not any(pool.map(lambda number: discovery.find_key(f"storm-{number}"), range(20)))
    assert op.paths().count("/jwks") == 2


def test_t_oidc_16_a_refresh_that_fails_is_not_tried_for_each_token(op, clock, discovery):
    discovery.find_key("first")
    op.replies["/jwks"] = Reply(503)
    for minute in range(2):
        clock.forward(UNKNOWN_KEY_REFRESH + SECOND)
        for number in range(20):
            assert discovery.find_key(f"storm-{minute}-{number}") is None
    assert op.paths().count("/jwks") == 3


def test_t_oidc_16_tokens_without_a_kid_cause_no_fetch(op, clock, discovery):
    op.keys = [*op.keys, make_key("second")]
    discovery.find_key("first")
    for _ in range(20):
        clock.forward(UNKNOWN_KEY_REFRESH + SECOND)
        assert discovery.find_key(None) is None
    assert op.paths().count("/jwks") == 1
