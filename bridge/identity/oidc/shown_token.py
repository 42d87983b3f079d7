"""An ID token that somebody shows us, verified by the checks of a sign-in as far as that is possible.

What ties a token to one sign-in (nonce, code, access token) cannot be known afterwards and is left open, and so is
whether it was used before. Userinfo is not asked, since its access token is gone.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bridge.errors import OIDCJSON, BridgeError, OIDCIssuer
from bridge.identity.oidc.id_token import decode_token, name_claims
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.providers import TENANT, OIDCProvider
from bridge.identity.shown import Shown, judge_shown
from bridge.identity.verified import VerifiedIdentity

_YEAR_9999 = 253_402_300_799


class ShownToken:
    """A token as it came, of which nothing is known to be true."""

    def __init__(self, content: bytes) -> None:
        """Take the token. Raises Malformed if it is none that is signed and not encrypted."""
        self._token = content.decode("ascii", errors="replace").strip()
        try:
            self._claims = parse_object(decode_token(self._token).payload)
        except ValueError as error:
            raise OIDCJSON(f"the payload is {error}") from error

    def find_provider(self, providers: Mapping[str, OIDCProvider]) -> OIDCProvider:
        """Return the provider that it claims to be from. Raises OIDCIssuer if we know none of that name."""
        issuer, tenant = self._claims.get("iss"), str(self._claims.get("tid", ""))
        for provider in providers.values():
            if issuer == provider.issuer.replace(TENANT, tenant):
                return provider
        raise OIDCIssuer(f"by {ascii(issuer)[:300]}, which is no OpenID provider in the settings")

    def verify(self, us: RelyingParty, now: datetime) -> Shown:
        """Return who it is about and whether it passes every check, at this moment or else when it was issued.

        Raises a leaf of IdentityError where it passes neither and cannot be read without that.
        """
        return judge_shown(
            lambda moment: us.verify_shown(self._token, moment),
            lambda: _read_moment(self._claims.get("iat")),
            lambda refusal: self.suppose(us.provider, now, refusal),
            now,
        )

    def suppose(self, provider: OIDCProvider, now: datetime, refusal: BridgeError) -> Shown:
        """Return who it says it is about, marked UNVERIFIED."""
        claims = self._claims
        at = _read_moment(claims.get("auth_time"))
        amr, acr = claims.get("amr"), claims.get("acr")
        identity = VerifiedIdentity(
            provider=provider.name,
            protocol="oidc",
            issuer=str(claims.get("iss", "")),
            subject=str(claims.get("sub", "")),
            claims=name_claims(claims, provider),
            authenticated_at=at or _read_moment(claims.get("iat")) or now,
            message_id="",
            accept_until=datetime.min.replace(tzinfo=UTC),
            acr=acr if isinstance(acr, str) else None,
            amr=tuple(each for each in amr if isinstance(each, str)) if isinstance(amr, list) else (),
            authentication_time_stated=at is not None,
        )
        return Shown(identity, "UNVERIFIED", f"{refusal.code}: {refusal.detail}", now)


def _read_moment(seconds: Any) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _YEAR_9999:
        return None
    return datetime.fromtimestamp(seconds, UTC)
