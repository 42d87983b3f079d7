"""Reads what a provider's page says in a frame: a session there is over. Nothing proves it.

OpenID Connect Front-Channel Logout 1.0, 2 and 3 (``frontchannel_logout_session_required``); threat OIDC-15.
"""

from collections.abc import Sequence
from datetime import datetime

from bridge.errors import OIDCFrontChannel, OIDCIssuer
from bridge.identity.ended import EndedAtProvider
from bridge.identity.oidc.id_token import MAX_NAME_CHARACTERS
from bridge.identity.providers import OIDCProvider


def read_front_channel_logout(
    query: Sequence[tuple[str, str]], provider: OIDCProvider, now: datetime
) -> EndedAtProvider:
    """Return what is over: one session at the provider, named by ``iss`` and ``sid``.

    Further parameters mean nothing, as everywhere in OAuth 2.0.

    Raises:
        OIDCFrontChannel: the provider's settings do not allow this, or there is not exactly one of each.
        OIDCIssuer: ``iss`` is another issuer.
    """
    if not provider.frontchannel_logout:
        raise OIDCFrontChannel("frontchannel_logout is not set for this provider")
    values = {name: [value for key, value in query if key == name] for name in ("iss", "sid")}
    if any(len(found) != 1 for found in values.values()):
        raise OIDCFrontChannel("not exactly one iss and one sid")
    [issuer], [session_id] = values["iss"], values["sid"]
    if issuer not in provider.issuers:
        raise OIDCIssuer("iss is another issuer")
    if not 0 < len(session_id) <= MAX_NAME_CHARACTERS:
        raise OIDCFrontChannel(f"sid does not have 1 to {MAX_NAME_CHARACTERS} characters")
    return EndedAtProvider(issuer=issuer, subject=None, session_indexes=(session_id,), message_id="", accept_until=now)
