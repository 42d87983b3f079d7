"""The role session name: how an auditor recognises a person in ActionTrail.

``[A-Za-z0-9.@_-]{2,32}`` is valid in every place that takes one: API, SAML attribute, older consumers. A value that
already fits is used as it is. Where anything had to be replaced or cut, a hash of the person is appended, so that two
people never share a name.
"""

import hashlib
import re

from bridge.identity.verified import VerifiedIdentity

_VALID = re.compile(r"[A-Za-z0-9.@_-]{2,32}", re.ASCII)
_HASH_LENGTH = 8
_MAX_LENGTH = 32


def derive_session_name(identity: VerifiedIdentity, claim: str) -> str:
    """Return the person's role session name.

    Args:
        identity: the person.
        claim: the claim to name the session by; the subject is used where the claim is absent or not one text.
    """
    value = identity.claims.get(claim)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    name = value if isinstance(value, str) and value else identity.subject
    if _VALID.fullmatch(name):
        return name
    person = f"{identity.issuer}\n{identity.subject}\n{name}".encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(person).hexdigest()[:_HASH_LENGTH]
    readable = re.sub(r"[^A-Za-z0-9.@_-]+", "-", name, flags=re.ASCII)[: _MAX_LENGTH - _HASH_LENGTH - 1]
    return f"{readable}-{digest}"
