"""SAML-14 and SAML-18 to SAML-25: signed by the right provider, but not for us, not now, or not about one person."""

from copy import deepcopy
from typing import Any

from bridge.attack.saml.corpus import hostile, hostile_table
from bridge.attack.saml.messages import ACS, IDP, MFA, PASSWORD, REQUEST_ID, SP, Draft, at, element, make_provider
from bridge.errors import (
    ClaimNotSingle,
    SAMLAttributeTwice,
    SAMLAudience,
    SAMLAuthnContext,
    SAMLAuthnStatement,
    SAMLConditions,
    SAMLConfirmation,
    SAMLDestination,
    SAMLExpired,
    SAMLInResponseTo,
    SAMLIssuer,
    SAMLLifetime,
    SAMLNameID,
    SAMLNotYet,
    SAMLProxyRestriction,
    SAMLRecipient,
    SAMLSchema,
    SAMLSessionOver,
    SAMLStale,
    SAMLStatus,
    SAMLSubject,
    SAMLTimeFormat,
    SAMLUnsolicited,
    SAMLVersion,
)

DATA = "//saml:SubjectConfirmationData"


def near_misses(value: str) -> dict[str, str]:
    """Return what is almost, but not quite, this identifier."""
    return {
        "empty": "",
        "blank_before": f" {value}",
        "blank_behind": f"{value} ",
        "newline": f"{value}\n",
        "slash": f"{value}/",
        "prefix": value[:-1],
        "longer": f"{value}.evil.example",
        "case": value.replace("example", "Example"),
        "http": value.replace("https", "http"),
        "port": value.replace(".com", ".com:443"),
        "query": f"{value}?a=b",
        "fragment": f"{value}#a",
        "user_info": value.replace("https://", "https://x@"),
        "encoded_dot": value.replace(".com", "%2Ecom"),
        "sub_path": f"{value}/x",
        "other": "https://other.example.net",
    }


# ── SAML-14: audience ────────────────────────────────────────────────────────────────────────────────────────


@hostile_table("SAML-14", SAMLAudience, near_misses(SP))
def audience(draft: Draft, value: Any) -> None:
    """An assertion for another service of the same company. Core 2.5.1.4; CVE-2026-41577."""
    draft.find("//saml:Audience").text = value


@hostile("SAML-14", SAMLAudience)
def no_audience_restriction(draft: Draft) -> None:
    """An assertion for everybody, which python3-saml accepts."""
    draft.find("//saml:Conditions").remove(draft.find("//saml:AudienceRestriction"))


@hostile("SAML-14", SAMLAudience)
def empty_audience_restriction(draft: Draft) -> None:
    """A restriction to nobody."""
    draft.find("//saml:AudienceRestriction").remove(draft.find("//saml:Audience"))


@hostile_table("SAML-14", SAMLAudience, {"behind": 1, "before": 0})
def second_restriction_excludes_us(draft: Draft, position: Any) -> None:
    """All restrictions must be met, not just one."""
    restriction = deepcopy(draft.find("//saml:AudienceRestriction"))
    restriction[0].text = "https://other.example.net"
    draft.find("//saml:Conditions").insert(position, restriction)


# ── SAML-18: issuer ──────────────────────────────────────────────────────────────────────────────────────────


@hostile_table("SAML-18", SAMLIssuer, near_misses(IDP))
def issuer_of_the_assertion(draft: Draft, value: Any) -> None:
    """The assertion is by somebody else. CVE-2026-49284."""
    draft.assertion[0].text = value


@hostile_table("SAML-18", SAMLIssuer, near_misses(IDP))
def issuer_of_the_response(draft: Draft, value: Any) -> None:
    """The response is by somebody else, although nobody signed it."""
    draft.root[0].text = value


@hostile("SAML-18", SAMLIssuer, signed="response")
def signed_response_without_issuer(draft: Draft) -> None:
    """A signed response has to name its issuer (Profiles 4.1.4.2)."""
    draft.root.remove(draft.root[0])


@hostile("SAML-18", SAMLIssuer, signed="response")
def assertion_without_issuer(draft: Draft) -> None:
    """An assertion has to name its issuer (Core 2.3.3)."""
    draft.assertion.remove(draft.assertion[0])


@hostile("SAML-18", SAMLIssuer)
def answer_of_another_provider(draft: Draft) -> None:
    """Provider B answers a question to provider A, with a key that A has too (mix-up)."""
    draft.expect(provider=make_provider(draft.provider, entity_id="https://other.example.com"))


@hostile_table("SAML-18", SAMLIssuer, {"assertion": "saml:Assertion/saml:Issuer", "response": "saml:Issuer"})
def issuer_format(draft: Draft, path: Any) -> None:
    """An issuer that is something other than an entity."""
    draft.find(path).set("Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent")


@hostile("SAML-18", SAMLIssuer)
def issuer_qualified(draft: Draft) -> None:
    """An issuer whose name counts somewhere else."""
    draft.assertion[0].set("NameQualifier", "https://other.example.net")


# ── SAML-19: InResponseTo ────────────────────────────────────────────────────────────────────────────────────

IN_RESPONSE_TO = {
    "other": "_other",
    "prefix": REQUEST_ID[:-1],
    "longer": f"{REQUEST_ID}0",
    "case": REQUEST_ID.upper(),
    "empty": "",
}


@hostile_table("SAML-19", SAMLInResponseTo, IN_RESPONSE_TO)
def response_in_response_to(draft: Draft, value: Any) -> None:
    """The answer to another question."""
    draft.root.set("InResponseTo", value)


@hostile_table("SAML-19", SAMLInResponseTo, IN_RESPONSE_TO)
def confirmation_in_response_to(draft: Draft, value: Any) -> None:
    """An assertion for another question in an unsigned response that names ours (node-saml 433)."""
    draft.find(DATA).set("InResponseTo", value)


@hostile_table("SAML-19", SAMLInResponseTo, {"response": ".", "confirmation": DATA})
def in_response_to_missing(draft: Draft, path: Any) -> None:
    """Named in only one of two places, which python3-saml accepts."""
    del draft.find(path).attrib["InResponseTo"]


@hostile("SAML-19", SAMLInResponseTo)
def unsolicited_answer_to_a_question(draft: Draft) -> None:
    """An unsolicited response while we await an answer: login CSRF."""
    for place in (draft.root, draft.find(DATA)):
        del place.attrib["InResponseTo"]


UNSOLICITED: dict[str, Any] = {"request_id": None, "policy": {"idp_initiated": True, "force_authn": False}}


@hostile("SAML-19", SAMLUnsolicited, **UNSOLICITED)
def unsolicited_from_a_provider_that_may_not(draft: Draft) -> None:
    """Nobody asked, and this provider may not begin."""
    draft.expect(provider=make_provider(draft.provider, idp_initiated=False))


@hostile_table(
    "SAML-19",
    SAMLInResponseTo,
    {"invented": "IdP_Initiated_Login", "of_another": REQUEST_ID, "empty": ""},
    **UNSOLICITED,
)
def unsolicited_with_in_response_to(draft: Draft, value: Any) -> None:
    """Nobody asked, but the response says that somebody did. One provider invents a value."""
    draft.root.set("InResponseTo", value)


@hostile_table(
    "SAML-19", SAMLInResponseTo, {"invented": "IdP_Initiated_Login", "of_another": REQUEST_ID}, **UNSOLICITED
)
def unsolicited_with_in_response_to_in_the_confirmation(draft: Draft, value: Any) -> None:
    """The answer to somebody else's question in an unsigned response that hides it."""
    draft.find(DATA).set("InResponseTo", value)


# ── SAML-20: time ────────────────────────────────────────────────────────────────────────────────────────────

SKEW = 60


FORCED = {"force_authn": True, "idp_initiated": False}


def shift(draft: Draft, seconds: Any) -> None:
    """Look at the message so much later."""
    draft.expect(now=draft.expected.now.__class__.fromisoformat(at(seconds)))


@hostile_table("SAML-20", SAMLExpired, {"at_the_end": 300 + SKEW, "later": 450})
def expired(draft: Draft, seconds: Any) -> None:
    """NotOnOrAfter has passed; the end itself is excluded."""
    shift(draft, seconds)


@hostile_table("SAML-20", SAMLNotYet, {"just": -SKEW - 1, "much": -600})
def not_yet_valid(draft: Draft, seconds: Any) -> None:
    """Issued in the future."""
    shift(draft, seconds)


@hostile("SAML-20", SAMLNotYet)
def not_before_in_the_future(draft: Draft) -> None:
    """Issued now, valid later."""
    draft.find("//saml:Conditions").set("NotBefore", at(SKEW + 1))


@hostile("SAML-20", SAMLExpired)
def conditions_expired(draft: Draft) -> None:
    """The conditions end before the confirmation does."""
    draft.find("//saml:Conditions").set("NotBefore", at(-300))
    draft.assertion.set("IssueInstant", at(-300))
    draft.find("//saml:Conditions").set("NotOnOrAfter", at(-SKEW))


@hostile("SAML-20", SAMLExpired)
def confirmation_expired(draft: Draft) -> None:
    """The confirmation ends before the conditions do."""
    draft.assertion.set("IssueInstant", at(-300))
    draft.find(DATA).set("NotOnOrAfter", at(-SKEW))


@hostile_table("SAML-20", SAMLLifetime, {"same": 0, "inverted": -10})
def window_without_extent(draft: Draft, seconds: Any) -> None:
    """The end is not behind the start."""
    draft.find("//saml:Conditions").set("NotOnOrAfter", at(seconds))


@hostile_table("SAML-20", SAMLLifetime, {"over_an_hour": at(3661), "forever": "2999-12-31T23:59:59Z"})
def valid_for_too_long(draft: Draft, end: Any) -> None:
    """An assertion that the provider cannot take back."""
    draft.find("//saml:Conditions").set("NotOnOrAfter", end)


@hostile_table("SAML-20", SAMLLifetime, {"over_an_hour": at(3661), "forever": "2999-12-31T23:59:59Z"})
def confirmation_valid_for_too_long(draft: Draft, end: Any) -> None:
    """A confirmation that the provider cannot take back."""
    draft.find(DATA).set("NotOnOrAfter", end)


@hostile("SAML-20", SAMLLifetime)
def conditions_without_end(draft: Draft) -> None:
    """No end at all."""
    del draft.find("//saml:Conditions").attrib["NotOnOrAfter"]


@hostile("SAML-20", SAMLConfirmation)
def confirmation_without_end(draft: Draft) -> None:
    """Profiles 4.1.4.2 requires NotOnOrAfter."""
    del draft.find(DATA).attrib["NotOnOrAfter"]


@hostile("SAML-20", SAMLConfirmation)
def confirmation_with_start(draft: Draft) -> None:
    """Profiles 4.1.4.2 forbids NotBefore."""
    draft.find(DATA).set("NotBefore", at(-10))


@hostile_table("SAML-20", SAMLStale, {"assertion": "saml:Assertion", "response": "."})
def issued_long_ago(draft: Draft, path: Any) -> None:
    """Issued eleven minutes ago and a second, still within its own validity."""
    draft.find(path).set("IssueInstant", at(-600 - SKEW - 1))


@hostile_table("SAML-20", SAMLNotYet, {"assertion": "saml:Assertion", "response": "."})
def issued_in_the_future(draft: Draft, path: Any) -> None:
    """Issued a minute and a second from now."""
    draft.find(path).set("IssueInstant", at(SKEW + 1))


@hostile("SAML-20", SAMLStale)
def authenticated_long_ago(draft: Draft) -> None:
    """Longer ago than the settings allow; ForceAuthn is only a wish."""
    draft.find("//saml:AuthnStatement").set("AuthnInstant", at(-43_200 - SKEW - 1))


@hostile_table("SAML-20", SAMLStale, {"just": -SKEW - 1, "an_hour": -3600}, policy=FORCED)
def authenticated_before_we_asked_for_it_anew(draft: Draft, seconds: Any) -> None:
    """The provider ignored ForceAuthn and answered from a session that it had."""
    draft.find("//saml:AuthnStatement").set("AuthnInstant", at(seconds))


@hostile("SAML-20", SAMLStale, policy=FORCED | {"clock_skew_seconds": 0})
def authenticated_a_second_before_we_asked_where_clocks_agree(draft: Draft) -> None:
    """Not even a second of an old session."""
    draft.find("//saml:AuthnStatement").set("AuthnInstant", at(-1))


@hostile("SAML-20", SAMLStale, policy=FORCED)
def asked_nobody_knows_when(draft: Draft) -> None:
    """A question that does not say when it was asked cannot show that the answer is newer."""
    draft.expect(asked_at=None)


@hostile("SAML-20", SAMLNotYet)
def authenticated_in_the_future(draft: Draft) -> None:
    """A minute and a second from now."""
    draft.find("//saml:AuthnStatement").set("AuthnInstant", at(SKEW + 1))


@hostile_table("SAML-20", SAMLSessionOver, {"at_the_end": -SKEW, "before": -600})
def session_over(draft: Draft, seconds: Any) -> None:
    """The provider's session has ended already."""
    draft.find("//saml:AuthnStatement").set("SessionNotOnOrAfter", at(seconds))


TIMES = {
    "offset": "2026-03-02T10:00:00+01:00",
    "zero_offset": "2026-03-02T09:00:00+00:00",
    "no_zone": "2026-03-02T09:00:00",
    "lower_case": "2026-03-02t09:00:00z",
    "no_such_day": "2026-02-30T09:00:00Z",
    "no_such_month": "2026-13-02T09:00:00Z",
    "leap_second": "2026-03-02T09:00:60Z",
    "hour_24": "2026-03-01T24:00:00Z",
    "date": "2026-03-02Z",
    "basic": "20260302T090000Z",
    "blank": " 2026-03-02T09:00:00Z",
    "newline": "2026-03-02T09:00:00Z\n",
    "comma": "2026-03-02T09:00:00,5Z",
    "empty_fraction": "2026-03-02T09:00:00.Z",
    "arabic_digits": "٢٠٢٦-03-02T09:00:00Z",
    "year_0": "0000-03-02T09:00:00Z",
    "year_5_digits": "12026-03-02T09:00:00Z",
    "empty": "",
    "number": "1772442000",
}


@hostile_table("SAML-20", SAMLTimeFormat, TIMES)
def time(draft: Draft, value: Any) -> None:
    """A time that is not written in UTC, or does not exist (Core 1.3.3)."""
    draft.assertion.set("IssueInstant", value)


@hostile_table(
    "SAML-20",
    SAMLTimeFormat,
    {
        "response": (".", "IssueInstant"),
        "NotBefore": ("//saml:Conditions", "NotBefore"),
        "NotOnOrAfter": ("//saml:Conditions", "NotOnOrAfter"),
        "confirmation": (DATA, "NotOnOrAfter"),
        "AuthnInstant": ("//saml:AuthnStatement", "AuthnInstant"),
        "session": ("//saml:AuthnStatement", "SessionNotOnOrAfter"),
    },
)
def time_with_offset_in(draft: Draft, place: Any) -> None:
    """The rule holds for every time."""
    draft.find(place[0]).set(place[1], "2026-03-02T10:04:00+01:00")


@hostile_table(
    "SAML-20",
    SAMLTimeFormat,
    {
        "NotBefore": ("//saml:Conditions", "NotBefore"),
        "session": ("//saml:AuthnStatement", "SessionNotOnOrAfter"),
    },
)
def time_that_does_not_exist_in(draft: Draft, place: Any) -> None:
    """An optional time that cannot be read is not one that is absent."""
    draft.find(place[0]).set(place[1], "2026-02-30T09:00:00Z")


@hostile_table("SAML-20", SAMLTimeFormat, {"assertion": "saml:Assertion", "response": "."})
def no_issue_instant(draft: Draft, path: Any) -> None:
    """No time of issue."""
    del draft.find(path).attrib["IssueInstant"]


# ── SAML-21: subject, confirmation, statements ───────────────────────────────────────────────────────────────


def remove(draft: Draft, path: Any) -> None:
    target = draft.find(path)
    target.getparent().remove(target)


def duplicate(draft: Draft, path: Any) -> None:
    target = draft.find(path)
    target.addnext(deepcopy(target))


@hostile("SAML-21", SAMLSubject)
def no_subject(draft: Draft) -> None:
    """About nobody."""
    remove(draft, "//saml:Subject")


@hostile("SAML-21", SAMLSubject)
def two_subjects(draft: Draft) -> None:
    """About two."""
    duplicate(draft, "//saml:Subject")


@hostile("SAML-21", SAMLNameID)
def no_name_id(draft: Draft) -> None:
    """About somebody without a name."""
    remove(draft, "//saml:NameID")


@hostile("SAML-21", SAMLNameID)
def two_name_ids(draft: Draft) -> None:
    """About somebody with two names."""
    duplicate(draft, "//saml:NameID")


@hostile("SAML-21", SAMLNameID)
def name_id_in_the_confirmation_only(draft: Draft) -> None:
    """The name of who confirms is not the name of the subject."""
    draft.find("//saml:SubjectConfirmation").insert(0, draft.find("//saml:NameID"))


@hostile_table(
    "SAML-21",
    SAMLNameID,
    {
        "empty": "",
        "blank": "   ",
        "blank_behind": "alice ",
        "newline_behind": "alice\n",
        "newline": "alice\nadmin",
        "tab": "alice\tadmin",
        "huge": "a" * 257,
        "zero_width": "alice\u200b",
        "bidi": "alice\u202eadmin",
        "no_break_space": "alice\u00a0",
        "line_separator": "ali\u2028ce",
    },
)
def name(draft: Draft, value: Any) -> None:
    """A name that is empty, huge, or not what it looks like."""
    draft.find("//saml:NameID").text = value


@hostile("SAML-21", SAMLNameID)
def transient_name(draft: Draft) -> None:
    """A name that is another one each time cannot be an account."""
    draft.find("//saml:NameID").set("Format", "urn:oasis:names:tc:SAML:2.0:nameid-format:transient")


PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
EMAIL_ONLY = {"name_id_format": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"}


@hostile("SAML-21", SAMLNameID, policy=EMAIL_ONLY)
def name_of_another_format(draft: Draft) -> None:
    """Not the format in the settings."""
    draft.find("//saml:NameID").set("Format", PERSISTENT)


@hostile("SAML-21", SAMLNameID, policy=EMAIL_ONLY)
def name_without_format(draft: Draft) -> None:
    """No format, which means unspecified (Core 8.3.1)."""
    del draft.find("//saml:NameID").attrib["Format"]


@hostile_table("SAML-21", SAMLNameID, {"NameQualifier": IDP, "SPNameQualifier": SP})
def qualifier(draft: Draft, right: Any) -> None:
    """A name given by, or for, somebody else."""
    attribute = "NameQualifier" if right == IDP else "SPNameQualifier"
    draft.find("//saml:NameID").set(attribute, f"{right}/")


@hostile("SAML-21", SAMLConfirmation)
def no_confirmation(draft: Draft) -> None:
    """Nothing says that the bearer is the subject."""
    remove(draft, "//saml:SubjectConfirmation")


@hostile_table(
    "SAML-21",
    SAMLConfirmation,
    {
        "holder_of_key": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
        "sender_vouches": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches",
        "bearer_of_saml11": "urn:oasis:names:tc:SAML:1.0:cm:bearer",
        "case": "urn:oasis:names:tc:SAML:2.0:cm:Bearer",
    },
)
def method(draft: Draft, value: Any) -> None:
    """A confirmation that somebody with more than the message could satisfy."""
    draft.find("//saml:SubjectConfirmation").set("Method", value)


@hostile("SAML-21", SAMLConfirmation)
def no_confirmation_data(draft: Draft) -> None:
    """Nothing to check."""
    remove(draft, DATA)


@hostile("SAML-21", SAMLConfirmation)
def two_confirmation_data(draft: Draft) -> None:
    """Which of them?"""
    duplicate(draft, DATA)


@hostile("SAML-21", SAMLConfirmation)
def confirmation_by_somebody_else(draft: Draft) -> None:
    """A confirmation that names who may confirm: not the bearer."""
    draft.find("//saml:SubjectConfirmation").insert(0, element("saml:NameID", "proxy@example.com"))


@hostile("SAML-21", SAMLAuthnStatement)
def no_authn_statement(draft: Draft) -> None:
    """Attributes of somebody who did not sign in."""
    remove(draft, "//saml:AuthnStatement")


@hostile("SAML-21", SAMLAuthnStatement)
def two_authn_statements(draft: Draft) -> None:
    """Which sign-in is it?"""
    duplicate(draft, "//saml:AuthnStatement")


@hostile("SAML-21", SAMLAuthnStatement)
def no_authn_instant(draft: Draft) -> None:
    """A sign-in at no time."""
    del draft.find("//saml:AuthnStatement").attrib["AuthnInstant"]


@hostile("SAML-21", SAMLAuthnStatement)
def no_authn_context(draft: Draft) -> None:
    """A sign-in of no kind."""
    remove(draft, "//saml:AuthnContext")


@hostile("SAML-21", SAMLAuthnStatement)
def class_ref_in_pieces(draft: Draft) -> None:
    """A strength that could be read in part."""
    draft.find("//saml:AuthnContextClassRef").append(element("saml:Anything"))


@hostile_table(
    "SAML-21",
    SAMLAuthnContext,
    {
        "password": PASSWORD,
        "empty": "",
        "blank_before": f" {MFA}",
        "newline": f"{MFA}\n",
        "slash": f"{MFA}/",
        "prefix": MFA[:-1],
        "case": MFA.upper(),
        "both": f"{PASSWORD} {MFA}",
    },
    policy={"requested_authn_contexts": [MFA, PASSWORD.replace("Password", "X509")]},
    context=MFA,
)
def weaker_authentication(draft: Draft, context: Any) -> None:
    """The provider ignored RequestedAuthnContext; a password is not what was asked for, nor what resembles it."""
    draft.find("//saml:AuthnContextClassRef").text = context


@hostile("SAML-21", SAMLAuthnContext, policy={"requested_authn_contexts": [PASSWORD]})
def authentication_by_declaration_only(draft: Draft) -> None:
    """A reference to a description of the authentication, where a class was asked for."""
    context = draft.find("//saml:AuthnContext")
    context[:] = [element("saml:AuthnContextDeclRef", PASSWORD)]


@hostile("SAML-21", SAMLAuthnStatement)
def overlong_session_index(draft: Draft) -> None:
    """More than a name."""
    draft.find("//saml:AuthnStatement").set("SessionIndex", "x" * 257)


@hostile("SAML-21", SAMLConditions)
def no_conditions(draft: Draft) -> None:
    """Valid for everybody and for ever."""
    remove(draft, "//saml:Conditions")


@hostile("SAML-21", SAMLConditions)
def two_conditions(draft: Draft) -> None:
    """Which of them?"""
    duplicate(draft, "//saml:Conditions")


@hostile_table("SAML-21", SAMLConditions, {"abstract": "saml:Condition", "unknown": "saml:Anything"})
def condition(draft: Draft, tag: Any) -> None:
    """A condition that we do not know cannot be met (Core 2.5.1)."""
    draft.find("//saml:Conditions").append(element(tag))


# ── SAML-22: proxy restriction ───────────────────────────────────────────────────────────────────────────────


@hostile_table(
    "SAML-22", SAMLProxyRestriction, {"zero": "0", "zeros": "00", "negative": "-1", "word": "none", "empty": ""}
)
def proxy_count(draft: Draft, count: Any) -> None:
    """The provider forbids what a bridge does (Core 2.5.1.6)."""
    draft.find("//saml:Conditions").append(element("saml:ProxyRestriction", Count=count))


@hostile("SAML-22", SAMLProxyRestriction)
def proxy_audience(draft: Draft) -> None:
    """The provider limits what we may issue to somebody."""
    restriction = element("saml:ProxyRestriction")
    restriction.append(element("saml:Audience", "https://other.example.net"))
    draft.find("//saml:Conditions").append(restriction)


# ── SAML-23: attributes ──────────────────────────────────────────────────────────────────────────────────────


def attribute(name: str, *values: str, **more: str) -> Any:
    new = element("saml:Attribute", Name=name, **more)
    new.extend(element("saml:AttributeValue", value) for value in values)
    return new


@hostile("SAML-23", SAMLAttributeTwice)
def attribute_twice(draft: Draft) -> None:
    """The same name twice in one statement."""
    draft.find("//saml:AttributeStatement").append(attribute("groups", "cloud-admins"))


@hostile("SAML-23", SAMLAttributeTwice)
def attribute_in_two_statements(draft: Draft) -> None:
    """The same name in a second statement."""
    statement = element("saml:AttributeStatement")
    statement.append(attribute("groups", "cloud-admins"))
    draft.assertion.append(statement)


@hostile("SAML-23", SAMLAttributeTwice)
def attribute_twice_with_another_format(draft: Draft) -> None:
    """The same name with another NameFormat."""
    statement = draft.find("//saml:AttributeStatement")
    statement.append(attribute("groups", "cloud-admins", NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"))


@hostile("SAML-23", ClaimNotSingle, policy={"claims": {}, "single_valued": ["mail"]})
def second_value_of_a_single_one(draft: Draft) -> None:
    """Two values where the settings say that there is one."""
    draft.find("//saml:Attribute[@Name='mail']").append(element("saml:AttributeValue", "admin@example.com"))


# ── SAML-24: destination and recipient ───────────────────────────────────────────────────────────────────────


@hostile_table("SAML-24", SAMLDestination, near_misses(ACS), signed="response")
def destination(draft: Draft, value: Any) -> None:
    """A signed response that was meant to go elsewhere; python3-saml compares the beginning."""
    draft.root.set("Destination", value)


@hostile_table("SAML-24", SAMLDestination, {"empty": "", "other": "https://other.example.net"})
def destination_of_an_unsigned_response(draft: Draft, value: Any) -> None:
    """It need not be there, but may not be wrong."""
    draft.root.set("Destination", value)


@hostile_table("SAML-24", SAMLDestination, {"response": "response", "both": "both"}, signed="both")
def signed_response_without_destination(draft: Draft, signed: Any) -> None:
    """Bindings 3.5.5.2 requires it."""
    draft.signed = signed
    del draft.root.attrib["Destination"]


@hostile_table("SAML-24", SAMLRecipient, near_misses(ACS))
def recipient(draft: Draft, value: Any) -> None:
    """An assertion that was meant to be delivered elsewhere; python3-saml looks for our address inside it."""
    draft.find(DATA).set("Recipient", value)


@hostile("SAML-24", SAMLRecipient)
def no_recipient(draft: Draft) -> None:
    """Profiles 4.1.4.2 requires it."""
    del draft.find(DATA).attrib["Recipient"]


# ── SAML-25: status and version ──────────────────────────────────────────────────────────────────────────────

STATUS = "urn:oasis:names:tc:SAML:2.0:status:"


@hostile_table(
    "SAML-25",
    SAMLStatus,
    {
        "responder": f"{STATUS}Responder",
        "requester": f"{STATUS}Requester",
        "denied": f"{STATUS}RequestDenied",
        "case": f"{STATUS}success",
        "longer": f"{STATUS}Success2",
        "blank": f"{STATUS}Success ",
        "short": "Success",
        "empty": "",
    },
)
def status(draft: Draft, value: Any) -> None:
    """An assertion in spite of an error."""
    draft.find("//samlp:StatusCode").set("Value", value)


@hostile("SAML-25", SAMLStatus)
def nested_success(draft: Draft) -> None:
    """Success below a failure."""
    code = draft.find("//samlp:StatusCode")
    code.set("Value", f"{STATUS}Responder")
    code.append(element("samlp:StatusCode", Value=f"{STATUS}Success"))


@hostile("SAML-25", SAMLStatus)
def no_status(draft: Draft) -> None:
    """Neither success nor failure."""
    remove(draft, "//samlp:Status")


@hostile("SAML-25", SAMLStatus)
def no_status_code(draft: Draft) -> None:
    """Neither success nor failure."""
    remove(draft, "//samlp:StatusCode")


@hostile("SAML-25", SAMLStatus)
def two_status_codes(draft: Draft) -> None:
    """Success and failure."""
    duplicate(draft, "//samlp:StatusCode")


@hostile("SAML-25", SAMLSchema)
def two_statuses(draft: Draft) -> None:
    """Success and success."""
    duplicate(draft, "//samlp:Status")


@hostile("SAML-25", SAMLStatus, signed="response")
def error_without_assertion(draft: Draft) -> None:
    """What an honest provider sends when the person gave up."""
    draft.signed = "none"
    draft.root.remove(draft.assertion)
    draft.find("//samlp:StatusCode").set("Value", f"{STATUS}Responder")


@hostile_table(
    "SAML-25",
    SAMLVersion,
    {
        f"{place}_{version}": (path, version)
        for place, path in (("assertion", "saml:Assertion"), ("response", "."))
        for version in ("1.1", "2.1", "2", "")
    },
)
def version(draft: Draft, place: Any) -> None:
    """Not SAML 2.0."""
    draft.find(place[0]).set("Version", place[1])


@hostile_table("SAML-25", SAMLVersion, {"assertion": "saml:Assertion", "response": "."})
def no_version(draft: Draft, path: Any) -> None:
    """No version at all."""
    del draft.find(path).attrib["Version"]
