"""T-SAML-26: a name or an attribute that is encrypted by itself is read like a plain one, or refused like anything
encrypted that does not open. Only what a signed assertion holds counts.
"""

import time
from copy import deepcopy

import pytest
from lxml import etree

from bridge.attack.saml.encryption import (
    AES128_GCM,
    AES192_GCM,
    AES256_CBC,
    OAEP,
    RSA_15,
    SAML,
    SHA256,
    EncryptionOptions,
    encrypt,
)
from bridge.attack.saml.messages import DECRYPTION_KEYS, NS, Draft, SignatureOptions, make_key, make_provider
from bridge.errors import (
    SAMLAttributeTwice,
    SAMLConfirmation,
    SAMLEncrypted,
    SAMLNameID,
    SAMLNotEncrypted,
    SAMLSchema,
    SAMLSignatureInvalid,
    SAMLUnsigned,
)
from bridge.identity.saml.decryption import MAX_PARTS
from bridge.identity.saml.response import verify_response
from bridge.identity.saml.statements import read_attributes
from tests.attacks.door import begin, draft_response, post_response, read_reference

NAME = "//saml:NameID"
MAIL = "//saml:Attribute[@Name='mail']"
GROUPS = "//saml:Attribute[@Name='groups']"
PLACES = {NAME: "EncryptedID", MAIL: "EncryptedAttribute", GROUPS: "EncryptedAttribute"}


def hide(draft, *paths, key=0, **options):
    """Encrypt elements before the assertion is signed, as providers do."""
    for number, path in enumerate(paths, 10):
        chosen = EncryptionOptions(wrapper=PLACES[path], number=number, **options)
        encrypt(draft.find(path), chosen, make_key(DECRYPTION_KEYS[key]).public_key())
    return draft


def accept(draft):
    return verify_response(draft.encode(), draft.expected)


def refuse(draft, error=SAMLEncrypted):
    with pytest.raises(error) as refusal:
        accept(draft)
    assert type(refusal.value) is error
    return refusal.value.detail


# ── What is accepted ─────────────────────────────────────────────────────────────────────────────────────────

FORMS = {
    "as most": {},
    "AES-128-GCM": {"content": AES128_GCM},
    "OAEP with SHA-256": {"transport": OAEP, "digest": SHA256},
    "key pointed to": {"layout": "retrieval"},
    "key beside": {"layout": "beside"},
    "declarations above it": {"declared": False},
    "previous key": {"key": 2},
}


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
@pytest.mark.parametrize("form", FORMS)
def test_encrypted_parts_of_a_signed_assertion_mean_what_they_would_mean_in_the_clear(form, signed):
    plain = accept(Draft(signed=signed))
    hidden = accept(hide(Draft(signed=signed), NAME, MAIL, GROUPS, **FORMS[form]))
    assert (hidden.subject, hidden.name_format, hidden.claims) == (plain.subject, plain.name_format, plain.claims)
    assert hidden.claims["groups"] == ["platform", "staff"]


def test_parts_may_be_encrypted_inside_an_encrypted_assertion():
    draft = hide(Draft(encryption=EncryptionOptions()), NAME, GROUPS)
    assert accept(draft).subject == "alice@example.com"


def test_cbc_needs_its_setting_alone_since_the_assertion_is_signed_around_it():
    provider = make_provider(encryption_cbc=True)
    assert accept(hide(Draft(provider=provider), NAME, content=AES256_CBC)).subject == "alice@example.com"
    assert "AES-CBC" in refuse(hide(Draft(), NAME, content=AES256_CBC))


def test_encrypted_parts_do_not_make_a_plain_assertion_an_encrypted_one():
    provider = make_provider(encryption="require")
    refuse(hide(Draft(provider=provider), NAME), SAMLNotEncrypted)
    accept(hide(Draft(provider=provider, encryption=EncryptionOptions()), NAME))


# ── What is refused ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", PLACES)
def test_t_saml_26_where_encryption_is_refused_or_there_is_no_key(path):
    accept(hide(Draft(), path))
    assert "refuse" in refuse(hide(Draft(provider=make_provider(encryption="refuse")), path))
    draft = hide(Draft(), path)
    draft.expect(decryption_keys=())
    assert "no key" in refuse(draft)


def flip(content):
    return content[:-1] + bytes([content[-1] ^ 1])


HOSTILE = {
    "another key": {"key": "stranger"},
    "RSA 1.5": {"transport": RSA_15},
    "AES-192": {"content": AES192_GCM},
    "content key too short": {"content_key": bytes(16)},
    "ciphertext changed before it was signed": {"ciphertext": flip},
    "wrapped key changed": {"wrapped_key": flip},
    "for somebody else": {"recipient": "https://other.example"},
    "not XML": {"plaintext": lambda _: b"garbage"},
    "nothing": {"plaintext": lambda _: b""},
    "a comment": {"plaintext": lambda xml: xml.replace(b"alice@", b"alice@<!---->")},
    "a DOCTYPE": {"plaintext": lambda xml: b"<!DOCTYPE x>" + xml},
    "an entity": {"plaintext": lambda xml: b'<!DOCTYPE x [<!ENTITY e "x">]>' + xml},
    "two elements": {"plaintext": lambda xml: xml + xml},
    "text beside it": {"plaintext": lambda xml: xml + b"x"},
    "another namespace": {"plaintext": lambda xml: xml.replace(SAML.encode(), b"urn:x")},
    "an assertion": {"plaintext": lambda _: f'<saml:Assertion xmlns:saml="{SAML}"/>'.encode()},
    "a BaseID": {"plaintext": lambda _: f'<saml:BaseID xmlns:saml="{SAML}"/>'.encode()},
    "closing its place": {"plaintext": lambda xml: b"</place>" + xml + b"<place>"},
    "something encrypted again": {
        "plaintext": lambda _: f'<saml:EncryptedID xmlns:saml="{SAML}"/>'.encode(),
    },
    "an element inside": {"plaintext": lambda xml: xml.replace(b"</saml:", b"<saml:Issuer>x</saml:Issuer></saml:")},
    "an assertion inside": {"plaintext": lambda xml: xml.replace(b"</saml:", b"<saml:Assertion/></saml:", 1)},
}


@pytest.mark.parametrize("path", [NAME, MAIL])
@pytest.mark.parametrize("fault", HOSTILE)
def test_t_saml_26_whatever_does_not_open_or_is_something_else_is_refused_alike(fault, path):
    options = dict(HOSTILE[fault])
    if options.get("key") == "stranger":
        options["key"] = make_key("stranger").public_key()
        draft = Draft()
        encrypt(draft.find(path), EncryptionOptions(wrapper=PLACES[path], key=options["key"]), None)
    else:
        draft = hide(Draft(), path, **options)
    if fault == "a comment" and path == NAME:
        assert b"<!--" not in draft.write(), "it is hidden"
    refuse(draft)


def test_t_saml_26_each_kind_opens_in_its_own_place_only():
    draft = Draft()
    name, mail = deepcopy(draft.find(NAME)), deepcopy(draft.find(MAIL))
    for path, other in ((NAME, mail), (MAIL, name)):
        swapped = Draft()
        place = swapped.find(path)
        plaintext = etree.tostring(other)
        encrypt(
            place,
            EncryptionOptions(wrapper=PLACES[path], plaintext=lambda _, text=plaintext: text),
            make_key(DECRYPTION_KEYS[0]).public_key(),
        )
        refuse(swapped)


def test_t_saml_26_an_encrypted_name_beside_a_plain_one_or_twice():
    for copies in (1, 2):
        draft = Draft()
        name = draft.find(NAME)
        subject = name.getparent()
        for _ in range(copies):
            subject.insert(0, deepcopy(name))
        hide(draft, NAME)
        refuse(draft, SAMLNameID)


def test_t_saml_26_an_encrypted_attribute_beside_a_plain_one_of_its_name():
    """One program would read the plain one and never see the other."""
    draft = Draft()
    groups = draft.find(GROUPS)
    groups.addnext(deepcopy(groups))
    refuse(hide(draft, GROUPS), SAMLAttributeTwice)


def test_t_saml_26_a_part_in_another_place_is_not_opened():
    draft = Draft()
    confirmation = draft.find("//saml:SubjectConfirmation")
    confirmation.insert(0, deepcopy(draft.find(NAME)))
    encrypt(confirmation[0], EncryptionOptions(wrapper="EncryptedID"), make_key(DECRYPTION_KEYS[0]).public_key())
    refuse(draft, SAMLConfirmation)


def test_t_saml_26_the_wrapper_of_the_other_kind_is_no_wrapper():
    draft = Draft()
    encrypt(
        draft.find(NAME), EncryptionOptions(wrapper="EncryptedAttribute"), make_key(DECRYPTION_KEYS[0]).public_key()
    )
    refuse(draft, SAMLNameID)
    draft = Draft()
    encrypt(draft.find(MAIL), EncryptionOptions(wrapper="EncryptedID"), make_key(DECRYPTION_KEYS[0]).public_key())
    refuse(draft, SAMLSchema)


@pytest.mark.parametrize("signed", ["none", "assertion"])
def test_t_saml_26_encrypted_parts_prove_nothing(signed):
    """Anybody can encrypt a name for us: it counts only under the provider's signature."""
    draft = hide(Draft(signed=signed, options=SignatureOptions(key=make_key("stranger"))), NAME, MAIL)
    refuse(draft, SAMLUnsigned if signed == "none" else SAMLSignatureInvalid)


def test_t_saml_26_a_ciphertext_of_another_message_cannot_be_put_in():
    draft, other = hide(Draft(), NAME), Draft()
    other.find(NAME).text = "admin@example.com"
    hide(other, NAME)
    ciphertext = deepcopy(other.find("//saml:EncryptedID"))

    def put_in(root):
        place = root.xpath("//saml:EncryptedID", namespaces=NS)[0]
        place.getparent().replace(place, ciphertext)

    draft.after_signing(put_in)
    refuse(draft, SAMLSignatureInvalid)


def test_t_saml_16_26_hundreds_of_parts_are_refused_before_any_is_opened():
    def with_attributes(count):
        draft = Draft()
        statement = draft.find("//saml:AttributeStatement")
        for number in range(count):
            attribute = etree.SubElement(statement, f"{{{SAML}}}Attribute", Name=f"a{number}")
            etree.SubElement(attribute, f"{{{SAML}}}AttributeValue").text = "x"
            encrypt(
                attribute,
                EncryptionOptions(wrapper="EncryptedAttribute", number=number),
                make_key(DECRYPTION_KEYS[0]).public_key(),
            )
        return draft

    assert len(accept(with_attributes(MAX_PARTS)).claims) >= MAX_PARTS
    draft = with_attributes(MAX_PARTS + 1)
    started = time.thread_time()
    assert f"{MAX_PARTS + 1} encrypted" in refuse(draft)
    assert time.thread_time() - started < 1


def test_an_attribute_that_nobody_opened_is_never_passed_over():
    draft = hide(Draft(), MAIL)
    with pytest.raises(SAMLEncrypted):
        read_attributes(draft.assertion)


# ── At the door ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("no_failures")
def test_t_saml_26_at_the_door_every_failure_has_one_page_and_the_honest_answer_follows(service, visitor):
    question = begin(visitor, "corp")
    answers = set()
    for fault in ("content key too short", "wrapped key changed", "not XML", "an assertion", "RSA 1.5"):
        draft = hide(draft_response("corp", question.request_id), NAME, **HOSTILE[fault])
        last = service.last()
        response = post_response(visitor, "corp", draft.encode(), question.handle)
        [record] = service.records(last)
        assert record["code"] == SAMLEncrypted.code
        answers.add((response.status_code, response.text.replace(read_reference(response), "REFERENCE")))
    assert len(answers) == 1
    draft = hide(draft_response("corp", question.request_id), NAME, MAIL)
    assert post_response(visitor, "corp", draft.encode(), question.handle).status_code == 303
    assert visitor.is_signed_in_as("alice@example.com")
