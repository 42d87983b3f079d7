"""What STS answers: success and error bodies in JSON and XML, and every error code with its status and message.

Client libraries are particular here: an error without ``Message`` crashes one of them, a success with ``Code`` is
an error to another, and a third cuts ``SignatureDoesNotMatch`` at its first colon. The messages keep to that.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from xml.sax.saxutils import escape

Format = Literal["JSON", "XML"]
Value: TypeAlias = "str | int | bool | Fields | Sequence[str | Fields]"
Fields: TypeAlias = Mapping[str, Value]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RECOMMEND = "https://error-center.aliyun.com/status/search?Keyword={code}&source=PopGw"
_CONTENT_TYPES: dict[Format, str] = {
    "JSON": "application/json;charset=utf-8",
    "XML": "text/xml;charset=utf-8",
}

FAULTS: dict[str, tuple[int, str]] = {
    # the gateway, before any action
    "IncompleteSignature": (400, "The request signature does not conform to Aliyun standards."),
    "InternalError": (500, "The request processing has failed due to some unknown error."),
    "InvalidAccessKeyId.Inactive": (400, "Specified access key is disabled."),
    "InvalidAccessKeyId.NotFound": (404, "Specified access key is not found."),
    "InvalidApi.NotFound": (404, "Specified api is not found, please check your url and method."),
    "InvalidParameter": (400, "The request holds a parameter that cannot be accepted."),
    "InvalidParameter.ContentType": (400, "The body type must be application/x-www-form-urlencoded."),
    "InvalidParameter.Format": (400, "The specified value of Format is not valid."),
    "InvalidProtocol.NeedSsl": (400, "Your request is denied as lack of ssl protect."),
    "InvalidParameter.SignatureNonce": (400, "The parameter SignatureNonce is wrongly formed."),
    "InvalidSecurityToken.Expired": (400, "Specified SecurityToken is expired."),
    "InvalidSecurityToken.Malformed": (400, "Specified SecurityToken is malformed."),
    "InvalidSecurityToken.MismatchWithAccessKey": (
        400,
        "Specified SecurityToken mismatch with the AccessKey.",
    ),
    "InvalidSignatureMethod": (400, "The specified signature method is not supported."),
    "InvalidTimeStamp.Expired": (400, "Specified time stamp or date value is expired."),
    "InvalidTimeStamp.Format": (400, "Specified time stamp or date value is not well formatted."),
    "InvalidVersion": (400, "Specified parameter Version is not valid."),
    "MissingSecurityToken": (400, "SecurityToken is mandatory for this action."),
    "RequestTooLarge": (413, "The request is larger than this service accepts."),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
    "SignatureDoesNotMatch": (400, "Specified signature is not matched with our calculation."),
    "SignatureNonceUsed": (400, "Specified signature nonce was used already."),
    "Throttling": (429, "Request was denied due to request throttling."),
    "UnsupportedHTTPMethod": (405, "This http method is not supported."),
    # the actions
    "EntityNotExist.Role": (404, "The specified Role does not exist."),
    "EntityNotExist.RoleArn": (404, "The specified RoleArn does not exist."),
    "EntityNotExist.SAMLProvider": (404, "The specified SAML Provider does not exist."),
    "InvalidParameter.PolicyGrammar": (400, "The parameter Policy has not passed grammar check."),
    "InvalidParameter.PolicySize": (400, "The size of Policy must be smaller than 2048 bytes."),
    "NoPermission": (
        403,
        "You are not authorized to do this action. You should be authorized by RAM.",
    ),
    "AuthenticationFail.IDPMetadata.Invalid": (401, "The IdP metadata of the SAML provider is invalid."),
    "AuthenticationFail.NoPermission": (
        401,
        "This operation is forbidden by the trust policy of the role, or the provider is not registered.",
    ),
    "AuthenticationFail.OIDCToken.AudienceNotMatch": (401, "Invalid audience."),
    "AuthenticationFail.OIDCToken.Expired": (401, "This JSON Web Token has expired."),
    "AuthenticationFail.OIDCToken.HttpsUrlInvalid": (401, "The issuer is not served over trusted HTTPS."),
    "AuthenticationFail.OIDCToken.Invalid": (401, "OIDC token is invalid."),
    "AuthenticationFail.OIDCToken.InvalidSignature": (401, "The signature of OIDC token is invalid."),
    "AuthenticationFail.OIDCToken.IssuerConfigurationBroken": (
        401,
        "The configuration or the keys of the issuer cannot be obtained.",
    ),
    "AuthenticationFail.OIDCToken.IssuerNotMatch": (
        401,
        "The issuer of OIDC token differs from that of the provider.",
    ),
    "AuthenticationFail.SAMLAssertion.Expired": (401, "The SAML Assertion has expired."),
    "AuthenticationFail.SAMLAssertion.Invalid": (401, "The SAML Assertion is invalid."),
}


class STSFault(Exception):
    """A request that STS refuses, in the vendor's own terms; ``message`` is shown to the caller."""

    def __init__(self, code: str, status: int, message: str, detail: Fields | None = None) -> None:
        """Take the vendor's code, the HTTP status, the message, and the ``AccessDeniedDetail`` where there is one."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message
        self.detail = detail


@dataclass(frozen=True)
class Reply:
    """One HTTP answer of STS."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def build_fault(code: str, message: str = "") -> STSFault:
    """Return the documented fault of this code; ``message`` replaces the usual words where it says more."""
    status, usual = FAULTS[code]
    return STSFault(code, status, message or usual)


def build_missing_common(name: str) -> STSFault:
    """Return the gateway's fault for a common parameter that is absent, such as ``Timestamp``."""
    return STSFault(f"Missing{name}", 400, f"{name} is mandatory for this action.")


def build_missing(name: str) -> STSFault:
    """Return the fault for an absent parameter of an action."""
    return STSFault(f"MissingParameter.{name}", 400, f"The parameter {name} must not be empty.")


def build_malformed(name: str, message: str = "") -> STSFault:
    """Return the fault for a parameter of an action whose value cannot be what it should be."""
    return STSFault(f"InvalidParameter.{name}", 400, message or f"The parameter {name} is wrongly formed.")


def build_reply(action: str, request_id: str, fields: Fields, form: Format) -> Reply:
    """Return the answer to an action that was done; ``fields`` must not hold a ``Code``.

    It is marked as not to be stored, because it may hold credentials (RFC 6749 5.1, CWE-524).
    """
    return _build(200, f"{action}Response", request_id, {"RequestId": request_id, **fields}, form)


def build_fault_reply(
    fault: STSFault, request_id: str, host_id: str, form: Format, *, retry_after_seconds: int | None = None
) -> Reply:
    """Return the answer to a request that was refused; ``host_id`` is the endpoint's host name.

    ``retry_after_seconds`` is told in ``Retry-After`` (RFC 9110 10.2.3) and, in milliseconds, where the SDKs read it.
    """
    fields: dict[str, Value] = {
        "RequestId": request_id,
        "HostId": host_id,
        "Code": fault.code,
        "Message": fault.message,
        "Recommend": _RECOMMEND.format(code=fault.code),
    }
    if fault.detail is not None:
        fields["AccessDeniedDetail"] = fault.detail
    reply = _build(fault.status, "Error", request_id, fields, form)
    if retry_after_seconds is None:
        return reply
    waiting = {"Retry-After": str(retry_after_seconds), "x-acs-retry-after": str(retry_after_seconds * 1000)}
    return replace(reply, headers={**reply.headers, **waiting})


def _build(status: int, root: str, request_id: str, fields: Fields, form: Format) -> Reply:
    """Write the fields in the asked form, with the headers that every answer carries."""
    if form == "XML":
        text = f'<?xml version="1.0" encoding="UTF-8"?><{root}>{_write_xml(fields)}</{root}>'
    else:
        text = json.dumps(fields, ensure_ascii=False)
    headers = {
        "Content-Type": _CONTENT_TYPES[form],
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
        "x-acs-request-id": request_id,
    }
    return Reply(status, headers, text.encode("utf-8", errors="replace"))


def _write_xml(fields: Fields) -> str:
    """Write nested fields as elements, a list as one element for each; what XML 1.0 cannot hold becomes U+FFFD."""
    return "".join(
        f"<{name}>{_write_value(each)}</{name}>"
        for name, value in fields.items()
        for each in (value if isinstance(value, list | tuple) else (value,))
    )


def _write_value(value: Value) -> str:
    match value:
        case Mapping():
            return _write_xml(value)
        case bool():
            return str(value).lower()
        case _:
            return escape(_NOT_XML.sub("\ufffd", str(value)))
