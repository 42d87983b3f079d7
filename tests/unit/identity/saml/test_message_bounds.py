"""The last value of each kind that a message may have, beside the first that it may not."""

from copy import deepcopy
from datetime import timedelta

import pytest

from bridge.attack.saml.encryption import EncryptionOptions
from bridge.attack.saml.messages import EMAIL, IDP, NOW, NS, SP, Draft, at, element, make_key, make_provider
from bridge.errors import (
    IdentityError,
    SAMLAttributeStructured,
    SAMLAuthnContext,
    SAMLAuthnStatement,
    SAMLConditions,
    SAMLConfirmation,
    SAMLExpired,
    SAMLId,
    SAMLInResponseTo,
    SAMLIssuer,
    SAMLLifetime,
    SAMLLogoutSession,
    SAMLNameID,
    SAMLNotEncrypted,
    SAMLNotYet,
    SAMLProxyRestriction,
    SAMLSchema,
    SAMLSessionOver,
    SAMLStale,
    SAMLTimeFormat,
    SAMLTooComplex,
    SAMLUnsigned,
    SAMLUnsolicited,
)
from bridge.identity.saml.elements import read_time
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.logout import verify_logout_request
from bridge.identity.saml.logout_binding import read_query
from bridge.identity.saml.response import verify_response
from tests.attacks.saml.logout_messages import SLO, Logout

ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"


def verify(draft):
    return verify_response(draft.encode(), draft.expected)


def refusal(draft):
    with pytest.raises(IdentityError) as refused:
        verify(draft)
    return type(refused.value)


def setting(path, **attributes):
    """Return what sets attributes of the first element of a path; None takes one away."""

    def change(draft):
        target = draft.root if path == "." else draft.find(path)
        for name, value in attributes.items():
            if value is None:
                target.attrib.pop(name, None)
            else:
                target.set(name, value)

    return change


def both(*changes):
    def change(draft):
        for one in changes:
            one(draft)

    return change


def times(start, end):
    return both(setting(CONDITIONS, NotBefore=start, NotOnOrAfter=end), setting(CONFIRMATION, NotOnOrAfter=at(300)))


def issued(seconds, end):
    return both(
        setting("saml:Assertion", IssueInstant=at(seconds)),
        setting(CONDITIONS, NotBefore=None, NotOnOrAfter=at(end)),
        setting(CONFIRMATION, NotOnOrAfter=at(max(60, end))),
    )


def proxy(count=None, audience=None):
    def change(draft):
        restriction = element("saml:ProxyRestriction", **({} if count is None else {"Count": count}))
        if audience:
            restriction.append(element("saml:Audience", audience))
        draft.find(CONDITIONS).append(restriction)

    return change


def attributes(number):
    def change(draft):
        statement = draft.find("//saml:AttributeStatement")
        for index in range(number - 2):
            statement.append(element("saml:Attribute", Name=f"a{index}"))

    return change


def values(number):
    def change(draft):
        attribute = draft.find("//saml:Attribute[@Name='mail']")
        attribute.extend(element("saml:AttributeValue", "x") for _ in range(number - 1))

    return change


CONDITIONS = "//saml:Conditions"
CONFIRMATION = "//saml:SubjectConfirmationData"
AUTHN = "//saml:AuthnStatement"
NAME = "//saml:NameID"

BOUNDS = {
    "issue of the assertion, early": (issued(60, 300), issued(61, 300), SAMLNotYet),
    "issue of the assertion, late": (issued(-660, 60), issued(-661, 60), SAMLStale),
    "issue of the response, early": (setting(".", IssueInstant=at(60)), setting(".", IssueInstant=at(61)), SAMLNotYet),
    "issue of the response, late": (
        setting(".", IssueInstant=at(-660)),
        setting(".", IssueInstant=at(-661)),
        SAMLStale,
    ),
    "start": (times(at(60), at(300)), times(at(61), at(300)), SAMLNotYet),
    "end": (
        both(issued(-300, -59), setting(CONDITIONS, NotBefore=at(-300))),
        both(issued(-300, -60), setting(CONDITIONS, NotBefore=at(-300))),
        SAMLExpired,
    ),
    "end right after the start": (times(at(0), at(1)), times(at(0), at(0)), SAMLLifetime),
    "end right after a later start": (times(at(50), at(51)), times(at(50), at(50)), SAMLLifetime),
    "end right after the issue, without a start": (times(None, at(1)), times(None, at(0)), SAMLLifetime),
    "lifetime": (times(at(0), at(3_660)), times(at(0), at(3_661)), SAMLLifetime),
    "lifetime of the confirmation": (
        both(setting(CONDITIONS, NotOnOrAfter=at(3_660)), setting(CONFIRMATION, NotOnOrAfter=at(3_660))),
        both(setting(CONDITIONS, NotOnOrAfter=at(3_660)), setting(CONFIRMATION, NotOnOrAfter=at(3_661))),
        SAMLLifetime,
    ),
    "end of the confirmation": (
        both(issued(-300, 60), setting(CONFIRMATION, NotOnOrAfter=at(-59))),
        both(issued(-300, 60), setting(CONFIRMATION, NotOnOrAfter=at(-60))),
        SAMLExpired,
    ),
    "authentication, early": (setting(AUTHN, AuthnInstant=at(60)), setting(AUTHN, AuthnInstant=at(61)), SAMLNotYet),
    "authentication, late": (
        setting(AUTHN, AuthnInstant=at(-43_260)),
        setting(AUTHN, AuthnInstant=at(-43_261)),
        SAMLStale,
    ),
    "session": (
        setting(AUTHN, SessionNotOnOrAfter=at(-59)),
        setting(AUTHN, SessionNotOnOrAfter=at(-60)),
        SAMLSessionOver,
    ),
    "session index": (
        setting(AUTHN, SessionIndex="x" * 256),
        setting(AUTHN, SessionIndex="x" * 257),
        SAMLAuthnStatement,
    ),
    "proxy count": (proxy("1"), proxy("0"), SAMLProxyRestriction),
    "proxy count, none": (proxy(), proxy(""), SAMLProxyRestriction),
    "proxy count, many": (proxy("1000000000"), proxy("-1"), SAMLProxyRestriction),
    "proxy count, digits of another script": (proxy("10"), proxy("١"), SAMLProxyRestriction),
    "proxy count, zeros in front": (proxy("000001"), proxy("0000001"), SAMLProxyRestriction),
    "proxy audience": (proxy("1"), proxy("1", SP), SAMLProxyRestriction),
    "attributes": (attributes(200), attributes(201), SAMLTooComplex),
    "values": (values(1_000), values(1_001), SAMLTooComplex),
    "format of the issuer": (
        setting("saml:Assertion/saml:Issuer", Format=ENTITY),
        setting("saml:Assertion/saml:Issuer", Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"),
        SAMLIssuer,
    ),
    "format of the response's issuer": (
        setting("saml:Issuer", Format=ENTITY),
        setting("saml:Issuer", Format=EMAIL),
        SAMLIssuer,
    ),
    "consent": (setting(".", Consent="urn:x"), setting(".", Consents="urn:x"), SAMLSchema),
    "format of the name": (setting(NAME, Format="f" * 256), setting(NAME, Format="f" * 257), SAMLNameID),
    "no format of the name": (
        setting(NAME, Format=None),
        setting(NAME, Format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
        SAMLNameID,
    ),
    "qualifier": (setting(NAME, NameQualifier=IDP), setting(NAME, NameQualifier=f"{IDP}/"), SAMLNameID),
    "qualifier of ours": (setting(NAME, SPNameQualifier=SP), setting(NAME, SPNameQualifier=IDP), SAMLNameID),
    "question of the response": (setting("."), setting(".", InResponseTo="_other"), SAMLInResponseTo),
    "no question of the response": (setting("."), setting(".", InResponseTo=None), SAMLInResponseTo),
    "question of the confirmation": (setting("."), setting(CONFIRMATION, InResponseTo="_other"), SAMLInResponseTo),
    "no ID of the assertion": (setting("."), setting("saml:Assertion", ID=None), SAMLId),
    "a start of the confirmation": (setting("."), setting(CONFIRMATION, NotBefore=at(-10)), SAMLConfirmation),
}


@pytest.mark.parametrize("signed", ["assertion", "both"])
@pytest.mark.parametrize(("accepted", "refused", "error"), BOUNDS.values(), ids=BOUNDS)
def test_the_last_is_accepted_and_the_first_one_is_not(signed, accepted, refused, error):
    if error is SAMLId:
        signed = "response"  # an assertion without an ID cannot be referred to
    draft = Draft(signed=signed)
    accepted(draft)
    assert verify(draft).subject == "alice@example.com"
    draft = Draft(signed=signed)
    refused(draft)
    assert refusal(draft) is error


@pytest.mark.parametrize("name", ["a", "é", "a" * 256])
def test_a_name_of_1_to_256_characters_is_accepted(name):
    draft = Draft()
    draft.find(NAME).text = name
    assert verify(draft).subject == name
    draft.find(NAME).text = name * 257
    assert refusal(draft) is SAMLNameID


def test_a_provider_begins_only_where_the_settings_let_it():
    assert verify(Draft(request_id=None, provider=make_provider(idp_initiated=True)))
    assert refusal(Draft(request_id=None)) is SAMLUnsolicited


def test_of_two_confirmations_the_one_that_ends_later_counts():
    for ends in ((100, 200), (200, 100)):
        draft = Draft()
        confirmation = draft.find("//saml:SubjectConfirmation")
        confirmation.addnext(deepcopy(confirmation))
        for data, end in zip(draft.root.iter(f"{{{NS['saml']}}}SubjectConfirmationData"), ends, strict=True):
            data.set("NotOnOrAfter", at(end))
        assert verify(draft).accept_until == NOW + timedelta(seconds=260)


def test_a_name_without_format_is_in_the_unspecified_one():
    draft = Draft(provider=make_provider(name_id_format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"))
    del draft.find(NAME).attrib["Format"]
    assert verify(draft)


def test_an_empty_value_is_one_and_a_null_is_none():
    draft = Draft()
    attribute = draft.find("//saml:Attribute[@Name='mail']")
    nil = f"{{{NS['xsi']}}}nil"
    for text, null in ((None, None), (None, "true"), (None, "1"), (None, "false"), ("x", "false")):
        value = element("saml:AttributeValue", text)
        if null:
            value.set(nil, null)
        attribute.append(value)
    assert verify(draft).claims["mail"] == ["alice@example.com", "", "", "x"]


def test_extensions_stand_before_the_status():
    for place, accepted in ((1, True), (2, False)):
        draft = Draft()
        draft.root.insert(place, element("samlp:Extensions"))
        assert verify(draft) if accepted else refusal(draft) is SAMLSchema


def test_only_a_signed_response_must_say_who_sent_it():
    for signed, accepted in (("assertion", True), ("both", False), ("response", False)):
        draft = Draft(signed=signed)
        draft.root.remove(draft.find("saml:Issuer"))
        assert verify(draft) if accepted else refusal(draft) is SAMLIssuer


def test_a_missing_signature_is_said_before_anything_is_opened():
    stranger = EncryptionOptions(key=make_key("stranger").public_key())
    draft = Draft(signed="assertion", encryption=stranger, provider=make_provider(signed="response"))
    assert refusal(draft) is SAMLUnsigned


def test_an_encrypted_assertion_is_accepted_where_it_is_required():
    provider = make_provider(encryption="require")
    assert verify(Draft(encryption=EncryptionOptions(), provider=provider))
    assert refusal(Draft(provider=provider)) is SAMLNotEncrypted


def test_the_format_of_the_name_is_kept_for_the_sign_out():
    assert verify(Draft()).name_format == EMAIL
    draft = Draft()
    del draft.find(NAME).attrib["Format"]
    assert verify(draft).name_format is None


def test_every_condition_that_we_know_may_stand_together():
    draft = Draft()
    draft.find(CONDITIONS).append(element("saml:OneTimeUse"))
    proxy("2")(draft)
    assert verify(draft)
    draft.find(CONDITIONS).append(element("saml:Condition"))
    assert refusal(draft) is SAMLConditions


def test_a_name_that_is_not_in_the_configured_format_is_refused():
    draft = Draft(provider=make_provider(name_id_format=EMAIL))
    del draft.find(NAME).attrib["Format"]
    assert refusal(draft) is SAMLNameID


@pytest.mark.parametrize(
    ("asked", "authenticated", "accepted"),
    [(0.9, 0, True), (0.9, -60, True), (0.9, -61, False), (0, -60, True), (0, -61, False)],
)
def test_a_new_authentication_is_one_since_we_asked_by_whole_seconds(asked, authenticated, accepted):
    draft = Draft(provider=make_provider(force_authn=True))
    draft.find(AUTHN).set("AuthnInstant", at(authenticated))
    draft.expect(asked_at=NOW + timedelta(seconds=asked))
    if accepted:
        assert verify(draft)
    else:
        assert refusal(draft) is SAMLStale


def test_a_requested_context_is_compared_exactly():
    draft = Draft(provider=make_provider(requested_authn_contexts=["urn:a", "urn:b"]), context="urn:b")
    assert verify(draft).acr == "urn:b"
    for context in ("urn:c", "urn:B", "urn:b ", ""):
        draft = Draft(provider=make_provider(requested_authn_contexts=["urn:a", "urn:b"]), context=context)
        assert refusal(draft) is SAMLAuthnContext


def test_an_attribute_value_in_pieces_is_refused():
    draft = Draft()
    draft.find("//saml:AttributeValue").append(element("saml:Audience", "x"))
    assert refusal(draft) is SAMLAttributeStructured


# ── Moments ──────────────────────────────────────────────────────────────────────────────────────────────────

WRITTEN = [
    "2026-03-02T09:00:00Z",
    "2026-03-02T23:59:59Z",
    "2026-03-02T00:00:00.1Z",
    "2026-12-31T19:09:09.123456789012Z",
]
NOT_WRITTEN = [
    *("", "2026-03-02", "2026-03-02T09:00:00", "2026-03-02T09:00:00+00:00", "2026-03-02t09:00:00Z"),
    *("2026-03-02 09:00:00Z", "2026-03-02T24:00:00Z", "2026-03-02T09:60:00Z", "2026-03-02T09:00:60Z"),
    *("2026-03-02T09:00:00.Z", " 2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z\n", "26-03-02T09:00:00Z"),
    *("2026-03-02T09:00:00.1234567890123Z", "2026-3-2T09:00:00Z", "2026-02-30T09:00:00Z", "0000-01-01T00:00:00Z"),
    *("2026-13-01T00:00:00Z", "٢٠٢٦-03-02T09:00:00Z", "2026-03-02T9:00:00Z", "2026-03-02T30:00:00Z"),
    *("2026-03-02T09:00:00x1Z", "2026-03-02T09:00:00z", "12026-03-02T09:00:00Z", "2026-03-02T29:00:00Z"),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_moment_in_utc_is_read(text):
    assert read_time(element("saml:Conditions", NotBefore=text), "NotBefore").isoformat()[:16] == text[:16]


@pytest.mark.parametrize("text", NOT_WRITTEN)
def test_any_other_way_to_write_a_moment_is_refused(text):
    with pytest.raises(SAMLTimeFormat):
        read_time(element("saml:Conditions", NotBefore=text), "NotBefore")


# ── Logout ───────────────────────────────────────────────────────────────────────────────────────────────────


def verify_logout(message):
    expected = Expected(make_provider(), (make_key("idp").public_key(),), SP, SLO, None, NOW)
    return verify_logout_request(read_query(message.query().encode()), expected)


def changed(change=lambda root: None, **options):
    message = Logout(**options)
    change(message.root)
    return message


LOGOUT_BOUNDS = {
    "sessions": (changed(indexes=["_s"] * 20), changed(indexes=["_s"] * 21), SAMLLogoutSession),
    "length of a session": (changed(indexes=["x" * 1_024]), changed(indexes=["x" * 1_025]), SAMLLogoutSession),
    "issue, early": (
        changed(lambda root: root.set("IssueInstant", at(60))),
        changed(lambda root: root.set("IssueInstant", at(61))),
        SAMLNotYet,
    ),
    "issue, late": (
        changed(lambda root: root.set("IssueInstant", at(-660))),
        changed(lambda root: root.set("IssueInstant", at(-661))),
        SAMLStale,
    ),
    "end": (
        changed(lambda root: root.set("NotOnOrAfter", at(-59))),
        changed(lambda root: root.set("NotOnOrAfter", at(-60))),
        SAMLExpired,
    ),
    "known attributes": (
        changed(lambda root: root.attrib.update({"Consent": "urn:x", "Reason": "urn:y"})),
        changed(lambda root: root.attrib.update({"Reasons": "urn:y"})),
        SAMLSchema,
    ),
    "format of the issuer": (
        changed(lambda root: root[0].set("Format", ENTITY)),
        changed(lambda root: root[0].set("Format", EMAIL)),
        SAMLIssuer,
    ),
    "qualifiers of the issuer": (
        changed(),
        changed(lambda root: root[0].set("NameQualifier", "x")),
        SAMLIssuer,
    ),
    "no ID": (changed(), changed(lambda root: root.attrib.pop("ID")), SAMLId),
    "extensions": (
        changed(lambda root: root.insert(1, element("samlp:Extensions"))),
        changed(lambda root: root.append(element("samlp:Extensions"))),
        SAMLSchema,
    ),
    "text": (
        changed(lambda root: setattr(root, "text", " \n")),
        changed(lambda root: setattr(root, "text", "x")),
        SAMLSchema,
    ),
}


@pytest.mark.parametrize(("accepted", "refused", "error"), LOGOUT_BOUNDS.values(), ids=LOGOUT_BOUNDS)
def test_the_same_of_a_logout_request(accepted, refused, error):
    assert verify_logout(accepted).subject == "alice@example.com"
    with pytest.raises(IdentityError) as caught:
        verify_logout(refused)
    assert type(caught.value) is error
