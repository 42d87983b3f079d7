"""Where a request came from, for the audit log, and the reference number that its errors show."""

import re
import secrets

from flask import g, request

from bridge.audit.events import Origin

_REFERENCE = re.compile(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", re.ASCII)


def current_origin() -> Origin:
    """Return the origin of the current request; always the same object's worth within one request."""
    if "origin" not in g:
        g.origin = Origin(reference=_new_reference(), source_address=request.remote_addr or "")
    return g.origin  # type: ignore[no-any-return]


def is_reference(text: str) -> bool:
    """Tell whether a text has the form of a reference number."""
    return _REFERENCE.fullmatch(text) is not None


def _new_reference() -> str:
    number = secrets.token_hex(6).upper()
    return f"{number[:4]}-{number[4:8]}-{number[8:]}"
