"""Which forms of an encrypted assertion are opened, and what is said about the others (to the log alone)."""

import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from lxml import etree

from bridge.attack.saml import encryption as xenc
from bridge.attack.saml.encryption import EncryptionOptions, encrypt
from bridge.attack.saml.messages import DECRYPTION_KEYS, SP, Draft, make_key, make_provider
from bridge.errors import SAMLEncrypted
from bridge.identity.saml.decryption import EncryptedForm, decrypt_assertion, open_content, read_form

PADDING = OAEP(mgf=MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
GCM, CBC = xenc.AES256_GCM, xenc.AES256_CBC


def encrypted(**options):
    draft = Draft(signed="none")
    return encrypt(draft.assertion, EncryptionOptions(**options), make_key(DECRYPTION_KEYS[0]).public_key())


def opened(element, *, covered=False, expected=None):
    return decrypt_assertion(element, expected or Draft().expected, signature_covers_it=covered)


def refusal(element, **options):
    with pytest.raises(SAMLEncrypted) as refused:
        opened(element, **options)
    return refused.value.detail.replace("'", "")


@pytest.mark.parametrize("content", [xenc.AES128_GCM, xenc.AES256_GCM])
@pytest.mark.parametrize("layout", ["inside", "retrieval", "beside"])
def test_each_algorithm_and_layout_is_opened(content, layout):
    assert opened(encrypted(content=content, layout=layout)).get("ID") == "_assertion1"


@pytest.mark.parametrize("digest", [None, xenc.SHA1, xenc.SHA256])
@pytest.mark.parametrize("mgf", [None, xenc.MGF1_SHA1, xenc.MGF1_SHA256])
def test_each_parameter_of_oaep_is_known(digest, mgf):
    assert opened(encrypted(transport=xenc.OAEP, digest=digest, mgf=mgf)).get("ID") == "_assertion1"
    if mgf is None:
        assert opened(encrypted(transport=xenc.OAEP_MGF1P, digest=digest)).get("ID") == "_assertion1"


@pytest.mark.parametrize(
    "hint", ["<ds:KeyName>a</ds:KeyName>", "<ds:X509Data/>", "<ds:KeyValue/>", "<ds:KeyName/><ds:X509Data/>"]
)
def test_a_hint_at_the_key_says_nothing_to_us(hint):
    assert opened(encrypted(key_hint=hint)).get("ID") == "_assertion1"


def test_any_other_hint_is_refused():
    assert "says more" in refusal(encrypted(key_hint="<ds:RetrievalMethod/>"))
    assert "says more" in refusal(encrypted(key_hint="<ds:KeyName/><ds:Other/>"))


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        ({"content": xenc.AES192_GCM}, "algorithm"),
        ({"content": xenc.TRIPLE_DES}, "algorithm"),
        ({"transport": xenc.RSA_15}, "algorithm"),
        ({"transport": xenc.OAEP, "digest": xenc.SHA512}, "algorithm"),
        ({"transport": xenc.OAEP, "mgf": xenc.MGF1_SHA512}, "algorithm"),
        ({"data_type": f"{xenc.XENC}Content"}, "another type"),
        ({"recipient": "https://other.example"}, "somebody else"),
        ({"key": make_key("stranger").public_key()}, "none of our keys"),
        ({"plaintext": lambda _: b"<x/>"}, "not one assertion"),
        ({"plaintext": lambda _: b"not XML"}, "saml_not_xml"),
    ],
)
def test_any_other_form_is_refused(options, detail):
    assert detail in refusal(encrypted(**options))


@pytest.mark.parametrize("options", [{"data_type": None}, {"recipient": SP}, {"declared": False}])
def test_what_may_be_missing_or_said(options):
    assert opened(encrypted(**options)).get("ID") == "_assertion1"


def test_without_a_key_the_log_says_so():
    expected = replace(Draft().expected, decryption_keys=())
    assert refusal(encrypted(), expected=expected) == "something encrypted, and there is no key to open it"


@pytest.mark.parametrize(("allowed", "covered"), [(True, True), (True, False), (False, True), (False, False)])
def test_cbc_wants_a_setting_and_a_signature_around_it(allowed, covered):
    expected = replace(Draft().expected, provider=make_provider(encryption_cbc=allowed))
    for content in (xenc.AES128_CBC, xenc.AES256_CBC):
        if allowed and covered:
            assert opened(encrypted(content=content), covered=covered, expected=expected).get("ID") == "_assertion1"
        else:
            assert "AES-CBC, without" in refusal(encrypted(content=content), covered=covered, expected=expected)


def change(path, act):
    """Return what does something to the first element of a path in the encrypted tree."""

    def spoil(tree):
        act(tree.find(path, {"xenc": xenc.XENC, "ds": xenc.DS}))

    return spoil


def both(*changes):
    def spoil(tree):
        for one in changes:
            one(tree)

    return spoil


def child(element):
    etree.SubElement(element, "{urn:x}y")


def attribute(element):
    element.set("Other", "x")


def text(element):
    element.text = "x"


DATA = "xenc:EncryptedData"
KEY = f"{DATA}/ds:KeyInfo/xenc:EncryptedKey"
SPOILED = {
    "an attribute of the data": (change(DATA, attribute), {}, "EncryptedData with other attributes"),
    "a child of the data": (change(DATA, child), {}, "EncryptedData with other children"),
    "text in the data": (change(DATA, text), {}, "text in EncryptedData"),
    "a child of the method": (change(f"{DATA}/xenc:EncryptionMethod", child), {}, "EncryptionMethod of the data"),
    "an attribute of the method": (
        change(f"{DATA}/xenc:EncryptionMethod", attribute),
        {},
        "EncryptionMethod with other attributes",
    ),
    "an attribute of KeyInfo": (change(f"{DATA}/ds:KeyInfo", attribute), {}, "KeyInfo with other attributes"),
    "a child of KeyInfo": (change(f"{DATA}/ds:KeyInfo", child), {}, "KeyInfo with other children"),
    "an attribute of the key": (change(KEY, attribute), {}, "EncryptedKey with other attributes"),
    "a child of the key": (change(KEY, child), {}, "EncryptedKey with other children"),
    "text in the key": (change(KEY, text), {}, "text in EncryptedKey"),
    "a child of the key's method": (
        change(f"{KEY}/xenc:EncryptionMethod", child),
        {},
        "EncryptionMethod with other children",
    ),
    "a child of the digest method": (
        change(f"{KEY}/xenc:EncryptionMethod/ds:DigestMethod", child),
        {"digest": xenc.SHA256},
        "parameters of RSA-OAEP",
    ),
    "an attribute of CipherData": (
        change(f"{DATA}/xenc:CipherData", attribute),
        {},
        "CipherData with other attributes",
    ),
    "a child of CipherData": (change(f"{DATA}/xenc:CipherData", child), {}, "CipherData with other children"),
    "an attribute of CipherValue": (
        change(f"{DATA}/xenc:CipherData/xenc:CipherValue", attribute),
        {},
        "CipherValue with other attributes",
    ),
    "a child of CipherValue": (
        change(f"{DATA}/xenc:CipherData/xenc:CipherValue", child),
        {},
        "a child in a CipherValue",
    ),
    "a CipherValue that is no base64": (
        change(f"{KEY}/xenc:CipherData/xenc:CipherValue", text),
        {},
        "not base64",
    ),
    "a CipherValue with a stray character": (
        change(
            f"{DATA}/xenc:CipherData/xenc:CipherValue", lambda element: setattr(element, "text", f"!{element.text}")
        ),
        {},
        "not base64",
    ),
    "an empty CipherValue": (
        change(f"{DATA}/xenc:CipherData/xenc:CipherValue", lambda element: setattr(element, "text", None)),
        {},
        "none of our keys",
    ),
    "text behind the method": (
        change(f"{DATA}/xenc:EncryptionMethod", lambda element: setattr(element, "tail", "x")),
        {},
        "text in EncryptedData",
    ),
    "an attribute of the assertion": (lambda tree: tree.set("Other", "x"), {}, "EncryptedAssertion with other"),
    "text in the assertion": (text, {}, "text in EncryptedAssertion"),
    "a child of RetrievalMethod": (
        change(f"{DATA}/ds:KeyInfo/ds:RetrievalMethod", child),
        {"layout": "retrieval"},
        "a RetrievalMethod with transforms",
    ),
    "another type of RetrievalMethod": (
        change(f"{DATA}/ds:KeyInfo/ds:RetrievalMethod", lambda element: element.set("Type", "urn:x")),
        {"layout": "retrieval"},
        "a RetrievalMethod with transforms",
    ),
    "an attribute of RetrievalMethod": (
        change(f"{DATA}/ds:KeyInfo/ds:RetrievalMethod", attribute),
        {"layout": "retrieval"},
        "RetrievalMethod with other attributes",
    ),
    "a RetrievalMethod to something else": (
        change(f"{DATA}/ds:KeyInfo/ds:RetrievalMethod", lambda element: element.set("URI", "#_data1")),
        {"layout": "retrieval"},
        "does not point to the key",
    ),
    "a RetrievalMethod to a key without Id": (
        change("xenc:EncryptedKey", lambda element: element.attrib.pop("Id")),
        {"layout": "retrieval"},
        "does not point to the key",
    ),
    "a RetrievalMethod to no Id in so many letters": (
        both(
            change("xenc:EncryptedKey", lambda element: element.attrib.pop("Id")),
            change(f"{DATA}/ds:KeyInfo/ds:RetrievalMethod", lambda element: element.set("URI", "#None")),
        ),
        {"layout": "retrieval"},
        "does not point to the key",
    ),
    "a DataReference to no Id in so many letters": (
        both(
            change(DATA, lambda element: element.attrib.pop("Id")),
            change(
                "xenc:EncryptedKey/xenc:ReferenceList/xenc:DataReference", lambda element: element.set("URI", "#None")
            ),
        ),
        {"layout": "beside"},
        "other than the data",
    ),
    "an attribute of ReferenceList": (
        change("xenc:EncryptedKey/xenc:ReferenceList", attribute),
        {"layout": "beside"},
        "ReferenceList with other attributes",
    ),
    "a child of ReferenceList": (
        change("xenc:EncryptedKey/xenc:ReferenceList", child),
        {"layout": "beside"},
        "ReferenceList with other children",
    ),
    "a child of DataReference": (
        change("xenc:EncryptedKey/xenc:ReferenceList/xenc:DataReference", child),
        {"layout": "beside"},
        "other than the data",
    ),
    "an attribute of DataReference": (
        change("xenc:EncryptedKey/xenc:ReferenceList/xenc:DataReference", attribute),
        {"layout": "beside"},
        "DataReference with other attributes",
    ),
    "a DataReference to something else": (
        change("xenc:EncryptedKey/xenc:ReferenceList/xenc:DataReference", lambda element: element.set("URI", "#_key1")),
        {"layout": "beside"},
        "other than the data",
    ),
    "a DataReference to data without Id": (
        change(DATA, lambda element: element.attrib.pop("Id")),
        {"layout": "beside"},
        "other than the data",
    ),
}


@pytest.mark.parametrize(("spoil", "options", "detail"), SPOILED.values(), ids=SPOILED)
def test_anything_more_or_else_is_refused_and_its_twin_opened(spoil, options, detail):
    assert opened(encrypted(**options)).get("ID") == "_assertion1"
    assert detail in refusal(encrypted(tree=spoil, **options))


@pytest.mark.parametrize(
    "act",
    [
        change("xenc:EncryptedKey", lambda key: etree.SubElement(key, f"{{{xenc.XENC}}}CarriedKeyName")),
        change(f"{DATA}/ds:KeyInfo/ds:RetrievalMethod", lambda element: element.attrib.pop("Type")),
        change(DATA, lambda element: element.set("MimeType", "text/xml")),
        change(f"{DATA}/ds:KeyInfo", lambda element: element.set("Id", "_i")),
    ],
)
def test_what_else_an_honest_provider_writes(act):
    assert opened(encrypted(tree=act, layout="retrieval")).get("ID") == "_assertion1"


def test_a_carried_key_name_may_stand_alone():
    act = change(KEY, lambda key: etree.SubElement(key, f"{{{xenc.XENC}}}CarriedKeyName"))
    assert opened(encrypted(tree=act)).get("ID") == "_assertion1"


def test_the_parameters_of_oaep_come_in_either_order():
    act = change(f"{KEY}/xenc:EncryptionMethod", lambda method: method.append(method[0]))
    options = {"transport": xenc.OAEP, "digest": xenc.SHA256, "mgf": xenc.MGF1_SHA256}
    assert opened(encrypted(tree=act, **options)).get("ID") == "_assertion1"


def test_no_key_and_two_keys_are_refused():
    def without_key(tree):
        tree.remove(tree[1])

    def with_two(tree):
        info = etree.SubElement(tree[0], f"{{{xenc.DS}}}KeyInfo")
        tree[0].insert(1, info)
        info.append(etree.fromstring(etree.tostring(tree[1])))

    assert "0 keys" in refusal(encrypted(tree=without_key, layout="beside"))
    assert "2 keys" in refusal(encrypted(tree=with_two, layout="beside"))


def test_two_assertions_in_one_are_refused():
    nested = b'<saml:Assertion xmlns:saml="%b"><saml:Assertion/></saml:Assertion>' % xenc.SAML.encode()
    assert "not one assertion" in refusal(encrypted(plaintext=lambda _: nested))


# ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────


def form(content, algorithm=GCM, key=b"k" * 32, name=DECRYPTION_KEYS[0]):
    wrapped = make_key(name).public_key().encrypt(key, PADDING)
    return EncryptedForm(algorithm=algorithm, padding=PADDING, wrapped_key=wrapped, content=content)


KEYS = [make_key(name) for name in DECRYPTION_KEYS]


@pytest.mark.parametrize("name", DECRYPTION_KEYS)
def test_each_of_our_keys_opens_what_is_for_it(name):
    iv = os.urandom(12)
    assert list(open_content(form(iv + AESGCM(b"k" * 32).encrypt(iv, b"secret", None), name=name), KEYS)) == [b"secret"]


def test_the_shortest_content_is_nothing_and_what_is_shorter_is_not_opened():
    iv = os.urandom(12)
    nothing = iv + AESGCM(b"k" * 32).encrypt(iv, b"", None)
    assert list(open_content(form(nothing), KEYS)) == [b""]
    for size in (27, 13, 12, 7, 0):
        assert not list(open_content(form(nothing[:size]), KEYS))


@pytest.mark.parametrize("key", [b"k" * 16, b"k" * 31, b"k" * 24, b""])
def test_a_content_key_of_another_length_opens_nothing(key):
    iv = os.urandom(12)
    usable = key if len(key) in {16, 24} else b"k" * 32
    assert not list(open_content(form(iv + AESGCM(usable).encrypt(iv, b"x", None), key=key), KEYS))


def cbc(padded, key=b"k" * 32):
    iv = os.urandom(16)
    encryptor = Cipher(AES(key), modes.CBC(iv)).encryptor()
    return iv + encryptor.update(padded) + encryptor.finalize()


@pytest.mark.parametrize(
    ("padded", "plaintext"),
    [
        (b"x" * 15 + b"\x01", b"x" * 15),
        (b"\x00" * 15 + b"\x10", b""),
        (b"x" * 16 + b"\xff" * 12 + b"yyy\x04", b"x" * 16 + b"\xff" * 12),
        (b"x" * 15 + b"\x00", None),
        (b"x" * 15 + b"\x11", None),
        (b"x" * 15 + b"\xff", None),
    ],
)
def test_the_last_byte_says_how_much_is_padding(padded, plaintext):
    # With one key: to another, the content is noise, whose last byte says what padding is once in sixteen times.
    assert list(open_content(form(cbc(padded), CBC), KEYS[:1])) == ([] if plaintext is None else [plaintext])


def test_noise_that_ends_like_padding_does_not_keep_the_next_key_from_being_tried():
    """As one key of ours follows another, both are tried; of a hundred messages six seem to open with the wrong one."""
    expected = replace(Draft().expected, provider=make_provider(encryption_cbc=True))
    last = make_key(DECRYPTION_KEYS[-1]).public_key()
    seemed_open = 0
    for _ in range(200):
        message = encrypted(content=CBC, key=last)
        assert opened(message, covered=True, expected=expected).get("ID") == "_assertion1"
        seemed_open += len(list(open_content(read_form(message, SP), KEYS))) > 1
    assert seemed_open


@pytest.mark.parametrize("size", [0, 16, 31, 33, 47])
def test_cbc_comes_in_whole_blocks_and_at_least_two(size):
    content = cbc(b"x" * 15 + b"\x01" + b"x" * 15 + b"\x01")[:size]
    assert not list(open_content(form(content, CBC), KEYS[:1]))


def test_the_parts_are_what_the_message_says():
    found = read_form(encrypted(content=xenc.AES128_GCM), SP)
    assert (found.algorithm, found.is_cbc, found.key_bytes) == (xenc.AES128_GCM, False, 16)
    assert len(found.wrapped_key) == 256
    found = read_form(encrypted(content=xenc.AES256_CBC), SP)
    assert (found.algorithm, found.is_cbc, found.key_bytes) == (xenc.AES256_CBC, True, 32)
