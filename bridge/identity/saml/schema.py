"""The SAML schema, as a net under the checks that know what they look for.

The schema files come with python3-saml. They are compiled once per thread: compiling takes far longer than all checks
of a message together, and a compiled schema keeps its error log in itself.
"""

import threading
from pathlib import Path

import onelogin.saml2
from lxml import etree

from bridge.errors import SAMLSchema
from bridge.identity.saml.document import Element
from bridge.identity.saml.elements import ATTRIBUTE_STATEMENT

_FILE = Path(onelogin.saml2.__file__).parent / "schemas" / "saml-schema-protocol-2.0.xsd"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class _Schema(threading.local):
    def __init__(self) -> None:
        self.saml = etree.XMLSchema(file=str(_FILE))


_schema = _Schema()


def check_schema(assertion: Element) -> None:
    """The assertion has only the elements and attributes that SAML knows, in their order. Raises SAMLSchema.

    The ``xsi:type`` of attribute values is dropped first. We read values as text; and its prefix, which exclusive
    canonicalization does not see, is often not declared in the canonical form.
    """
    for statement in assertion.findall(ATTRIBUTE_STATEMENT):
        etree.strip_attributes(statement, _XSI_TYPE)
    if not _schema.saml.validate(assertion):
        raise SAMLSchema("the assertion does not follow the SAML schema")
