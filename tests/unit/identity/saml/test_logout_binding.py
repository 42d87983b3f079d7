"""How a logout message is taken out of a query or a form."""

from urllib.parse import quote

import pytest
from lxml import etree

from bridge.attack.saml.messages import NOW, SP, element, make_key, make_provider
from bridge.errors import (
    SAMLEncoding,
    SAMLInResponseTo,
    SAMLLogoutBinding,
    SAMLLogoutSession,
    SAMLNotXML,
    SAMLTooLarge,
    SAMLVersion,
)
from bridge.identity.saml.elements import LOGOUT_REQUEST
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.logout import verify_logout_request, verify_logout_response
from bridge.identity.saml.logout_binding import inflate, read_form, read_query, verify_message
from tests.attacks.saml.logout_messages import SLO, Logout, deflate


def test_the_longest_query_is_read():
    query = Logout().query() + "&x="
    longest = query + "y" * (16_384 - len(query))
    assert read_query(longest.encode()).parameter == "SAMLRequest"
    with pytest.raises(SAMLTooLarge):
        read_query(longest.encode() + b"y")


@pytest.mark.parametrize("state", ["handle", "a b/c+d&e", "张", ""])
def test_the_relay_state_is_given_back_as_it_was_meant(state):
    assert read_query(Logout().query(state).encode()).relay_state == state
    assert read_form(list(Logout().form(state).items())).relay_state == state


def test_without_a_relay_state_there_is_none():
    assert read_query(Logout().query().encode()).relay_state is None
    assert read_form(list(Logout().form().items())).relay_state is None


def test_a_plus_in_a_relay_state_is_a_blank():
    query = Logout().query("a b", encode=lambda value: quote(value, safe="").replace("%20", "+"))
    assert read_query(query.encode()).relay_state == "a b"


def test_a_relay_state_that_is_not_utf8_is_refused():
    with pytest.raises(SAMLEncoding, match="RelayState"):
        read_query(Logout().query().encode() + b"&RelayState=%ff")


@pytest.mark.parametrize("tag", ["{urn:x}Signature", "Signature"])
def test_a_signature_of_another_namespace_is_said_to_be_misplaced(tag):
    root = etree.fromstring(Logout().signed_xml())
    root[1].tag = tag
    message = read_form(list(Logout().unsigned_form(xml=etree.tostring(root)).items()))
    with pytest.raises(SAMLLogoutBinding, match="signature"):
        verify_message(message, LOGOUT_REQUEST, [make_key("idp").public_key()])


def expected(request_id=None):
    return Expected(make_provider(), (make_key("idp").public_key(),), SP, SLO, request_id, NOW)


def test_the_longest_message_is_inflated_and_nothing_more():
    longest = b"x" * (256 * 1024)
    assert inflate(deflate(longest)) == longest
    with pytest.raises(SAMLTooLarge):
        inflate(deflate(longest + b"x"))


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: raw + b"x", lambda raw: raw[:-4], lambda raw: b""]
)
def test_what_ends_too_early_or_goes_on_is_refused(change):
    with pytest.raises(SAMLNotXML):
        inflate(change(deflate(b"x" * 1_000)))


def test_base64_in_a_query_may_be_folded_and_the_encoding_named():
    folded = Logout().query(encode=lambda value: quote("\r\n".join((value[:4], value[4:])), safe=""))
    message = read_query(folded.encode())
    assert message.signature is not None
    deflated = read_query(
        f"{Logout().query()}&SAMLEncoding={quote('urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE')}".encode()
    )
    assert verify_logout_request(deflated, expected()).subject == "alice@example.com"


def test_base64_of_a_message_may_be_folded():
    encoded = Logout().form()["SAMLRequest"]
    folded = "\r\n".join(encoded[start : start + 76] for start in range(0, len(encoded), 76))
    assert verify_logout_request(read_form([("SAMLRequest", folded)]), expected()).subject == "alice@example.com"


def test_fields_that_are_not_ours_may_come_twice():
    form = [("x", "1"), ("x", "2"), *Logout().form("r").items()]
    assert verify_logout_request(read_form(form), expected()).subject == "alice@example.com"


@pytest.mark.parametrize(("place", "accepted"), [(0, False), (1, True), (2, False)])
def test_a_signature_in_a_form_stands_right_after_the_issuer_or_first(place, accepted):
    root = etree.fromstring(Logout().signed_xml())
    signature = root[1]
    root.remove(signature)
    root.insert(place, signature)
    message = read_form(list(Logout().unsigned_form(xml=etree.tostring(root)).items()))
    if accepted:
        assert verify_message(message, LOGOUT_REQUEST, [make_key("idp").public_key()]) is not None
    elif place:
        with pytest.raises(SAMLLogoutBinding):
            verify_message(message, LOGOUT_REQUEST, [make_key("idp").public_key()])
    else:
        assert verify_message(message, LOGOUT_REQUEST, [make_key("idp").public_key()])[0].tag.endswith("Issuer")


def test_an_answer_may_have_extensions_and_has_a_version():
    answer = Logout(kind="LogoutResponse")
    answer.root.insert(1, element("samlp:Extensions"))
    assert verify_logout_response(read_query(answer.query().encode()), expected("_ours")) is None
    answer.root.set("Version", "1.1")
    with pytest.raises(SAMLVersion):
        verify_logout_response(read_query(answer.query().encode()), expected("_ours"))


def test_an_answer_to_nothing_is_refused_where_nothing_was_asked_as_well():
    answer = Logout(kind="LogoutResponse")
    with pytest.raises(SAMLInResponseTo):
        verify_logout_response(read_query(answer.query().encode()), expected())
    del answer.root.attrib["InResponseTo"]
    for request_id in (None, "_ours"):
        with pytest.raises(SAMLInResponseTo):
            verify_logout_response(read_query(answer.query().encode()), expected(request_id))


@pytest.mark.parametrize("length", [1, 1024])
def test_the_name_of_a_session_has_1_to_1024_characters(length):
    request = Logout(indexes=("s" * length,))
    assert verify_logout_request(read_query(request.query().encode()), expected()).session_indexes == ("s" * length,)
    for other in ("", "s" * 1025):
        with pytest.raises(SAMLLogoutSession):
            verify_logout_request(read_query(Logout(indexes=("_s", other)).query().encode()), expected())
