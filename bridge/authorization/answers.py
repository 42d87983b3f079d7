"""Errors in OAuth's words (RFC 6749 5.2, 4.1.2.1; RFC 8628 3.5; RFC 8707 2), with our code and the reference."""

import logging

from flask import Response, jsonify
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from bridge.errors import (
    BadParameter,
    BridgeError,
    ClientUnknown,
    CodeRefused,
    DeviceNotYetAllowed,
    DeviceOver,
    DevicePolledTooOften,
    DeviceRefused,
    GrantTypeUnsupported,
    RefreshTokenOver,
    RequestError,
    ResponseTypeUnsupported,
    TargetInvalid,
    TooLarge,
    TooManyRequests,
)
from bridge.language import translate
from bridge.web.errors import RETRY_AFTER_SECONDS, find_status
from bridge.web.origin import current_origin

NAMES: dict[type[BridgeError], str] = {
    BridgeError: "server_error",
    RequestError: "invalid_request",
    TooManyRequests: "temporarily_unavailable",
    ClientUnknown: "invalid_client",
    ResponseTypeUnsupported: "unsupported_response_type",
    GrantTypeUnsupported: "unsupported_grant_type",
    TargetInvalid: "invalid_target",
    CodeRefused: "invalid_grant",
    RefreshTokenOver: "invalid_grant",
    DeviceNotYetAllowed: "authorization_pending",
    DevicePolledTooOften: "slow_down",
    DeviceOver: "expired_token",
    DeviceRefused: "access_denied",
}
"""What OAuth calls each branch of the tree; the nearest ancestor in the table decides."""

_UNAVAILABLE = 503
_WAIT = frozenset({429, _UNAVAILABLE})
_logger = logging.getLogger(__name__)


def name_error(error: BridgeError) -> str:
    """Return what OAuth calls an error."""
    if find_status(type(error)) == _UNAVAILABLE:
        return "temporarily_unavailable"
    return next(NAMES[ancestor] for ancestor in type(error).__mro__ if ancestor in NAMES)


def refuse(error: BridgeError) -> Response:
    """Answer a program with an error."""
    reference = current_origin().reference
    _logger.info("%s refused: %s", reference, error.code)
    response = jsonify(
        error=name_error(error),
        error_description=error.public,  # ASCII alone (RFC 6749 5.2): the person's language stands in the message
        message=translate(error.public),
        code=error.code,
        reference=reference,
    )
    response.status_code = find_status(type(error))
    if response.status_code in _WAIT:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def refuse_http(error: HTTPException) -> Response:
    """Answer a program whose request did not get as far as that."""
    response = refuse(TooLarge() if isinstance(error, RequestEntityTooLarge) else BadParameter())
    if isinstance(error, MethodNotAllowed):
        response.status_code = MethodNotAllowed.code
    return response
