"""Which addresses are taken from metadata, for which binding, and which are refused."""

import pytest

from bridge.attack.saml.messages import IDP, NOW, build_idp_metadata, make_certificate
from bridge.errors import SAMLMetadata
from bridge.identity.saml.metadata import LogoutAddress, parse_idp_metadata

BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-"
REDIRECT, POST = f"{BINDING}Redirect", f"{BINDING}POST"


def slo(binding, location, response=None):
    answer = f' ResponseLocation="{response}"' if response is not None else ""
    return f'<md:SingleLogoutService Binding="{binding}" Location="{location}"{answer}/>'


def parse(*services, sso="https://idp.example.com/sso"):
    return parse_idp_metadata(build_idp_metadata(slo="".join(services), sso=sso), IDP, NOW)


def test_without_an_address_for_logout_there_is_none():
    metadata = parse()
    assert (metadata.slo_redirect, metadata.slo_post) == (None, None)


def test_each_binding_has_its_own_address():
    metadata = parse(slo(REDIRECT, "https://a.example/"), slo(POST, "https://b.example/", "https://c.example/"))
    assert metadata.slo_redirect == LogoutAddress("https://a.example/", "https://a.example/")
    assert metadata.slo_post == LogoutAddress("https://b.example/", "https://c.example/")


def test_the_first_address_of_a_binding_counts_and_an_empty_place_for_answers_is_none():
    metadata = parse(slo("urn:x", "ftp://x"), slo(POST, "https://a.example/", ""), slo(POST, "ftp://b.example/"))
    assert metadata.slo_redirect is None
    assert metadata.slo_post == LogoutAddress("https://a.example/", "https://a.example/")


BAD = [
    "http://idp.example.com/",
    "ftp://localhost/",
    "javascript:alert(1)",
    "//a.example/",
    "https:///x",
    "https://a b/",
    "https://idp.example.com/\u200b",
    "",
]
GOOD = [
    "https://idp.example.com/",
    "http://localhost/",
    "http://127.0.0.1:1/",
    "http://[::1]/",
    "HTTPS://idp.example.com/",
]


@pytest.mark.parametrize("address", BAD)
def test_a_bad_address_is_refused_wherever_it_stands(address):
    good = "https://a.example/"
    for services in ([slo(POST, address)], [slo(POST, address, good)], [slo(REDIRECT, good, address or "ftp://x")]):
        with pytest.raises(SAMLMetadata, match="logout address"):
            parse(*services)
    with pytest.raises(SAMLMetadata, match="sign-in address"):
        parse(sso=address)


@pytest.mark.parametrize("address", GOOD)
def test_a_good_address_is_taken_wherever_it_stands(address):
    metadata = parse(slo(POST, address, address), sso=address)
    assert metadata.slo_post == LogoutAddress(address, address)
    assert metadata.sso_redirect_url == metadata.sso_post_url == address


def test_the_most_keys_are_read():
    assert parse_idp_metadata(build_idp_metadata(*[make_certificate("idp")] * 16), IDP, NOW).keys_at(NOW)
    with pytest.raises(SAMLMetadata):
        parse_idp_metadata(build_idp_metadata(*[make_certificate("idp")] * 17), IDP, NOW)
