from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.attack.saml.encryption import EncryptionOptions
from bridge.attack.saml.messages import EMAIL, NOW, PASSWORD, Draft, at, element, make_key, make_provider
from bridge.errors import OutsideValidity, SAMLLifetime, SAMLSignatureInvalid
from bridge.identity.saml.response import verify_response
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.stored import pack_identity, unpack_identity

SECOND = timedelta(seconds=1)


def verify(draft):
    return verify_response(draft.encode(), draft.expected)


def test_identity_holds_what_the_assertion_says():
    identity = verify(Draft())

    assert identity.provider == "corp"
    assert identity.protocol == "saml"
    assert identity.message_id == "_assertion1"
    assert identity.authenticated_at == NOW
    assert identity.valid_until == NOW + timedelta(hours=8)
    assert identity.acr == PASSWORD
    assert identity.amr == ()
    assert identity.session_index == "_session1"
    assert identity.claims == {"mail": ["alice@example.com"], "groups": ["platform", "staff"]}


def test_what_the_assertion_does_not_say_is_none():
    draft = Draft()
    statement = draft.find("//saml:AuthnStatement")
    del statement.attrib["SessionIndex"]
    del statement.attrib["SessionNotOnOrAfter"]
    context = draft.find("//saml:AuthnContext")
    context.replace(context[0], element("saml:AuthnContextDeclRef", "urn:x"))

    identity = verify(draft)

    assert (identity.session_index, identity.valid_until, identity.acr) == (None, None, None)


@pytest.mark.parametrize(
    ("counts", "smallest"),
    [
        *(([], None), ([{}], None), ([{"Count": "1"}], 1), ([{"Count": "3"}, {"Count": "2"}], 2)),
        *(([{"Count": "2"}, {}], 2), ([{"Count": "1234567"}], 123456)),
    ],
)
def test_identity_holds_the_smallest_proxy_count(counts, smallest):
    draft = Draft()
    draft.find("//saml:Conditions").extend(element("saml:ProxyRestriction", **count) for count in counts)

    assert verify(draft).proxy_count == smallest


def test_configured_name_format_is_accepted():
    assert verify(Draft(provider=make_provider(name_id_format=EMAIL))).subject == "alice@example.com"


def test_longest_name_is_accepted():
    draft = Draft()
    draft.find("//saml:NameID").text = "a" * 256

    assert len(verify(draft).subject) == 256


def ends_with_the_confirmation(draft):
    draft.find("//saml:Conditions").set("NotOnOrAfter", at(500))
    return 300


def ends_with_the_conditions(draft):
    draft.find("//saml:SubjectConfirmationData").set("NotOnOrAfter", at(500))
    return 300


def ends_with_the_age(draft):
    for path in ("//saml:Conditions", "//saml:SubjectConfirmationData"):
        draft.find(path).set("NotOnOrAfter", at(3600))
    return 600


def ends_with_the_session(draft):
    draft.find("//saml:AuthnStatement").set("SessionNotOnOrAfter", at(100))
    return 100


def ends_with_the_authentication(draft):
    draft.find("//saml:AuthnStatement").set("AuthnInstant", at(-43_200 + 50))
    return 50


@pytest.mark.parametrize(
    "arrange",
    [
        ends_with_the_confirmation,
        ends_with_the_conditions,
        ends_with_the_age,
        ends_with_the_session,
        ends_with_the_authentication,
    ],
)
def test_accept_until_is_when_the_message_stops_being_accepted(arrange):
    draft = Draft()
    seconds = arrange(draft)

    until = verify(draft).accept_until

    assert until == NOW + timedelta(seconds=seconds + 60)
    draft.expect(now=until - SECOND)
    assert verify(draft).accept_until == until
    draft.expect(now=until + SECOND)
    with pytest.raises(OutsideValidity):
        verify(draft)


@pytest.mark.parametrize("skew", [0, 300])
def test_skew_is_the_one_in_the_settings(skew):
    draft = Draft(provider=make_provider(clock_skew_seconds=skew))

    draft.expect(now=NOW - timedelta(seconds=skew))
    assert verify(draft)
    draft.expect(now=NOW + timedelta(seconds=300 + skew) - SECOND)
    assert verify(draft)
    draft.expect(now=NOW - timedelta(seconds=skew) - SECOND)
    with pytest.raises(OutsideValidity):
        verify(draft)
    draft.expect(now=NOW + timedelta(seconds=300 + skew))
    with pytest.raises(OutsideValidity):
        verify(draft)


def test_authentication_age_is_the_one_in_the_settings():
    draft = Draft(provider=make_provider(max_authentication_age_seconds=600))
    draft.find("//saml:AuthnStatement").set("AuthnInstant", at(-660))

    assert verify(draft).authenticated_at == datetime(2026, 3, 2, 8, 49, tzinfo=UTC)


def test_response_issued_long_before_its_assertion_expires_is_only_as_old_as_its_assertion():
    draft = Draft()
    draft.root.set("IssueInstant", at(-600))

    assert verify(draft).accept_until == NOW + timedelta(seconds=360)


def test_fractions_are_kept():
    draft = Draft()
    draft.find("//saml:AuthnStatement").set("AuthnInstant", "2026-03-02T09:00:00.1234567Z")

    assert verify(draft).authenticated_at == NOW + timedelta(microseconds=123_456)


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z"])
def test_session_that_never_ends_is_accepted_and_can_be_remembered(end):
    draft = Draft()
    draft.find("//saml:AuthnStatement").set("SessionNotOnOrAfter", end)

    identity = verify(draft)

    assert identity.valid_until == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert unpack_identity(pack_identity(identity)) == identity


@pytest.mark.parametrize("path", ["//saml:Conditions", "//saml:SubjectConfirmationData"])
def test_assertion_that_never_ends_is_refused(path):
    draft = Draft()
    draft.find(path).set("NotOnOrAfter", "9999-12-31T23:59:59Z")

    with pytest.raises(SAMLLifetime):
        verify(draft)


@pytest.mark.parametrize("encryption", [None, EncryptionOptions()], ids=["plain", "encrypted"])
@pytest.mark.parametrize("signed", ["response", "assertion"])
def test_the_trace_says_which_signature_was_checked(signed, encryption):
    draft = Draft(signed=signed, encryption=encryption)
    accepted, refused = SAMLTrace(), SAMLTrace()

    verify_response(draft.encode(), draft.expected, accepted)
    with pytest.raises(SAMLSignatureInvalid):
        verify_response(draft.encode(), replace(draft.expected, keys=(make_key("other").public_key(),)), refused)

    assert list(accepted.signatures) == [f"{signed}_signature"]
    assert refused.at == f"{signed}_signature"
