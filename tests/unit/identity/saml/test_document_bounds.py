"""Where exactly each bound of a document lies, and each way to write its first line."""

import base64

import pytest

from bridge.errors import (
    SAMLDTD,
    SAMLBase64,
    SAMLCanonicalization,
    SAMLCommentOrPI,
    SAMLEncoding,
    SAMLId,
    SAMLNotXML,
    SAMLTooComplex,
    SAMLTooLarge,
)
from bridge.identity.saml import document
from bridge.identity.saml.document import (
    MAX_DEPTH,
    METADATA,
    decode_base64,
    parse_canonical,
    parse_fragment,
    parse_untrusted,
)


def test_the_most_attributes_of_a_message_are_parsed():
    most = b"<a>" + b'<b c="" d="" e=""/>' * 2_000 + b"</a>"
    assert len(parse_untrusted(most)) == 2_000
    with pytest.raises(SAMLTooComplex):
        parse_untrusted(most.replace(b"<a>", b'<a b="">'))


def test_the_most_attributes_of_metadata_are_parsed():
    most = b"<a>" + (b"<b " + b" ".join(b'a%d=""' % number for number in range(24)) + b"/>") * 10_000 + b"</a>"
    assert len(parse_untrusted(most, document.METADATA)) == 10_000
    with pytest.raises(SAMLTooComplex):
        parse_untrusted(most.replace(b"<a>", b'<a b="">'), document.METADATA)


def test_the_most_elements_of_metadata_are_parsed():
    assert len(parse_untrusted(b"<a>" + b"<b/>" * 59_999 + b"</a>", document.METADATA)) == 59_999
    with pytest.raises(SAMLTooComplex):
        parse_untrusted(b"<a>" + b"<b/>" * 60_000 + b"</a>", document.METADATA)


def test_the_most_tags_are_parsed():
    elements = b"<a>" + b"<b></b>" * 2_999 + b"</a>"
    assert elements.count(b"<") == 6_000
    assert len(parse_untrusted(elements)) == 2_999
    for text, error in ((b"<![CDATA[x]]>" * 2, None), (b"<![CDATA[x]]>" * 3, SAMLTooComplex)):
        document = elements.replace(b"<a>", b"<a>" + text)
        if error is None:
            assert parse_untrusted(document).text == "xx"
        else:
            with pytest.raises(error, match=r"6003 tags"):
                parse_untrusted(document)


def test_the_longest_base64_is_decoded():
    longest = 256 * 1024 * 3 // 2
    assert decode_base64("A" * longest) == bytes(longest * 3 // 4)
    with pytest.raises(SAMLTooLarge):
        decode_base64("A" * longest + "\n")


@pytest.mark.parametrize(
    "encoded", ["", "\r\n", "AAA", "AAAA=", "AA AA", "AA\tAA", "AA-_", "AAAA====", "ÄÄÄÄ", "AA==AAAA", "AAA=AAA="]
)
def test_base64_is_strict(encoded):
    with pytest.raises(SAMLBase64):
        decode_base64(encoded)


def test_line_breaks_are_no_part_of_base64():
    assert decode_base64("QU\r\nJD\n") == b"ABC"
    assert decode_base64(base64.encodebytes(b"x" * 100).decode()) == b"x" * 100


@pytest.mark.parametrize(("quote", "end"), [('"', '"'), ("'", "'")])
def test_the_longest_namespace_is_parsed(quote, end):
    def declare(length):
        return f"<a xmlns:b={quote}urn:{'x' * (length - 4)}{end}/>".encode()

    assert parse_untrusted(declare(512)).tag == "a"
    with pytest.raises(SAMLCanonicalization):
        parse_untrusted(declare(513))


@pytest.mark.parametrize(
    "declaration",
    [
        *('xmlns="x"', "xmlns='x'", 'xmlns:b="x"', "xmlns:b='x'", 'xmlns = "x"', 'xmlns:b\n=\t"x"', 'xmlns:b="../x"'),
        *('xmlns:a="urn:a" xmlns:b="x"', "xmlns:a='' xmlns='x'", 'xmlns:é="x"', """xmlns:b='="' c=':"'"""),
    ],
)
def test_a_relative_namespace_is_refused_however_it_is_declared(declaration):
    with pytest.raises((SAMLCanonicalization, SAMLNotXML)) as refused:
        parse_untrusted(f"<a {declaration}/>".encode())
    assert type(refused.value) is SAMLCanonicalization


@pytest.mark.parametrize("declaration", ['xmlns=""', "xmlns=''", 'xmlns:b="urn:x"', "xmlns = 'a:b'"])
def test_an_absolute_namespace_is_parsed_and_so_is_none(declaration):
    assert parse_untrusted(f"<a {declaration}/>".encode()) is not None


@pytest.mark.parametrize(
    "xml",
    ["<a mlns='x'/>", "<a b='xmlns:b c' d='x'/>", '<a>xmlns="x</a>', "<a>xmlns='x</a>", "<a xmlns='urn:x' b='c'/>"],
)
def test_what_only_resembles_a_declaration_of_a_namespace_is_parsed(xml):
    assert parse_untrusted(xml.encode()) is not None


@pytest.mark.parametrize("markup", ["<!-x>", "<!DOCTYPE a>", "<![INCLUDE[]]>", "<!ELEMENT a EMPTY>"])
def test_markup_that_is_neither_a_comment_nor_cdata_is_refused_unparsed(markup):
    with pytest.raises(SAMLDTD):
        parse_untrusted(f"<a>{markup}</a>".encode())
    assert parse_untrusted(b"<a><![CDATA[x]]></a>").text == "x"


DECLARATIONS = [
    '<?xml version="1.0"?>',
    "<?xml version='1.0'?>",
    '<?xml version="1.0" encoding="UTF-8"?>',
    "<?xml version='1.0' encoding='utf-8' ?>",
    '<?xml\tversion = "1.0"\r\nencoding\n=\t"Utf-8"\nstandalone = "yes" ?>',
    "<?xml version='1.0' encoding='UTF-8' standalone='no'?>",
    '<?xml version="1.0" encoding=\'UTF-8\' standalone="no"?>',
    '<?xml version="1.0" standalone="yes"?>',
    '<?xml  version="1.0"  encoding="UTF-8"  standalone="yes"  ?>',
]


@pytest.mark.parametrize("declaration", DECLARATIONS)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_declaration_of_utf8_is_parsed(declaration, bom):
    assert parse_untrusted(bom + declaration.encode() + b"<a/>").tag == "a"


@pytest.mark.parametrize(
    "declaration",
    [
        '<?xml version="1.1"?>',
        '<?xml version="1.00"?>',
        '<?xml version="1.0" encoding="UTF-16"?>',
        '<?xml version="1.0" encoding="UTF-7"?>',
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
        '<?xml version="1.0" encoding="utf8"?>',
        '<?xml version="1.0" encoding="UTF-8-"?>',
        '<?xml version="1x0"?>',
        "<?xml version=\"1.0'?>",
        '<?xml version="1.0" encoding="UTF-8\'?>',
        '<?xml version="1.0" standalone=\'yes"?>',
        '<?xml version="1.0" standalone="maybe"?>',
        '<?xml version="1.0" standalone="yes" encoding="UTF-8"?>',
        '<?xml version="1.0"encoding="UTF-8"?>',
        '<?xml version="1.0" encoding="UTF-8"standalone="yes"?>',
        '<?xml encoding="UTF-8"?>',
        '<?xml version="1.0" encoding="UTF-8">',
        '<?xml version="1.0" encoding="UTF-8"? >',
        '<?XML version="1.0" encoding="UTF-16"?>',
        '<?xml\nversion="1.1"?>',
        '<?xml\tversion="1.1"?>',
    ],
)
def test_any_other_declaration_is_refused(declaration):
    with pytest.raises(SAMLEncoding):
        parse_untrusted(declaration.encode() + b"<a/>")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "latin-1"])
def test_another_encoding_is_refused(encoding):
    with pytest.raises(SAMLEncoding):
        parse_untrusted("<a>é</a>".encode(encoding))


def test_a_nul_is_another_encoding():
    for xml in ("<a/>".encode("utf-16-le"), b"<a>\0</a>", b"\0<a/>"):
        with pytest.raises(SAMLEncoding, match="NUL"):
            parse_untrusted(xml)


@pytest.mark.parametrize("identifier", ["a", "_1", "é-.", "A" * 300, "x.1"])
def test_an_ncname_is_an_identifier(identifier):
    assert parse_untrusted(f'<a ID="{identifier}"/>'.encode()).get("ID") == identifier
    assert parse_untrusted(f'<a Id="{identifier}"/>'.encode()).get("Id") == identifier


@pytest.mark.parametrize("identifier", ["", "1", "-a", ".a", "a b", "a:b", " a", "a ", "a#", "a/b", "٣"])
@pytest.mark.parametrize("name", ["ID", "Id"])
def test_nothing_else_is_an_identifier(name, identifier):
    with pytest.raises(SAMLId, match="NCName"):
        parse_untrusted(f'<a {name}="{identifier}"/>'.encode())


@pytest.mark.parametrize("other", ["id", "iD", "x:ID", "x:Id", "x:id"])
def test_an_identifier_of_another_name_is_refused(other):
    with pytest.raises(SAMLId, match="another attribute"):
        parse_untrusted(f'<a xmlns:x="urn:x"><b {other}="b"/></a>'.encode())


def test_the_same_identifier_in_both_attributes_stands_twice():
    with pytest.raises(SAMLId, match="twice"):
        parse_untrusted(b'<a ID="a"><b Id="a"/></a>')
    assert parse_untrusted(b'<a ID="a"><b Id="b"/></a>').tag == "a"


def test_identifiers_of_metadata_may_be_anything():
    assert parse_untrusted(b'<a ID="1"><b ID="1" id="x"/></a>', METADATA).tag == "a"


def test_the_longest_canonical_form_is_parsed():
    def parse(size):
        return parse_canonical(b"<a>" + b"x" * (size - len(b"<a></a>")) + b"</a>")

    assert parse(2 * 256 * 1024).tag == "a"
    with pytest.raises(SAMLTooLarge):
        parse(2 * 256 * 1024 + 1)


# ── A fragment ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fragment", [b"<p:a/>", b"\n <p:a/>\t\r\n"])
def test_a_fragment_is_read_where_it_stands(fragment):
    assert parse_fragment(fragment, {"p": "urn:p", None: "urn:d"}).tag == "{urn:p}a"


def test_a_fragment_without_prefix_is_in_the_namespace_of_its_place():
    assert parse_fragment(b"<a/>", {None: "urn:d&'", "q": "urn:q"}).tag == "{urn:d&'}a"


@pytest.mark.parametrize(
    "fragment", [b"", b"<a/><b/>", b"x<a/>", b"<a/>x", b"</place><place>", b"x", b"X<a/>", b"<a/>\xc2\xa0"]
)
def test_a_fragment_is_exactly_one_element(fragment):
    with pytest.raises(SAMLNotXML):
        parse_fragment(fragment, {})


@pytest.mark.parametrize(
    ("fragment", "error"),
    [
        (b"<a>" + b"x" * (256 * 1024) + b"</a>", SAMLTooLarge),
        (b"<a>\xff</a>", SAMLEncoding),
        (b'<a xmlns:x="relative"/>', SAMLCanonicalization),
        (b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH, SAMLTooComplex),
        (b'<a ID="1"/>', SAMLId),
        (b"<!DOCTYPE a><a/>", SAMLDTD),
        (b"<a><!-- x --></a>", SAMLCommentOrPI),
        (b"<a/><?x?>", SAMLCommentOrPI),
    ],
)
def test_a_fragment_passes_the_checks_of_a_document(fragment, error):
    with pytest.raises(error):
        parse_fragment(fragment, {})
    assert parse_fragment(b"<a>" * (MAX_DEPTH - 1) + b"</a>" * (MAX_DEPTH - 1), {}).tag == "a"
