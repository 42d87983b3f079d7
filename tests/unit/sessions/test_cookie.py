import re

import pytest
from werkzeug.wrappers import Response

from bridge.errors import BadParameter, TooLarge
from bridge.sessions.cookie import (
    BROWSER_COOKIE,
    BROWSER_COOKIE_OPTIONS,
    SESSION_COOKIE,
    SESSION_COOKIE_OPTIONS,
    browser_digest,
    new_browser_cookie,
    read_single,
)


def set_cookie(name, options, **more):
    response = Response()
    response.set_cookie(name, "value", **options, **more)
    return set(response.headers["Set-Cookie"].split("; "))


def test_the_session_cookie_is_bound_to_our_host_and_hidden_from_scripts_and_other_sites():
    """T-WEB-03."""
    assert set_cookie(SESSION_COOKIE, SESSION_COOKIE_OPTIONS) == {
        "__Host-rambridge=value",
        "Secure",
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
    }


def test_the_sign_in_cookie_travels_with_a_post_from_another_site_and_not_for_long():
    """T-WEB-03."""
    attributes = set_cookie(BROWSER_COOKIE, BROWSER_COOKIE_OPTIONS, max_age=600)
    assert {
        "__Host-rambridge-signin=value",
        "Secure",
        "HttpOnly",
        "Path=/",
        "SameSite=None",
        "Max-Age=600",
    } <= attributes
    assert not any(attribute.startswith("Domain") for attribute in attributes)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("", None),
        ("__Host-rambridge=abc", "abc"),
        ("a=1; __Host-rambridge=abc; b=2", "abc"),
        ("a=1;__Host-rambridge=abc;b=2", "abc"),
        (" __Host-rambridge = abc ", "abc"),
        ("__Host-rambridge=a=b", "a=b"),
        ("__Host-rambridge=", ""),
        ("__Host-rambridge", ""),
        ("__host-rambridge=abc", None),
        ("x__Host-rambridge=abc", None),
        ("__Host-rambridge-signin=abc", None),
        ("a=__Host-rambridge=abc", None),
        ("rambridge=abc", None),
        (";;;", None),
        ("\xa0__Host-rambridge=planted", None),
        ("__Host-rambridge\x85=planted", None),
        ("\x1c__Host-rambridge=planted; __Host-rambridge=abc", "abc"),
    ],
)
def test_one_cookie_is_read_by_its_exact_name(header, value):
    assert read_single(header, SESSION_COOKIE) == value


@pytest.mark.parametrize(
    "header",
    [
        "__Host-rambridge=mine; __Host-rambridge=planted",
        "__Host-rambridge=same; __Host-rambridge=same",
        "__Host-rambridge=mine; a=1; __Host-rambridge",
        "__Host-rambridge=mine;__Host-rambridge =",
    ],
)
def test_two_cookies_of_one_name_are_refused(header):
    """T-WEB-03: one of them was planted by a neighbouring host, and nobody can know which."""
    with pytest.raises(BadParameter):
        read_single(header, SESSION_COOKIE)
    assert read_single(header, BROWSER_COOKIE) is None


def test_a_header_larger_than_any_honest_one_is_refused():
    """T-WEB-03."""
    assert read_single("a" * 16_384, SESSION_COOKIE) is None
    with pytest.raises(TooLarge):
        read_single("a" * 16_385, SESSION_COOKIE)


def test_a_browser_cookie_is_random_and_its_digest_does_not_lead_back():
    values = {new_browser_cookie() for _ in range(100)}
    assert len(values) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", value) for value in values)
    assert browser_digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
