"""A verified identity as a JSON value, for the places that keep one in Redis. Sealing it is theirs."""

from datetime import UTC, datetime
from typing import Any

from bridge.errors import Unsealable
from bridge.identity.verified import VerifiedIdentity

_FORMAT = 3


def pack_identity(identity: VerifiedIdentity) -> list[Any]:
    """Return the identity as a JSON array: positions instead of names, since each session stores one."""
    return [
        _FORMAT,
        identity.provider,
        identity.protocol,
        identity.issuer,
        identity.subject,
        dict(identity.claims),
        identity.authenticated_at.timestamp(),
        identity.message_id,
        identity.accept_until.timestamp(),
        identity.valid_until.timestamp() if identity.valid_until else None,
        identity.acr,
        list(identity.amr),
        identity.session_index,
        identity.name_format,
        identity.authentication_time_stated,
        identity.proxy_count,
    ]


def unpack_identity(value: Any) -> VerifiedIdentity:
    """Return the identity that :func:`pack_identity` packed.

    Raises Unsealable for another shape, such as one written by another version of Rambridge: ask again who it is.
    """
    try:
        packed_format, provider, protocol, issuer, subject, claims, authenticated_at, *rest = value
        message_id, accept_until, valid_until, acr, amr, session_index, name_format, stated, proxy_count = rest
        identity = VerifiedIdentity(
            provider=provider,
            protocol=protocol,
            issuer=issuer,
            subject=subject,
            claims=claims,
            authenticated_at=datetime.fromtimestamp(authenticated_at, UTC),
            message_id=message_id,
            accept_until=datetime.fromtimestamp(accept_until, UTC),
            valid_until=None if valid_until is None else datetime.fromtimestamp(valid_until, UTC),
            acr=acr,
            amr=tuple(amr),
            session_index=session_index,
            name_format=name_format,
            authentication_time_stated=stated,
            proxy_count=proxy_count,
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise Unsealable("not an identity in the form that this version writes") from error
    if packed_format != _FORMAT or not _has_right_types(identity):
        raise Unsealable("not an identity in the form that this version writes")
    return identity


def _has_right_types(identity: VerifiedIdentity) -> bool:
    required = (identity.provider, identity.issuer, identity.subject, identity.message_id, *identity.amr)
    optional = (identity.acr, identity.session_index, identity.name_format)
    return (
        identity.protocol in ("saml", "oidc")
        and isinstance(identity.claims, dict)
        and isinstance(identity.authentication_time_stated, bool)
        and (identity.proxy_count is None or type(identity.proxy_count) is int)
        and all(isinstance(text, str) for text in required)
        and all(text is None or isinstance(text, str) for text in optional)
    )
