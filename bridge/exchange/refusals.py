"""What STS's error codes mean to us: one table, from its code to the class of refusal that says what to do.

The person gets our sentence and, of STS, a code that this table knows, never its message: it could hold anything
(threat STS-15). https://www.alibabacloud.com/help/en/ram/developer-reference/api-sts-2015-04-01-errorcodes
"""

import re

from bridge.errors import (
    ExchangeClock,
    ExchangeDurationRefused,
    ExchangeError,
    ExchangeKeyRefused,
    ExchangeNotTrusted,
    ExchangePolicyRefused,
    ExchangeProofRefused,
    ExchangeProviderMissing,
    ExchangeRefused,
    ExchangeRoleMissing,
)

REFUSALS: dict[str, type[ExchangeRefused]] = {
    "NoPermission": ExchangeNotTrusted,
    "AuthenticationFail.NoPermission": ExchangeNotTrusted,
    "InvalidParameter.ExternalId": ExchangeNotTrusted,
    "EntityNotExist.Role": ExchangeRoleMissing,
    "EntityNotExist.RoleArn": ExchangeRoleMissing,
    "InvalidParameter.RoleArn": ExchangeRoleMissing,
    "EntityNotExist.SAMLProvider": ExchangeProviderMissing,
    "AuthenticationFail.IDPMetadata.Invalid": ExchangeProviderMissing,
    "AuthenticationFail.SAMLAssertion.Invalid": ExchangeProofRefused,
    "AuthenticationFail.SAMLAssertion.Expired": ExchangeClock,
    "AuthenticationFail.OIDCToken.AudienceNotMatch": ExchangeProofRefused,
    "AuthenticationFail.OIDCToken.Expired": ExchangeClock,
    "AuthenticationFail.OIDCToken.HttpsUrlInvalid": ExchangeProofRefused,
    "AuthenticationFail.OIDCToken.Invalid": ExchangeProofRefused,
    "AuthenticationFail.OIDCToken.InvalidSignature": ExchangeProofRefused,
    "AuthenticationFail.OIDCToken.IssuerConfigurationBroken": ExchangeProofRefused,
    "AuthenticationFail.OIDCToken.IssuerNotMatch": ExchangeProofRefused,
    "AuthenticationFail.OIDCToken.PublicKeyFingerprintMismatch": ExchangeProofRefused,
    "InvalidTimeStamp.Expired": ExchangeClock,
    "InvalidParameter.DurationSeconds": ExchangeDurationRefused,
    "InvalidParameter.PolicyGrammar": ExchangePolicyRefused,
    "InvalidParameter.PolicySize": ExchangePolicyRefused,
    "InvalidAccessKeyId.Inactive": ExchangeKeyRefused,
    "InvalidAccessKeyId.NotFound": ExchangeKeyRefused,
    "IncompleteSignature": ExchangeKeyRefused,
    "SignatureDoesNotMatch": ExchangeKeyRefused,
    "MissingSecurityToken": ExchangeKeyRefused,
    "InvalidSecurityToken.Expired": ExchangeKeyRefused,
    "InvalidSecurityToken.Malformed": ExchangeKeyRefused,
    "InvalidSecurityToken.MismatchWithAccessKey": ExchangeKeyRefused,
}
_OF_OUTAGES = frozenset(
    {
        "InternalError",
        "ServiceUnavailable",
        "Throttling",
        "Throttling.Api",
        "Throttling.User",
    }
)
_REQUEST_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)


def find_refusal(code: str) -> type[ExchangeRefused]:
    """Return the class of refusal for STS's code; the general one for a code that nobody has documented."""
    return REFUSALS.get(code, ExchangeRefused)


def show_upstream(error: ExchangeError) -> tuple[str, str]:
    """Return STS's code and RequestId as a page may show them, each empty unless it is one that STS documents."""
    return keep_documented(error.upstream_code, error.upstream_request_id)


def keep_documented(code: str, request_id: str) -> tuple[str, str]:
    """Return what somebody says is STS's code and RequestId, each empty unless it is one that STS documents."""
    known = code in REFUSALS or code in _OF_OUTAGES
    return code if known else "", request_id if _REQUEST_ID.fullmatch(request_id) else ""
