"""djangosaml2idp2, whose protocol is pysaml2's, signs people in and out, and is refused where it is careless.

It signs nothing unless it is told to, invents the question that an unasked response answers, and encrypts with
Triple DES alone.
"""

from base64 import b64decode, b64encode
from contextlib import ExitStack

import pytest
import requests
from cryptography import x509
from lxml import etree

from bridge.attack.saml.encryption import EncryptionOptions, encrypt
from bridge.sandbox.browser import Browser
from bridge.sessions.cookie import BROWSER_COOKIE
from tests.installation import prepare
from tests.interop.django_idp.rig import DjangoIdP, Registration
from tests.interop.test_bridge_at_real_idps import (
    check_they_get_credentials,
    describe_service_provider,
    is_signed_in,
    last_record,
    start_bridge,
    write_provider,
)
from tests.requirements import require

EMAIL_ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
CLAIMS = {
    "uid": "urn:oid:0.9.2342.19200300.100.1.1",
    "email": "urn:oid:0.9.2342.19200300.100.1.3",
    "name": "urn:oid:2.16.840.1.113730.3.1.241",
}

SIGNED = ("assertion", "response", "both")
SETTINGS = {f"signs-{signed}": {"signed": signed} for signed in SIGNED} | {
    "signs-none": {},
    "by-post": {"request_binding": "post"},
    "leaves": {"logout": "provider"},
    "may-begin": {"idp_initiated": True},
    "encrypts": {"encryption_cbc": True, "signed": "response"},
}
"""The settings of one provider of the bridge each, all of them at this one."""


def registered(installation, name):
    """Return what is signed and encrypted for us under one of our names."""
    encryption = "assertion" if name == "encrypts" else "none"
    signed = name.removeprefix("signs-") if name.startswith("signs-") else "both"
    return Registration(describe_service_provider(installation, name, encryption), signed)


@pytest.fixture(scope="module")
def run_world(tmp_path_factory, people):
    """Return a function that runs the bridge with one djangosaml2idp2 as the provider behind each of some names."""
    require("xmlsec1")
    with ExitStack() as stack:

        def run(names, idp_section=None):
            installation = prepare(tmp_path_factory.mktemp("django-world"))
            rig = DjangoIdP(
                tmp_path_factory.mktemp("django"),
                people=people,
                registrations=[registered(installation, name) for name in names],
                idp_section=idp_section,
            )
            stack.enter_context(rig)
            for name in names:
                write_provider(installation, describe_provider(rig, name) | SETTINGS[name])
            start_bridge(stack, installation)
            return installation, rig

        yield run


@pytest.fixture(scope="module")
def world(run_world):
    return run_world(SETTINGS)


def describe_provider(rig, name):
    return {
        "name": name,
        "title": name,
        "protocol": "saml",
        "entity_id": rig.entity_id,
        "metadata": rig.metadata_url,
        "name_id_format": EMAIL_ADDRESS,
        "claims": CLAIMS,
        "single_valued": ["email", "name", "uid", "department"],
    }


def ask(installation, name, person):
    """Begin to sign in under one of our names, and return the browser where that led."""
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/{name}")
    if name == "by-post":
        browser.auto_submit()
    browser.submit(None, username=person.uid, password=person.password)
    installation.go_on(browser)
    return browser


@pytest.mark.parametrize("name", ["signs-assertion", "signs-response", "signs-both", "by-post"])
def test_it_signs_a_person_in_when_the_bridge_asks(world, people, name):
    installation, rig = world
    browser = ask(installation, name, people[0])
    assert browser.page.url == f"{installation.bridge}/", browser.page.text()
    check_they_get_credentials(installation, browser)
    accepted = last_record(installation, "sign_in.accepted")
    assert (accepted["provider"], accepted["issuer"], accepted["subject"]) == (name, rig.entity_id, people[0].mail)
    assert (accepted["solicited"], accepted["person"]) == (True, "林薇")


def test_it_signs_nothing_by_itself_and_that_is_refused(world, people):
    installation, _ = world
    browser = ask(installation, "signs-none", people[0])
    assert (browser.page.status, last_record(installation, "sign_in.refused")["code"]) == (400, "saml_unsigned")
    assert not is_signed_in(installation, browser)


@pytest.mark.parametrize("name", ["may-begin", "signs-both"], ids=["it may begin", "only we may begin"])
def test_the_question_that_it_invents_is_none_of_ours_whoever_may_begin(world, people, name):
    """An unasked response names ``IdP_Initiated_Login`` as its question: it is neither solicited nor unsolicited."""
    installation, rig = world
    browser = Browser()
    browser.open(rig.idp_initiated_url(registered(installation, name).sp))
    browser.submit(None, username=people[0].uid, password=people[0].password)
    assert browser.page.find_auto_submit_form().action == f"{installation.bridge}/saml/{name}/acs"
    installation.go_on(browser)
    refused = last_record(installation, "sign_in.refused")
    assert (browser.page.status, refused["provider"], refused["code"]) == (400, name, "saml_inresponseto")
    assert not is_signed_in(installation, browser)
    assert is_signed_in(installation, ask(installation, name, people[0])), "asked, it is accepted"


def test_triple_des_is_not_opened_even_where_aes_cbc_is(world, people):
    """Neither pysaml2 nor djangosaml2idp2 has a setting for the algorithm."""
    installation, _ = world
    browser = ask(installation, "encrypts", people[0])
    refused = last_record(installation, "sign_in.refused")
    assert (browser.page.status, refused["code"]) == (400, "saml_decrypt")
    assert "tripledes-cbc" in refused["detail"]
    assert not is_signed_in(installation, browser)


def test_an_assertion_that_it_signed_is_believed_when_it_comes_encrypted_by_aes_gcm(world, people):
    """What pysaml2 signed is a document of its own: grafted into ours, its prefixes would be declared anew (ns0, ns1).

    The provider has no AES-GCM, so the signed assertion is encrypted on its way, for the key in our metadata.
    """
    installation, _ = world
    browser = Browser()
    browser.open(f"{installation.bridge}/sign-in/signs-assertion")
    browser.submit(None, username=people[0].uid, password=people[0].password)
    fields = browser.page.find_auto_submit_form().fields
    response = etree.fromstring(b64decode(fields["SAMLResponse"]))
    [assertion] = response.iterfind("{*}Assertion")
    encrypt(assertion, EncryptionOptions(), encryption_key_of(installation))
    answer = requests.post(
        f"{installation.bridge}/saml/signs-assertion/acs",
        {**fields, "SAMLResponse": b64encode(etree.tostring(response))},
        headers={"Cookie": f"{BROWSER_COOKIE}={find_cookie(browser)}"},
        allow_redirects=False,
        timeout=60,
    )
    assert answer.status_code == 303, answer.text
    accepted = last_record(installation, "sign_in.accepted")
    assert (accepted["subject"], accepted["person"]) == (people[0].mail, "林薇")


def encryption_key_of(installation):
    """Return the public key that our metadata asks providers to encrypt for."""
    metadata = requests.get(f"{installation.bridge}/saml/signs-assertion/metadata", timeout=60).content
    [*certificates] = etree.fromstring(metadata).iterfind(".//{*}KeyDescriptor[@use='encryption']//{*}X509Certificate")
    return x509.load_der_x509_certificate(b64decode(certificates[0].text)).public_key()


def find_cookie(browser):
    [value] = {cookie.value for cookie in browser.cookies if cookie.name == BROWSER_COOKIE}
    return value


@pytest.mark.parametrize(
    ("idp_section", "code"),
    [
        ({}, "saml_unsigned"),
        ({"sign_response": True}, "saml_algorithm"),
        (
            {"sign_response": True, "signing_algorithm": RSA_SHA256, "digest_algorithm": SHA256},
            "saml_logout_binding",
        ),
    ],
    ids=["unsigned by default", "SHA-1 by default", "signed twice"],
)
def test_a_sign_out_here_leads_there_and_its_answer_is_not_believed(people, run_world, *, idp_section, code):
    """Both sessions are over. The answer is unsigned, or by SHA-1, or has a second signature where none may be."""
    installation, _ = run_world(["leaves"], idp_section)
    browser = ask(installation, "leaves", people[0])
    assert is_signed_in(installation, browser)
    browser.open(f"{installation.bridge}/")
    browser.submit("/sign-out")
    page = browser.click("Continue")
    assert (page.status, last_record(installation, "logout.refused")["code"]) == (400, code)
    assert "The sign-out could not be confirmed" in page.text()
    assert "sign-in was not accepted" not in page.text()
    assert not is_signed_in(installation, browser)
    browser.open(f"{installation.bridge}/sign-in/leaves")
    assert [form.fields.keys() >= {"username", "password"} for form in browser.page.forms] == [True], (
        "the provider does not know the person any more"
    )
