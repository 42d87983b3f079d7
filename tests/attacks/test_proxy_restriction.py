"""SAML-22: what a provider lets us issue on the basis of its assertion, we pass on as one less (SAML Core 2.5.1.6)."""

import base64

import pytest
from lxml import etree
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from bridge.attack.saml.messages import NOW, NS, Draft, element
from bridge.errors import SAMLProxyRestriction
from bridge.exchange.metadata import build_saml_metadata, entity_id
from bridge.identity.saml.response import verify_response
from bridge.keys import KeyFolder
from bridge.sandbox.cloud.saml_metadata import parse_idp_metadata
from bridge.sandbox.cloud.saml_response import Expectation, parse_saml_response, verify_saml_response
from tests.attacks.door import PUBLIC_URL, begin, check_refusal, draft_response, post_response, read

pytestmark = pytest.mark.usefixtures("no_failures")


def restrict(draft, *counts):
    for count in counts:
        attributes = {} if count is None else {"Count": count}
        draft.find("//saml:Conditions").append(element("saml:ProxyRestriction", **attributes))
    return draft


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((), None),
        ((None,), None),
        (("1",), 1),
        (("7",), 7),
        (("007",), 7),
        (("5", "2"), 2),
        (("2", "5"), 2),
        ((None, "3"), 3),
        (("1" + "0" * 5_000,), 100_000),
    ],
)
def test_the_count_is_remembered_with_the_person(counts, expected):
    draft = restrict(Draft(), *counts)
    assert verify_response(draft.encode(), draft.expected).proxy_count == expected


@pytest.mark.parametrize("counts", [("0",), ("3", "0"), (None, "0"), ("1.5",), (" 1",), ("-0",), ("\u0661",)])
def test_t_saml_22_where_nothing_may_be_issued_nobody_signs_in(service, visitor, counts):
    question = begin(visitor, "corp")
    draft = restrict(draft_response("corp", question.request_id), *counts)
    last = service.last()
    response = post_response(visitor, "corp", draft.encode(), question.handle)
    check_refusal(service, response, SAMLProxyRestriction, after=last)
    honest = restrict(draft_response("corp", question.request_id), "1")
    assert post_response(visitor, "corp", honest.encode(), question.handle).status_code == 303


def issued(service, visitor, *counts):
    """Sign in with these counts and return what we sign for the console and for STS."""
    question = begin(visitor, "corp")
    draft = restrict(draft_response("corp", question.request_id), *counts)
    assert post_response(visitor, "corp", draft.encode(), question.handle).status_code == 303
    page = visitor.get("/")
    forms = {kind: f"/{kind}/" for kind in ("console", "credentials")}
    console = visitor.submit(page, forms["console"])
    assert visitor.submit(page, forms["credentials"]).status_code == 200
    return read(console).forms[0].fields["SAMLResponse"], service.sts.requests[-1].form["SAMLAssertion"]


@pytest.mark.parametrize(
    ("counts", "expected"), [((), []), ((None,), []), (("1",), ["0"]), (("2",), ["1"]), (("9", "3"), ["2"])]
)
def test_t_saml_22_what_we_sign_carries_one_less(service, visitor, counts, expected):
    for encoded in issued(service, visitor, *counts):
        document = base64.b64decode(encoded)
        root = etree.fromstring(document)
        restrictions = root.xpath("//saml:Conditions/saml:ProxyRestriction", namespaces=NS)
        assert [each.get("Count") for each in restrictions] == expected
        assert [len(each) for each in restrictions] == [0] * len(expected)
        valid = OneLogin_Saml2_XML.validate_xml(document, "saml-schema-protocol-2.0.xsd", debug=False)
        assert not isinstance(valid, str), valid


def test_the_stand_in_cloud_accepts_an_assertion_that_nothing_may_be_based_on(service, visitor):
    encoded, _ = issued(service, visitor, "1")
    keys = KeyFolder(service.configuration.settings.key_folder)
    own = build_saml_metadata(entity_id(PUBLIC_URL), PUBLIC_URL, keys.published("saml-issuer"))
    console = service.configuration.accounts["production"].console_addresses
    expectation = Expectation(parse_idp_metadata(own), console.role_sso_url, console.role_sso_audience, NOW)
    assert verify_saml_response(parse_saml_response(encoded), expectation)
