"""Identifiers and keys as RAM makes them."""

import secrets
import string


def make_entity_id(first_digit: int) -> str:
    """Return a new numeric id of 18 digits."""
    return str(first_digit) + "".join(secrets.choice(string.digits) for _ in range(17))


def make_access_key_id() -> str:
    """Return a new id of a long-term key."""
    return "LTAI" + _make_text(20)


def make_access_key_secret() -> str:
    """Return a new secret of a long-term key."""
    return _make_text(30)


def make_resource_group_id() -> str:
    """Return a new id of a resource group."""
    return "rg-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(15))


def _make_text(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))
