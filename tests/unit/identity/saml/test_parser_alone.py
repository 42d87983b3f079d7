"""The parsers by themselves, given what the checks before them refuse: the second line holds without the first."""

import pytest
from lxml import etree

from bridge.errors import SAMLNotXML, SAMLTooComplex
from bridge.identity.saml import document

PARSERS = ["strict", "lenient"]


def parse(xml, parser):
    return document._parse(xml, getattr(document._Parsers(), parser))


@pytest.mark.parametrize("parser", PARSERS)
def test_no_entity_is_resolved(parser):
    root = parse(b'<!DOCTYPE a [<!ENTITY e "secret">]><a>&e;</a>', parser)
    assert root.text is None
    assert b"secret" not in etree.tostring(root)


@pytest.mark.parametrize("parser", PARSERS)
def test_no_dtd_is_read(parser, tmp_path):
    dtd = tmp_path / "a.dtd"
    dtd.write_text('<!ELEMENT a EMPTY><!ATTLIST a b CDATA "default">')
    root = parse(f'<!DOCTYPE a SYSTEM "{dtd.as_uri()}"><a/>'.encode(), parser)
    assert dict(root.attrib) == {}
    assert parse(f'<!DOCTYPE a SYSTEM "{dtd.as_uri()}"><a>x</a>'.encode(), parser).text == "x"


@pytest.mark.parametrize("parser", PARSERS)
def test_what_is_not_well_formed_is_not_repaired(parser):
    with pytest.raises(SAMLNotXML):
        parse(b"<a><b></a>", parser)


@pytest.mark.parametrize("parser", PARSERS)
def test_the_parsers_own_limits_are_on(parser):
    with pytest.raises(SAMLTooComplex, match="limit of the parser"):
        parse(b"<a>" * 3_000 + b"</a>" * 3_000, parser)


@pytest.mark.parametrize("parser", PARSERS)
def test_the_encoding_is_the_one_that_was_checked(parser):
    assert parse('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'.encode(), parser).text == "é"


def test_comments_stay_where_they_would_be_noticed():
    assert len(parse(b"<a><!-- x --><?y?></a>", "strict")) == 2
    assert len(parse(b"<a><!-- x --><?y?></a>", "lenient")) == 0
