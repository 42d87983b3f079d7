"""Whatever is changed in an honest message, blindly: it is refused with a leaf, or it says what it said before.

``RAMBRIDGE_TEST_EXAMPLES=20000`` tries more, and different ones each time.
"""

import base64
import os
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.attack.saml.encryption import EncryptionOptions
from bridge.attack.saml.messages import (
    IDP,
    MORE,
    NOW,
    SP,
    Draft,
    SignatureOptions,
    build_idp_metadata,
    make_key,
    make_provider,
    sign,
)
from bridge.errors import IdentityError
from bridge.identity.ended import EndedAtProvider
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.logout import verify_logout_request
from bridge.identity.saml.logout_binding import read_form, read_query
from bridge.identity.saml.metadata import parse_idp_metadata
from bridge.identity.saml.response import verify_response
from bridge.identity.verified import VerifiedIdentity
from tests.attacks.saml.logout_messages import SLO, Logout
from tests.fuzz.xml_changes import change, spoil

EXAMPLES = int(os.environ.get("RAMBRIDGE_TEST_EXAMPLES", "0"))
BRIEFLY = settings(
    deadline=None,
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
chance = st.randoms(use_true_random=False)

KEY = make_key("quick", "p256")
METHOD = f"{MORE}ecdsa-sha256"
OPTIONS = SignatureOptions(key=KEY, signature_method=METHOD)
LAYOUTS = {
    "assertion": Draft(options=OPTIONS),
    "response": Draft(options=OPTIONS, signed="response"),
    "both": Draft(options=OPTIONS, signed="both"),
    "encrypted": Draft(options=OPTIONS, encryption=EncryptionOptions()),
    "encrypted, response signed": Draft(options=OPTIONS, signed="response", encryption=EncryptionOptions()),
}
EXPECTED = replace(LAYOUTS["both"].expected, keys=(KEY.public_key(),))


def verify(document):
    return verify_response(base64.b64encode(document).decode(), EXPECTED)


def outcome(verify, *arguments):
    """Return what was accepted, or None; every refusal is a leaf."""
    try:
        return verify(*arguments)
    except IdentityError as error:
        refusal = error
    assert "code" in vars(type(refusal))
    return None


@pytest.mark.parametrize("draft", LAYOUTS.values(), ids=LAYOUTS)
def test_nobody_but_the_provider_changes_what_a_response_says(draft):
    document = draft.write()
    honest = verify(document)

    @BRIEFLY
    @given(chance)
    def changed(source):
        assert outcome(verify, spoil(document, source)) in [None, honest]

    changed()


@BRIEFLY
@given(chance, st.sampled_from(["assertion", "response", "both"]))
def test_whatever_the_provider_signs_is_accepted_or_refused_with_a_leaf(source, signed):
    draft = Draft(options=OPTIONS, signed=signed)
    change(draft.root, source)
    with suppress(AttributeError, etree.C14NError):  # no assertion is left to sign, or it has no canonical form
        assert isinstance(outcome(verify, draft.write()), VerifiedIdentity | None)


@BRIEFLY
@given(chance)
def test_whatever_the_provider_encrypts_is_accepted_or_refused_with_a_leaf(source):
    encryption = EncryptionOptions(plaintext=lambda content: spoil(content, source))
    document = Draft(options=OPTIONS, signed="response", encryption=encryption).write()
    assert isinstance(outcome(verify, document), VerifiedIdentity | None)


@BRIEFLY
@given(chance)
def test_however_an_encrypted_assertion_is_put_it_is_opened_or_refused_with_a_leaf(source):
    draft = Draft(
        options=OPTIONS, signed="response", encryption=EncryptionOptions(tree=lambda tree: change(tree, source))
    )
    with suppress(etree.C14NError):
        assert isinstance(outcome(verify, draft.write()), VerifiedIdentity | None)


# ── Logout and metadata ──────────────────────────────────────────────────────────────────────────────────────

LOGOUT = Expected(make_provider(), (KEY.public_key(),), SP, SLO, None, NOW)


def verify_form(document):
    return verify_logout_request(read_form([("SAMLRequest", base64.b64encode(document).decode())]), LOGOUT)


def verify_query(query):
    return verify_logout_request(read_query(query), LOGOUT)


@BRIEFLY
@given(chance)
def test_nobody_but_the_provider_changes_whose_session_ends(source):
    document = Logout(key=KEY).signed_xml(signature_method=METHOD)
    assert outcome(verify_form, spoil(document, source)) in [None, verify_form(document)]


@BRIEFLY
@given(chance)
def test_whatever_logout_request_the_provider_signs_is_accepted_or_refused_with_a_leaf(source):
    logout = Logout(key=KEY)
    change(logout.root, source)
    assert isinstance(outcome(verify_query, logout.query(algorithm=METHOD).encode()), EndedAtProvider | None)


@BRIEFLY
@given(st.binary(max_size=3), st.integers(0, 999), st.integers(0, 3))
def test_no_query_is_accepted_with_other_bytes_in_it(other, place, replaced):
    query = Logout(key=KEY).query("state", algorithm=METHOD).encode()
    start = place * len(query) // 1_000
    changed = query[:start] + other + query[start + replaced :]
    assert outcome(verify_query, changed) in [None, verify_query(query)]


@BRIEFLY
@given(chance)
def test_nobody_but_its_publisher_changes_what_metadata_says(source):
    root = etree.fromstring(build_idp_metadata())
    root.set("ID", "_metadata1")
    sign(root, OPTIONS)
    document = etree.tostring(root)

    def parse(xml):
        return parse_idp_metadata(xml, IDP, NOW, KEY.public_key())

    assert outcome(parse, spoil(document, source)) in [None, parse(document)]


@BRIEFLY
@given(chance)
def test_whatever_metadata_says_is_accepted_or_refused_with_a_leaf(source):
    document = spoil(build_idp_metadata(), source)
    found = outcome(lambda: parse_idp_metadata(document, IDP, NOW))
    assert found is None or found.entity_id == IDP
