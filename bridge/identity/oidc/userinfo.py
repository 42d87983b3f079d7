"""What the provider says about a person only when it is asked with the access token.

Several providers put e-mail address and groups nowhere else. The answer is bounded, a JSON object, and about the person
of the ID token, or it is refused whole; and it never outweighs what the ID token says. OpenID Connect Core 5.3;
threat OIDC-20.
"""

from collections.abc import Mapping
from typing import Any

from bridge.errors import FetchFailed, FetchRefused, FetchTooLarge, OIDCSize, OIDCUserInfo, ProviderUnavailable
from bridge.identity.oidc.strict_json import parse_object
from bridge.outbound import Answer, Limits, Outbound

MAX_USERINFO_BYTES = 100_000

_ABOUT_THE_SIGN_IN = frozenset(
    {
        "acr",
        "amr",
        "aud",
        "auth_time",
        "azp",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "sid",
        "tid",
    }
)
"""What only the signed token may say: how, when, for whom and where somebody authenticated."""
_OK = 200
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


def fetch_userinfo(endpoint: str, access_token: str, subject: str, outbound: Outbound) -> dict[str, Any]:
    """Return what the provider says about the person to whom the access token belongs: ``subject``, and nobody else.

    Raises:
        OIDCUserInfo: the answer is about somebody else, or is not the JSON object that it must be.
        OIDCSize: the answer is too long.
        ProviderUnavailable: no answer, or one that asks for patience.
    """
    headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
    try:
        answer = outbound.get(endpoint, headers=headers, limits=Limits(max_bytes=MAX_USERINFO_BYTES))
    except FetchTooLarge as error:
        raise OIDCSize(error.detail) from error
    except (FetchFailed, FetchRefused) as error:
        raise ProviderUnavailable(error.detail) from error
    return parse_userinfo(answer, subject)


def parse_userinfo(answer: Answer, subject: str) -> dict[str, Any]:
    """Return the claims of a userinfo response about ``subject`` (OIDC Core 5.3.2).

    A signed or encrypted response (``application/jwt``) is refused: it has to be asked for, and we do not.

    Raises:
        OIDCUserInfo: status, media type, form or ``sub`` is wrong.
        ProviderUnavailable: status 429 or 5xx.
    """
    if answer.status == _TOO_MANY_REQUESTS or answer.status >= _SERVER_ERROR:
        raise ProviderUnavailable(f"the userinfo endpoint answered {answer.status}")
    if answer.status != _OK:
        raise OIDCUserInfo(f"the userinfo endpoint answered {answer.status}")
    media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type == "application/jwt":
        raise OIDCUserInfo("userinfo is a JWT; let the provider send JSON")
    if media_type != "application/json":
        raise OIDCUserInfo("userinfo is not application/json")
    try:
        claims = parse_object(answer.body)
    except ValueError as error:
        raise OIDCUserInfo(f"userinfo is {error}") from error
    if claims.get("sub") != subject:
        raise OIDCUserInfo("sub is missing, or is not that of the ID token")
    return claims


def merge_claims(token: Mapping[str, Any], userinfo: Mapping[str, Any], verified: str) -> dict[str, Any]:
    """Return the claims of both; where both say something, the token's.

    ``verified`` is the claim that vouches for the address beside it, so it does not vouch for one from elsewhere.
    """
    further = {name: value for name, value in userinfo.items() if name not in _ABOUT_THE_SIGN_IN}
    if "email" in token and token["email"] != further.get("email"):
        further.pop(verified, None)
    if "email" not in token and "email" in further:
        token = {name: value for name, value in token.items() if name != verified}
    return {**further, **token}
