import contextlib
import threading
import time

import pytest

from bridge.errors import SAMLDTD, SAMLCommentOrPI, SAMLNotXML, SAMLTooComplex, SAMLTooLarge
from bridge.identity.saml import document
from bridge.identity.saml.document import METADATA, decode_base64, parse_canonical, parse_untrusted


def test_byte_order_mark_is_accepted():
    assert parse_untrusted(b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?><a/>").tag == "a"


@pytest.mark.parametrize(("limits", "largest"), [("MESSAGE", 256 * 1024), ("METADATA", 4 * 1024 * 1024)])
def test_document_of_the_largest_size_is_parsed(limits, largest):
    size = largest - len(b"<a></a>")

    def parse(more):
        return parse_untrusted(b"<a>" + b"x" * (size + more) + b"</a>", getattr(document, limits))

    assert parse(0).tag == "a"
    with pytest.raises(SAMLTooLarge):
        parse(1)


def test_deepest_document_is_parsed():
    assert parse_untrusted(b"<a>" * 40 + b"</a>" * 40).tag == "a"
    with pytest.raises(SAMLTooComplex):
        parse_untrusted(b"<a>" * 41 + b"</a>" * 41)


def test_most_elements_are_parsed():
    assert len(parse_untrusted(b"<a>" + b"<b/>" * 2_999 + b"</a>")) == 2_999
    with pytest.raises(SAMLTooComplex):
        parse_untrusted(b"<a>" + b"<b/>" * 3_000 + b"</a>")


def test_tags_are_counted_before_parsing():
    with pytest.raises(SAMLTooComplex):
        parse_untrusted(b"<" * 6_003)


@pytest.mark.parametrize("text", [b"xmlns:", b"xmlns=", b"xmlns ", b"xmlns:x ", b"&lt;!--", b"x='", b"=", b"]]"])
def test_no_text_makes_the_checks_slow(text):
    started = time.process_time()

    with contextlib.suppress(SAMLTooComplex):
        parse_untrusted(b"<a>" + text * (262_000 // len(text)) + b"</a>")

    assert time.process_time() - started < 0.5


def test_base64_larger_than_any_message_is_not_decoded():
    with pytest.raises(SAMLTooLarge):
        decode_base64("A" * 400_000)


def test_comments_in_metadata_are_dropped_and_text_is_joined():
    root = parse_untrusted(b"<!-- x --><a><?pi?>one<!-- y -->two</a>", METADATA)

    assert (root.text, len(root)) == ("onetwo", 0)


def test_comments_in_a_message_are_refused():
    with pytest.raises(SAMLCommentOrPI):
        parse_untrusted(b"<a><!-- x --></a>")


def test_dtd_in_metadata_is_refused():
    with pytest.raises(SAMLDTD):
        parse_untrusted(b"<!DOCTYPE a><a/>", METADATA)


def test_canonical_form_that_grew_too_much_is_refused():
    with pytest.raises(SAMLTooLarge):
        parse_canonical(b"<a>" + b"x" * 600_000 + b"</a>")


def test_no_canonical_form_is_no_element():
    with pytest.raises(SAMLNotXML):
        parse_canonical(b"")


def test_threads_parse_independently():
    results = []

    def parse():
        results.extend(parse_untrusted(b"<a><b/></a>")[0].tag for _ in range(200))

    threads = [threading.Thread(target=parse) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == ["b"] * 1_600
