"""What the stand-in provider says by SAML, as other people's libraries read it, and what it refuses."""

import re
from base64 import b64encode
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import requests
from lxml import etree
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings
from signxml import XMLVerifier

from bridge.clock import format_utc
from bridge.sandbox.idp.sessions import MFA_CONTEXT, PASSWORD_CONTEXT
from tests.unit.sandbox.idp.parties import (
    SAML,
    SAMLP,
    SigningKey,
    read_response,
    sign_in,
)

NAMES = {"saml": SAML, "samlp": SAMLP}
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


def ask(idp, rp, inside="", **changes):
    return rp.build_request(idp.sso_url, idp.clock.now(), inside, **changes)


def open_redirect(browser, idp, rp, query=None):
    return browser.open(f"{idp.sso_url}?{query or rp.build_redirect(ask(idp, rp))}")


def read_code(page):
    return re.search(r"Code: (\w+)", page.text()).group(1)


def find_statuses(response):
    return [each.get("Value").rpartition(":")[2] for each in response.iterfind(".//samlp:StatusCode", NAMES)]


def validate_with_python3_saml(idp, rp, page, request_id):
    """Return the response as python3-saml reads it, with everything required that it can require."""
    metadata = OneLogin_Saml2_IdPMetadataParser.parse(requests.get(idp.state.saml_entity_id, timeout=5).content)
    security = {
        "wantAssertionsSigned": True,
        "wantMessagesSigned": True,
        "wantNameId": True,
        "wantAttributeStatement": True,
        "rejectDeprecatedAlgorithm": True,
        "rejectUnsolicitedResponsesWithInResponseTo": True,
    }
    sp = {
        "entityId": rp.entity_id,
        "assertionConsumerService": {
            "url": rp.acs_url,
            "binding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        },
        "NameIDFormat": PERSISTENT,
    }
    settings = OneLogin_Saml2_Settings({"strict": True, "sp": sp, "idp": metadata["idp"], "security": security})
    response = OneLogin_Saml2_Response(settings, page.forms[0].fields["SAMLResponse"])
    address = urlsplit(rp.acs_url)
    data = {"https": "off", "http_host": address.netloc, "script_name": address.path, "get_data": {}}
    response.is_valid(data, request_id, raise_exceptions=True)
    return response


# ── What it says ─────────────────────────────────────────────────────────────────────────────────────────────


def test_metadata_names_entity_addresses_and_certificate(idp):
    answer = requests.get(f"{idp.url}/saml/metadata", timeout=5)
    data = OneLogin_Saml2_IdPMetadataParser.parse(answer.content)["idp"]
    assert answer.headers["Content-Type"].startswith("application/samlmetadata+xml")
    assert data["entityId"] == f"{idp.url}/saml/metadata"
    assert data["singleSignOnService"]["url"] == idp.sso_url
    assert data["x509cert"]


def test_redirect_request_is_answered_with_a_response_that_python3_saml_accepts(idp, rp, browser):
    page = open_redirect(browser, idp, rp)
    assert "Relying Party" in page.text()
    page = sign_in(browser, "lin.wei")
    assert page.forms[0].action == rp.acs_url
    assert page.forms[0].fields["RelayState"] == "state-1"
    response = validate_with_python3_saml(idp, rp, page, "_question-1")
    assert response.get_attributes() == {
        "uid": ["lin.wei"],
        "mail": ["lin.wei@acme.example"],
        "displayName": ["林薇"],
        "department": ["Platform"],
        "title": ["Engineer"],
        "groups": ["platform", "平台 <admins> & co"],
    }
    assert response.get_nameid_format() == PERSISTENT
    assert re.fullmatch(r"[0-9a-f]{40}", response.get_nameid())
    assert response.get_session_index()


def test_post_request_is_answered_with_a_response_that_python3_saml_accepts(idp, rp, browser):
    signed = etree.tostring(rp.sign_document(ask(idp, rp)))
    fields = {"SAMLRequest": b64encode(signed), "RelayState": "state-1"}
    answer = requests.post(idp.sso_url, data=fields, allow_redirects=False, timeout=5)
    assert answer.status_code == 303
    browser.open(idp.url + answer.headers["Location"])
    page = sign_in(browser, "lin.wei")
    assert page.forms[0].fields["RelayState"] == "state-1"
    validate_with_python3_saml(idp, rp, page, "_question-1")


def test_response_and_assertion_are_both_signed_over_bytes_that_keep_their_prefixes(idp, rp, browser):
    open_redirect(browser, idp, rp)
    response = read_response(sign_in(browser, "lin.wei"))
    certificate = etree.fromstring(requests.get(idp.state.saml_entity_id, timeout=5).content).findtext(
        ".//{http://www.w3.org/2000/09/xmldsig#}X509Certificate"
    )
    pem = f"-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"
    verified = XMLVerifier().verify(response, x509_cert=pem, id_attribute="ID")
    assert verified.signed_xml.tag == f"{{{SAMLP}}}Response"
    assertion = etree.fromstring(etree.tostring(response.find("saml:Assertion", NAMES)))
    verified = XMLVerifier().verify(assertion, x509_cert=pem, id_attribute="ID")
    assert verified.signed_xml.get("ID") == assertion.get("ID")
    assert b'xmlns:xs="http://www.w3.org/2001/XMLSchema"' in verified.signed_data


def test_assertion_is_bound_to_the_question_the_address_and_the_session(idp, rp, browser):
    open_redirect(browser, idp, rp)
    response = read_response(sign_in(browser, "lin.wei"))
    now = idp.clock.now()
    confirmation = response.find(".//saml:SubjectConfirmationData", NAMES)
    statement = response.find(".//saml:AuthnStatement", NAMES)
    conditions = response.find(".//saml:Conditions", NAMES)
    assert dict(confirmation.attrib) == {
        "Recipient": rp.acs_url,
        "NotOnOrAfter": format_utc(now + timedelta(minutes=5)),
        "InResponseTo": "_question-1",
    }
    assert response.get("InResponseTo") == "_question-1"
    assert response.get("Destination") == rp.acs_url
    assert conditions.get("NotBefore") == format_utc(now)
    assert conditions.findtext(".//saml:Audience", namespaces=NAMES) == rp.entity_id
    assert statement.get("AuthnInstant") == format_utc(now)
    assert statement.get("SessionNotOnOrAfter") == format_utc(now + timedelta(hours=8))


def test_tile_posts_a_response_that_nobody_asked_for(idp, rp, browser):
    browser.open(idp.url)
    sign_in(browser, "lin.wei")
    page = browser.click("Cloud")
    response = read_response(page)
    assert page.forms[0].fields["RelayState"] == "from-tile"
    assert "InResponseTo" not in etree.tostring(response).decode()
    validate_with_python3_saml(idp, rp, page, None)
    browser.auto_submit()
    arrived = rp.received[-1]
    assert (arrived["path"], arrived["Origin"], arrived["Sec-Fetch-Site"]) == ("/acs", idp.url, "cross-site")


@pytest.mark.parametrize(
    ("method", "context"), [("password", PASSWORD_CONTEXT), ("security-key", MFA_CONTEXT)], ids=["password", "key"]
)
def test_context_says_how_strongly_the_person_signed_in(idp, rp, browser, method, context):
    open_redirect(browser, idp, rp)
    response = read_response(sign_in(browser, "lin.wei", method))
    assert response.findtext(".//saml:AuthnContextClassRef", namespaces=NAMES) == context


def test_person_without_groups_has_no_groups_attribute(idp, rp, browser):
    open_redirect(browser, idp, rp)
    response = read_response(sign_in(browser, "jonas"))
    assert response.find(".//saml:Attribute[@Name='groups']", NAMES) is None
    assert response.find(".//saml:Attribute[@Name='uid']", NAMES) is not None


def test_second_acs_of_the_metadata_may_be_asked_for(idp, rp, browser):
    query = rp.build_redirect(ask(idp, rp, AssertionConsumerServiceURL=rp.second_acs_url))
    open_redirect(browser, idp, rp, query)
    assert sign_in(browser, "jonas").forms[0].action == rp.second_acs_url


def test_default_acs_is_used_if_none_is_asked_for(idp, rp, browser):
    open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp, AssertionConsumerServiceURL=None)))
    assert sign_in(browser, "jonas").forms[0].action == rp.acs_url


def test_signed_in_person_is_not_asked_again(idp, rp, browser):
    browser.open(idp.url)
    sign_in(browser, "jonas")
    assert find_statuses(read_response(open_redirect(browser, idp, rp))) == ["Success"]


# ── What the request asks for ────────────────────────────────────────────────────────────────────────────────


def test_force_authn_asks_a_signed_in_person_again(idp, rp, browser):
    browser.open(idp.url)
    sign_in(browser, "jonas")
    idp.clock.advance(seconds=30)
    page = open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp, ForceAuthn="true")))
    assert page.title.startswith("Sign in")
    idp.clock.advance(seconds=5)
    response = read_response(sign_in(browser, "jonas"))
    assert response.find(".//saml:AuthnStatement", NAMES).get("AuthnInstant") == format_utc(idp.clock.now())


def test_passive_request_without_session_is_answered_with_no_passive(idp, rp, browser):
    page = open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp, IsPassive="true")))
    response = read_response(page)
    assert find_statuses(response) == ["Responder", "NoPassive"]
    assert response.find("saml:Assertion", NAMES) is None
    assert response.find("{http://www.w3.org/2000/09/xmldsig#}Signature") is not None


def test_declining_is_answered_with_authn_failed(idp, rp, browser):
    open_redirect(browser, idp, rp)
    page = browser.click("Do not sign in, go back to Relying Party")
    assert find_statuses(read_response(page)) == ["Responder", "AuthnFailed"]


def test_other_name_id_format_is_answered_with_invalid_policy(idp, rp, browser):
    inside = '<samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient"/>'
    page = open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp, inside)))
    assert find_statuses(read_response(page)) == ["Requester", "InvalidNameIDPolicy"]


def requested_context(comparison, *contexts):
    inside = "".join(f"<saml:AuthnContextClassRef>{each}</saml:AuthnContextClassRef>" for each in contexts)
    return f'<samlp:RequestedAuthnContext Comparison="{comparison}">{inside}</samlp:RequestedAuthnContext>'


def test_stronger_context_sends_a_signed_in_person_to_sign_in_again(idp, rp, browser):
    browser.open(idp.url)
    sign_in(browser, "lin.wei", "password")
    idp.clock.advance(seconds=30)
    query = rp.build_redirect(ask(idp, rp, requested_context("exact", MFA_CONTEXT)))
    assert open_redirect(browser, idp, rp, query).title.startswith("Sign in")
    response = read_response(sign_in(browser, "lin.wei", "security-key"))
    assert response.findtext(".//saml:AuthnContextClassRef", namespaces=NAMES) == MFA_CONTEXT


@pytest.mark.parametrize(
    "case",
    [
        pytest.param((("exact", MFA_CONTEXT), "password", None), id="too-weak"),
        pytest.param((("minimum", MFA_CONTEXT), "password", None), id="below-minimum"),
        pytest.param((("minimum", PASSWORD_CONTEXT), "security-key", MFA_CONTEXT), id="above-minimum"),
        pytest.param((("exact", PASSWORD_CONTEXT), "security-key", PASSWORD_CONTEXT), id="weaker-is-true-as-well"),
        pytest.param((("exact", "urn:unknown"), "security-key", None), id="unknown"),
        pytest.param((("better", PASSWORD_CONTEXT), "security-key", None), id="unsupported-comparison"),
    ],
)
def test_only_a_requested_context_is_stated(idp, rp, browser, case):
    requested, method, stated = case
    open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp, requested_context(*requested))))
    response = read_response(sign_in(browser, "lin.wei", method))
    assert response.findtext(".//saml:AuthnContextClassRef", namespaces=NAMES) == stated
    assert (find_statuses(response) == ["Success"]) is (stated is not None)
    assert stated is not None or find_statuses(response) == ["Responder", "NoAuthnContext"]


# ── What it refuses ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"AssertionConsumerServiceURL": "https://evil.example/acs"}, "idp_acs", id="foreign-acs"),
        pytest.param({"AssertionConsumerServiceURL": "{acs}.evil.example"}, "idp_acs", id="acs-suffix"),
        pytest.param({"AssertionConsumerServiceURL": "{acs}/"}, "idp_acs", id="acs-slash"),
        pytest.param({"AssertionConsumerServiceURL": ""}, "idp_acs", id="acs-empty"),
        pytest.param(
            {"AssertionConsumerServiceURL": None, "AssertionConsumerServiceIndex": "7"}, "idp_acs", id="acs-index"
        ),
        pytest.param({"ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:PAOS"}, "idp_binding", id="binding"),
        pytest.param({"Destination": "https://other.example/sso"}, "saml_destination", id="other-destination"),
        pytest.param({"Destination": None}, "saml_destination", id="no-destination"),
        pytest.param({"Version": "1.1"}, "saml_version", id="version"),
        pytest.param({"ID": None}, "saml_id", id="no-id"),
        pytest.param({"ID": "1 2"}, "saml_id", id="id-not-a-name"),
        pytest.param({"IssueInstant": "2001-01-01T00:00:00Z"}, "idp_request_time", id="old"),
        pytest.param({"IssueInstant": "2999-01-01T00:00:00Z"}, "idp_request_time", id="future"),
        pytest.param({"IssueInstant": "2026-02-31T00:00:00Z"}, "saml_time_format", id="no-such-day"),
        pytest.param({"IssueInstant": "2026-01-01T00:00:00+00:00"}, "saml_time_format", id="offset"),
    ],
)
def test_signed_but_unacceptable_request_is_refused(idp, rp, browser, changes, code):
    changes = {name: value and value.replace("{acs}", rp.acs_url) for name, value in changes.items()}
    page = open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp, **changes)))
    assert (page.status, read_code(page)) == (400, code)
    assert rp.received == []


def replace_in_query(query, name, value):
    return re.sub(rf"(^|&){name}=[^&]*", rf"\g<1>{name}={value}", query)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(lambda q: q.partition("&SigAlg")[0], "idp_request_unsigned", id="unsigned"),
        pytest.param(lambda q: q.partition("&Signature")[0], "idp_request_unsigned", id="signature-cut"),
        pytest.param(lambda q: replace_in_query(q, "RelayState", "other"), "idp_request_signature", id="relay-state"),
        pytest.param(lambda q: re.sub("RelayState=[^&]*&", "", q), "idp_request_signature", id="relay-state-dropped"),
        pytest.param(lambda q: replace_in_query(q, "Signature", "AAAA"), "idp_request_signature", id="other-signature"),
        pytest.param(lambda q: replace_in_query(q, "Signature", "%00"), "idp_request_signature", id="not-base64"),
        pytest.param(lambda q: replace_in_query(q, "Signature", "%C3%A9"), "idp_request_signature", id="not-ascii"),
        pytest.param(
            lambda q: replace_in_query(q, "SigAlg", "http://www.w3.org/2000/09/xmldsig%23rsa-sha1"),
            "idp_request_algorithm",
            id="sha1",
        ),
        pytest.param(lambda q: q + "&RelayState=again", "idp_parameter_twice", id="relay-state-twice"),
        pytest.param(lambda q: replace_in_query(q, "SAMLRequest", "%3F%3F"), "saml_base64", id="request-not-base64"),
        pytest.param(lambda q: replace_in_query(q, "SAMLRequest", "AAAA"), "saml_deflate", id="not-deflated"),
        pytest.param(lambda _: "x=1", "idp_no_request", id="no-request"),
    ],
)
def test_spoilt_query_is_refused(idp, rp, browser, spoil, code):
    page = open_redirect(browser, idp, rp, spoil(rp.build_redirect(ask(idp, rp))))
    assert (page.status, read_code(page)) == (400, code)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(
            lambda d: d.replace(b"/metadata</saml:Issuer>", b"/other</saml:Issuer>"), "idp_unknown_sp", id="issuer"
        ),
        pytest.param(lambda d: d.replace(b"/metadata<", b"/metadata<!-- -->x<"), "saml_comment_or_pi", id="comment"),
        pytest.param(lambda d: b"<!DOCTYPE a>" + d, "saml_dtd", id="doctype"),
        pytest.param(lambda d: d[:-5], "saml_not_xml", id="cut"),
        pytest.param(lambda d: d.replace(b"AuthnRequest", b"LogoutRequest"), "saml_root", id="logout"),
        pytest.param(lambda d: d + b" " * 1_000_000, "saml_too_large", id="deflate-bomb"),
    ],
)
def test_spoilt_document_is_refused_though_signed(idp, rp, browser, spoil, code):
    page = open_redirect(browser, idp, rp, rp.build_redirect(spoil(ask(idp, rp))))
    assert (page.status, read_code(page)) == (400, code)


def test_request_signed_with_another_key_is_refused(idp, rp, browser):
    page = open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp), key=SigningKey()))
    assert (page.status, read_code(page)) == (400, "idp_request_signature")


def test_long_relay_state_is_refused(idp, rp, browser):
    assert open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp), "x" * 80)).status == 200
    page = open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp), "x" * 81))
    assert read_code(page) == "saml_relay_state"


def test_request_is_answered_once(idp, rp, browser):
    query = rp.build_redirect(ask(idp, rp))
    open_redirect(browser, idp, rp, query)
    sign_in(browser, "jonas")
    page = open_redirect(browser, idp, rp, query)
    assert (page.status, read_code(page)) == (400, "idp_request_replayed")


def test_question_is_forgotten_after_ten_minutes(idp, rp, browser):
    open_redirect(browser, idp, rp)
    idp.clock.advance(minutes=10)
    assert read_code(sign_in(browser, "jonas")) == "idp_question_over"


def post(idp, root):
    document = root if isinstance(root, bytes) else etree.tostring(root)
    return requests.post(idp.sso_url, {"SAMLRequest": b64encode(document)}, allow_redirects=False, timeout=5)


def wrap(root, rp):
    """The signed request hides inside an unsigned one of the attacker."""
    outer = etree.fromstring(etree.tostring(root))
    outer.set("ID", "_attacker")
    outer.set("AssertionConsumerServiceURL", rp.second_acs_url)
    signature = outer.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(root)
    root.remove(root.find("{http://www.w3.org/2000/09/xmldsig#}Signature"))
    return outer


def add_transform(root, _):
    transforms = root.find(".//{http://www.w3.org/2000/09/xmldsig#}Transforms")
    transform = etree.SubElement(transforms, "{http://www.w3.org/2000/09/xmldsig#}Transform")
    transform.set("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
    return root


def change_acs(root, rp):
    root.set("AssertionConsumerServiceURL", rp.second_acs_url)
    return root


def strip_signature(root, _):
    root.remove(root.find("{http://www.w3.org/2000/09/xmldsig#}Signature"))
    return root


def repeat_id(root, _):
    etree.SubElement(root, "{urn:example}Twin").set("ID", root.get("ID"))
    return root


def weaken(root, _):
    method = root.find(".//{http://www.w3.org/2000/09/xmldsig#}SignatureMethod")
    method.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#hmac-sha1")
    return root


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(strip_signature, "idp_request_unsigned", id="unsigned"),
        pytest.param(change_acs, "idp_request_signature", id="changed-after-signing"),
        pytest.param(wrap, "idp_request_signature_form", id="wrapped"),
        pytest.param(add_transform, "idp_request_signature_form", id="xpath-transform"),
        pytest.param(repeat_id, "idp_request_signature_form", id="id-twice"),
        pytest.param(weaken, "idp_request_algorithm", id="hmac"),
    ],
)
def test_spoilt_post_request_is_refused(idp, rp, spoil, code):
    document = ask(idp, rp)
    assert post(idp, rp.sign_document(document)).status_code == 303
    answer = post(idp, spoil(rp.sign_document(document), rp))
    assert (answer.status_code, re.search(r"<code>(\w+)", answer.text).group(1)) == (400, code)


def test_post_request_signed_with_another_key_is_refused(idp, rp):
    answer = post(idp, rp.sign_document(ask(idp, rp), SigningKey()))
    assert "idp_request_signature" in answer.text


def test_tile_of_an_application_that_is_not_running_says_so(idp, browser):
    browser.open(idp.url)
    sign_in(browser, "jonas")
    page = browser.click("Absent")
    assert (page.status, read_code(page)) == (502, "idp_metadata")


def test_other_site_cannot_launch_a_tile(idp, browser):
    browser.open(idp.url)
    sign_in(browser, "jonas")
    cookie = {"acme_idp": browser.cookies["acme_idp"]}
    launch = f"{idp.url}/launch/cloud"
    assert requests.post(launch, cookies=cookie, headers={"Origin": idp.url}, timeout=5).status_code == 200
    for headers in ({}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}):
        assert requests.post(launch, cookies=cookie, headers=headers, timeout=5).status_code == 403


def test_name_id_is_opaque_and_stays_the_same(idp, rp, browser):
    name_ids = []
    for number in range(2):
        open_redirect(browser, idp, rp, rp.build_redirect(ask(idp, rp, ID=f"_q{number}")))
        page = sign_in(browser, "jonas") if number == 0 else browser.page
        element = read_response(page).find(".//saml:NameID", NAMES)
        assert element.get("SPNameQualifier") == rp.entity_id
        name_ids.append(element.text)
    assert name_ids[0] == name_ids[1]
    assert "jonas" not in name_ids[0]
