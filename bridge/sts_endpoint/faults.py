"""Our refusals in the vendor's words: which code an SDK gets for each branch of our errors.

The caller learns the kind; why exactly stands in the audit record. A role that does not exist, one that does not trust
the caller and one that no rule grants are the same answer (threat STS-08).
"""

from collections.abc import Mapping

from bridge.errors import (
    AuditError,
    BadSignature,
    BridgeError,
    CallsTooMany,
    DurationTooLong,
    ExchangeRefused,
    ExchangeUnavailable,
    IdentityError,
    NotEntitled,
    OIDCAudience,
    OIDCExpiry,
    OIDCIssuer,
    OIDCKeySet,
    OIDCMetadata,
    PolicyNotNarrower,
    ProviderUnavailable,
    SAMLExpired,
    SAMLMetadata,
    SAMLSessionOver,
    SAMLStale,
    SessionEndsTooSoon,
    SessionNarrowed,
    StoreUnavailable,
    UnknownProvider,
)
from bridge.sts_wire.reply import STSFault, build_fault, build_malformed

RETRY_SECONDS = 5
"""When to try again after a part of ours was down."""

_OF_TOKENS: Mapping[type[BridgeError], str] = {
    IdentityError: "AuthenticationFail.OIDCToken.Invalid",
    OIDCExpiry: "AuthenticationFail.OIDCToken.Expired",
    OIDCIssuer: "AuthenticationFail.OIDCToken.IssuerNotMatch",
    OIDCAudience: "AuthenticationFail.OIDCToken.AudienceNotMatch",
    BadSignature: "AuthenticationFail.OIDCToken.InvalidSignature",
    ProviderUnavailable: "AuthenticationFail.OIDCToken.IssuerConfigurationBroken",
    OIDCMetadata: "AuthenticationFail.OIDCToken.IssuerConfigurationBroken",
    OIDCKeySet: "AuthenticationFail.OIDCToken.IssuerConfigurationBroken",
    UnknownProvider: "AuthenticationFail.NoPermission",
    NotEntitled: "AuthenticationFail.NoPermission",
    ExchangeRefused: "AuthenticationFail.NoPermission",
}
_OF_ASSERTIONS: Mapping[type[BridgeError], str] = {
    IdentityError: "AuthenticationFail.SAMLAssertion.Invalid",
    SAMLExpired: "AuthenticationFail.SAMLAssertion.Expired",
    SAMLStale: "AuthenticationFail.SAMLAssertion.Expired",
    SAMLSessionOver: "AuthenticationFail.SAMLAssertion.Expired",
    SAMLMetadata: "AuthenticationFail.IDPMetadata.Invalid",
    UnknownProvider: "EntityNotExist.SAMLProvider",
}
_ALWAYS: Mapping[type[BridgeError], str] = {
    BridgeError: "InternalError",
    NotEntitled: "NoPermission",
    ExchangeRefused: "NoPermission",
    PolicyNotNarrower: "NoPermission",
    SessionEndsTooSoon: "NoPermission",
    SessionNarrowed: "NoPermission",
    ExchangeUnavailable: "ServiceUnavailable",
    AuditError: "ServiceUnavailable",
    StoreUnavailable: "ServiceUnavailable",
    CallsTooMany: "Throttling",
}
_OF_ACTIONS: Mapping[str, Mapping[type[BridgeError], str]] = {
    "AssumeRoleWithOIDC": {**_ALWAYS, **_OF_TOKENS},
    "AssumeRoleWithSAML": {**_ALWAYS, **_OF_ASSERTIONS},
}


def translate(error: BridgeError, action: str) -> tuple[STSFault, int | None]:
    """Return the vendor's fault for one of our errors, and after how many seconds to try again, if that may help."""
    if isinstance(error, DurationTooLong):
        return build_malformed("DurationSeconds", "DurationSeconds is longer than the role's sessions may be."), None
    if isinstance(error, ExchangeRefused) and error.upstream_code.startswith("Throttling"):
        return build_fault("Throttling"), RETRY_SECONDS
    codes = _OF_ACTIONS.get(action, _ALWAYS)
    code = next(codes[ancestor] for ancestor in type(error).__mro__ if ancestor in codes)
    if isinstance(error, CallsTooMany):
        return build_fault(code), error.retry_after_seconds
    message = error.public if isinstance(error, PolicyNotNarrower | SessionEndsTooSoon | SessionNarrowed) else ""
    return build_fault(code, message), RETRY_SECONDS if code == "ServiceUnavailable" else None
