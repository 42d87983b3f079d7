"""How a logout message is taken out of a query or a form."""

from urllib.parse import quote

import pytest
from lxml import etree

from bridge.attack.saml.messages import make_key
from bridge.errors import SAMLEncoding, SAMLLogoutBinding, SAMLTooLarge
from bridge.identity.saml.elements import LOGOUT_REQUEST
from bridge.identity.saml.logout_binding import read_form, read_query, verify_message
from tests.attacks.saml.logout_messages import Logout


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
