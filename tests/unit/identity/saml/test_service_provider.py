import threading
from datetime import timedelta

import pytest
from lxml import etree
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from bridge.attack.saml.encryption import AES128_CBC, AES128_GCM, AES256_CBC, AES256_GCM, OAEP_MGF1P, EncryptionOptions
from bridge.attack.saml.messages import (
    ACS,
    DECRYPTION_KEYS,
    NOW,
    NS,
    REQUEST_ID,
    SP,
    Draft,
    build_idp_metadata,
    certificate_base64,
    make_certificate,
    make_key,
    make_provider,
    make_signing_key,
)
from bridge.errors import (
    FetchFailed,
    FetchRefused,
    KeyMissing,
    ProviderUnavailable,
    SAMLEncrypted,
    SAMLInResponseTo,
    SAMLMetadata,
    SAMLSignatureInvalid,
)
from bridge.identity.saml.metadata_cache import KEEP_AT_MOST, REFRESH_AFTER, RETRY_AFTER
from bridge.identity.saml.request import PostForm, Redirect
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.keys import DecryptionKeys

DECRYPTION = DecryptionKeys(
    published=tuple(make_signing_key(name) for name in DECRYPTION_KEYS[:2]),
    retired=(make_signing_key(DECRYPTION_KEYS[2]),),
)
MINUTE = timedelta(minutes=1)


class StoppedClock:
    def now(self):
        return NOW


class Source:
    """Where metadata comes from: what it answers, and how often it was asked."""

    def __init__(self):
        self.answer = build_idp_metadata()
        self.asked = 0

    def __call__(self):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def source():
    return Source()


def make_service_provider(source, **settings):
    return ServiceProvider(
        make_provider(**settings), "https://bridge.example.com", make_signing_key(), source, clock=StoppedClock()
    )


def verify(service_provider, now=NOW):
    return service_provider.verify(Draft().encode(), REQUEST_ID, now)


def test_addresses_belong_to_the_provider(source):
    service_provider = make_service_provider(source)

    assert (service_provider.entity_id, service_provider.acs_url) == (SP, ACS)
    assert SP.encode() in service_provider.metadata_xml()
    assert source.asked == 0


def test_keys_that_do_not_sign_now_are_published_too(source):
    service_provider = ServiceProvider(
        make_provider(),
        "https://bridge.example.com",
        make_signing_key(),
        source,
        also_published=[make_signing_key("next")],
    )

    assert service_provider.metadata_xml().count(b"<ds:X509Certificate>") == 2


def encrypting(source, keys=DECRYPTION, **settings):
    return ServiceProvider(
        make_provider(**settings), "https://bridge.example.com", make_signing_key(), source, decryption=keys
    )


def encryption_certificates(service_provider):
    """Return the certificates to encrypt for, and the algorithms beside the first one."""
    root = etree.fromstring(service_provider.metadata_xml())
    found = root.findall("md:SPSSODescriptor/md:KeyDescriptor[@use='encryption']", NS)
    methods = [method.get("Algorithm") for method in found[0].findall("md:EncryptionMethod", NS)] if found else []
    return [item.findtext(".//ds:X509Certificate", namespaces=NS) for item in found], methods


def test_metadata_names_the_keys_to_encrypt_for_with_what_we_open(source):
    certificates, methods = encryption_certificates(encrypting(source))

    assert certificates == [certificate_base64(make_certificate(name)) for name in DECRYPTION_KEYS[:2]]
    assert methods == [AES256_GCM, AES128_GCM, OAEP_MGF1P]
    assert encryption_certificates(encrypting(source, encryption_cbc=True))[1] == [
        AES256_GCM,
        AES128_GCM,
        AES256_CBC,
        AES128_CBC,
        OAEP_MGF1P,
    ]


def test_metadata_with_encryption_keys_follows_the_schema(source):
    result = OneLogin_Saml2_XML.validate_xml(encrypting(source).metadata_xml(), "saml-schema-metadata-2.0.xsd")

    assert isinstance(result, etree._Element), result


def test_metadata_asks_for_no_encryption_that_would_be_refused(source):
    assert encryption_certificates(encrypting(source, encryption="refuse")) == ([], [])
    assert encryption_certificates(encrypting(source, keys=None)) == ([], [])


def test_required_encryption_without_a_key_is_an_error_at_the_start(source):
    assert encrypting(source, encryption="require")
    with pytest.raises(KeyMissing):
        encrypting(source, keys=DecryptionKeys(), encryption="require")


@pytest.mark.parametrize("name", DECRYPTION_KEYS)
def test_encrypted_answer_is_opened_by_each_of_our_keys(source, name):
    draft = Draft(encryption=EncryptionOptions(key=make_key(name).public_key()))

    assert encrypting(source).verify(draft.encode(), REQUEST_ID, NOW).subject == "alice@example.com"


@pytest.mark.parametrize(("keys", "encryption"), [(None, "allow"), (DECRYPTION, "refuse")])
def test_encrypted_answer_is_refused_without_a_key_or_by_the_settings(source, keys, encryption):
    service_provider = encrypting(source, keys, encryption=encryption)

    assert verify(service_provider)
    with pytest.raises(SAMLEncrypted):
        service_provider.verify(Draft(encryption=EncryptionOptions()).encode(), REQUEST_ID, NOW)


def test_redirect_is_the_default(source):
    begun = make_service_provider(source).begin("handle")

    assert isinstance(begun, Redirect)
    assert begun.url.startswith("https://idp.example.com/sso?")


def test_post_is_used_where_configured(source):
    begun = make_service_provider(source, request_binding="post").begin("handle")

    assert isinstance(begun, PostForm)
    assert begun.fields["RelayState"] == "handle"


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_binding_that_the_provider_does_not_offer_is_an_error_that_names_it(source, binding):
    name = "HTTP-Redirect" if binding == "redirect" else "HTTP-POST"
    source.answer = source.answer.replace(f"bindings:{name}".encode(), b"bindings:OTHER")

    with pytest.raises(SAMLMetadata) as caught:
        make_service_provider(source, request_binding=binding).begin("handle")

    assert binding in caught.value.detail


def test_answer_to_our_question_is_accepted(source):
    assert verify(make_service_provider(source)).subject == "alice@example.com"


def test_answer_to_another_question_is_refused(source):
    with pytest.raises(SAMLInResponseTo):
        make_service_provider(source).verify(Draft().encode(), "_other", NOW)


def test_answer_that_nobody_asked_for_is_refused(source):
    with pytest.raises(SAMLInResponseTo):
        make_service_provider(source).verify(Draft().encode(), None, NOW)


def test_answer_signed_by_a_key_outside_the_metadata_is_refused(source):
    source.answer = build_idp_metadata(make_certificate("other"))

    with pytest.raises(SAMLSignatureInvalid):
        verify(make_service_provider(source))


def test_no_sign_in_loads_metadata_while_there_is_a_copy(source):
    service_provider = make_service_provider(source)

    for _ in range(3):
        verify(service_provider)
    service_provider.provider_metadata.load(NOW + KEEP_AT_MOST - MINUTE)
    assert source.asked == 1


def test_new_keys_count_after_the_refresh(source):
    cache = make_service_provider(source).provider_metadata
    before = cache.load(NOW)
    source.answer = build_idp_metadata(make_certificate("next"))

    cache.refresh(NOW + REFRESH_AFTER)

    assert before.keys_at(NOW) != cache.load(NOW + REFRESH_AFTER).keys_at(NOW)


@pytest.mark.parametrize(
    "failure",
    [
        OSError("no such file"),
        FetchFailed("timeout"),
        FetchRefused("redirect"),
        ProviderUnavailable("down"),
        b"<html>",
        build_idp_metadata(entity_id="https://x"),
    ],
    ids=["io", "fetch failed", "fetch refused", "unavailable", "malformed", "other entity"],
)
def test_refresh_that_fails_leaves_the_old_copy_for_a_day(source, failure):
    cache = make_service_provider(source).provider_metadata
    copy = cache.load(NOW)
    source.answer = failure
    cache.refresh(NOW + REFRESH_AFTER)

    assert cache.load(NOW + REFRESH_AFTER) is copy
    assert cache.load(NOW + KEEP_AT_MOST - MINUTE) is copy
    with pytest.raises(ProviderUnavailable):
        cache.load(NOW + KEEP_AT_MOST)


def test_first_load_that_fails_says_why_and_recovers(source):
    service_provider = make_service_provider(source)
    good, source.answer = source.answer, b"<x/>"

    for _ in range(2):
        with pytest.raises(SAMLMetadata) as caught:
            verify(service_provider)
        assert "0 entities" in caught.value.detail
    assert source.asked == 1
    source.answer = good
    assert service_provider.provider_metadata.load(NOW + RETRY_AFTER)


def test_unreadable_file_is_provider_unavailable(source):
    source.answer = OSError("no such file")

    with pytest.raises(ProviderUnavailable) as caught:
        verify(make_service_provider(source))

    assert "no such file" in caught.value.detail


def test_many_threads_load_once(source):
    service_provider = make_service_provider(source)
    encoded, results = Draft().encode(), []

    def work():
        results.append(service_provider.verify(encoded, REQUEST_ID, NOW).subject)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == ["alice@example.com"] * 16
    assert source.asked == 1


def test_others_go_on_with_the_old_copy_while_one_thread_refreshes(source):
    refreshing, go_on = threading.Event(), threading.Event()

    def slow():
        source.asked += 1
        if source.asked > 1:
            refreshing.set()
            assert go_on.wait(10)
        return source.answer

    cache = make_service_provider(slow).provider_metadata
    copy = cache.load(NOW)
    thread = threading.Thread(target=cache.refresh, args=(NOW + REFRESH_AFTER,))
    thread.start()
    assert refreshing.wait(10)

    assert cache.load(NOW + REFRESH_AFTER) is copy

    go_on.set()
    thread.join()
    assert cache.load(NOW + REFRESH_AFTER) is not copy
    assert source.asked == 2
