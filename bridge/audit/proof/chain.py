"""What makes a record the one that its writer wrote next: asked before it is signed, and whenever it is verified."""

from collections.abc import Mapping
from typing import Any

from bridge.audit.record import link, split_id


def says_its_place(content: Mapping[str, Any], identifier: int) -> bool:
    """Tell whether a record says the writer and the number that its ``id`` says."""
    return (content.get("writer"), content.get("number")) == split_id(identifier)


def is_tied(mac_key: bytes, mac_before: bytes, body: str, mac: bytes | None) -> bool:
    """Tell whether a record has the mac of one that the bridge wrote after the one with the mac ``mac_before``.

    Nobody without the key can make one, whatever mac before it they choose.
    """
    return body.isascii() and link(mac_key, mac_before, body) == mac
