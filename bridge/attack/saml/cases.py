"""All hostile SAML responses: importing this fills the list."""

from bridge.attack.saml import cases_document, cases_encryption, cases_signature, cases_statement
from bridge.attack.saml.corpus import CASES

__all__ = ["CASES", "FILES"]

FILES = (cases_document, cases_encryption, cases_signature, cases_statement)
