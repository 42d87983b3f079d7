"""AssumeRoleWithSAML at our endpoint: an assertion that was made for it, once, for a listed role (threat STS-13)."""

import pytest
from lxml import etree

from bridge.attack.saml.messages import NS, Draft, SignatureOptions, make_key
from bridge.sts_endpoint.role_attributes import ROLE, ROLE_SESSION_NAME
from tests.attacks.door import PUBLIC_URL

ACCOUNT = "1000000000000001"
PROVIDER = f"acs:ram::{ACCOUNT}:saml-provider/corp"
READ_ONLY = f"acs:ram::{ACCOUNT}:role/ReadOnly"
AUDIENCE = f"{PUBLIC_URL}/saml/corp/sts"
RECIPIENT = f"{PUBLIC_URL}/"


def make(roles=(f"{READ_ONLY},{PROVIDER}",), name="alice", audience=AUDIENCE, recipient=RECIPIENT, **options):
    """Return a response for the endpoint."""
    draft = Draft(request_id=None, **options)
    draft.root.set("Destination", recipient)
    draft.find("//saml:SubjectConfirmationData").set("Recipient", recipient)
    draft.find("//saml:Audience").text = audience
    statement = draft.find("//saml:AttributeStatement")
    for attribute, values in ((ROLE, roles), (ROLE_SESSION_NAME, (name,) if name else ())):
        element = etree.SubElement(statement, f"{{{NS['saml']}}}Attribute", Name=attribute)
        for value in values:
            etree.SubElement(element, f"{{{NS['saml']}}}AttributeValue").text = value
        if not values:
            statement.remove(element)
    return draft


def ask(visitor, encoded, **changes):
    form = {
        "Action": "AssumeRoleWithSAML",
        "Version": "2015-04-01",
        "Format": "JSON",
        "SAMLProviderArn": PROVIDER,
        "RoleArn": READ_ONLY,
        "SAMLAssertion": encoded,
        **changes,
    }
    return visitor.post("/", form, site=None)


def test_t_sts_13_an_assertion_for_the_endpoint_becomes_a_role_that_it_lists(service, visitor, no_failures):
    answer = ask(visitor, make().encode())

    assert answer.status_code == 200, answer.text
    assert answer.json["AssumedRoleUser"]["Arn"] == f"{READ_ONLY}/alice"
    info = answer.json["SAMLAssertionInfo"]
    assert info["Recipient"] == RECIPIENT
    assert info["Subject"] == "alice@example.com"
    assert info["SubjectType"] == "emailAddress"


REFUSED = {
    "meant for the portal": (lambda: make(audience=f"{PUBLIC_URL}/saml/corp/metadata"), {}, "Invalid"),
    "sent to the portal": (lambda: make(recipient=f"{PUBLIC_URL}/saml/corp/acs"), {}, "Invalid"),
    "for the real STS": (lambda: make(audience="urn:alibaba:cloudcomputing"), {}, "Invalid"),
    "unsigned": (lambda: make(signed="none"), {}, "Invalid"),
    "signed by somebody else": (lambda: make(options=SignatureOptions(key=make_key("stranger"))), {}, "Invalid"),
    "without a session name": (lambda: make(name=None), {}, "Invalid"),
}


@pytest.mark.parametrize(("build", "changes", "code"), REFUSED.values(), ids=REFUSED)
def test_t_sts_13_an_assertion_for_something_else_is_refused(service, visitor, build, changes, code):
    answer = ask(visitor, build().encode(), **changes)

    assert answer.status_code == 401
    assert answer.json["Code"] == f"AuthenticationFail.SAMLAssertion.{code}"
    assert answer.json["RequestId"] == answer.headers["x-acs-request-id"]


def test_t_sts_13_what_is_no_response_is_refused(service, visitor):
    doctype = "PCFET0NUWVBFIHggWzwhRU5USVRZIGEgImIiPl0+PHgvPg=="

    for text in ("AAAA", "!", "A" * 600_000, doctype):
        answer = ask(visitor, text)
        assert answer.status_code in {401, 413}, text[:10]
    assert ask(visitor, "").json["Code"] == "MissingParameter.SAMLAssertion"


@pytest.mark.parametrize(
    ("roles", "changes", "answered"),
    [
        ((f"acs:ram::{ACCOUNT}:role/Auditor,{PROVIDER}",), {}, (403, "NoPermission")),
        ((f"{READ_ONLY},acs:ram::{ACCOUNT}:saml-provider/tiles",), {}, (403, "NoPermission")),
        ((f"{PROVIDER},{READ_ONLY}",), {}, (403, "NoPermission")),
        ((READ_ONLY,), {}, (403, "NoPermission")),
        ((), {}, (403, "NoPermission")),
        (
            (f"acs:ram::{ACCOUNT}:role/Auditor,{PROVIDER}",),
            {"RoleArn": f"acs:ram::{ACCOUNT}:role/Auditor"},
            (403, "NoPermission"),
        ),
        (
            (f"{READ_ONLY},{PROVIDER}",),
            {"SAMLProviderArn": f"acs:ram::{ACCOUNT}:saml-provider/nobody"},
            (404, "EntityNotExist.SAMLProvider"),
        ),
        (
            (f"{READ_ONLY},{PROVIDER}",),
            {"SAMLProviderArn": "acs:ram::1000000000000002:saml-provider/corp"},
            (403, "NoPermission"),
        ),
    ],
)
def test_t_sts_13_a_role_that_is_not_listed_or_not_granted_is_refused(service, visitor, roles, changes, answered):
    answer = ask(visitor, make(roles=roles).encode(), **changes)

    assert (answer.status_code, answer.json["Code"]) == answered


def test_t_sts_13_an_assertion_counts_once(service, visitor):
    encoded = make().encode()

    assert ask(visitor, encoded).status_code == 200
    again = ask(visitor, encoded)
    assert again.json["Code"] == "AuthenticationFail.SAMLAssertion.Invalid"
    assert service.records()[-1]["code"] == "saml_replay"


def test_t_sts_13_an_assertion_that_is_over_is_called_expired(service, visitor):
    encoded = make().encode()
    service.clock.advance(1200)

    assert ask(visitor, encoded).json["Code"] == "AuthenticationFail.SAMLAssertion.Expired"
