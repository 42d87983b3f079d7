"""The protocol's five answers. Programs that nobody here wrote read them, so the form follows what those do.

The CLI takes a status of 500 or more for a success and then stops with a fault of its own, so every refusal is 4xx; and
while it waits for a token, it asks again at once, a hundred times, after any error but ``AuthorizationPending`` and
``InvalidDeviceCodeError``. So whatever may pass is the first of these, and whatever is over the second. ``error``
beside them says the same in the words of RFC 8628, for programs that know them.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from bridge.clock import Clock, format_utc
from bridge.entitlements.resolve import Resolution
from bridge.errors import (
    BadParameter,
    BridgeError,
    DeviceNotYetAllowed,
    DevicePolledTooOften,
    DeviceRefused,
    SessionError,
    TerminalTokenUnknown,
    TooLarge,
)
from bridge.exchange.accounts import Account
from bridge.federation import Federation
from bridge.identity.guesses import GuessLimit
from bridge.identity.oidc.strict_json import parse_object
from bridge.language import translate
from bridge.portal_protocol.assignments import cut_page, describe_accounts, describe_configurations, find_entitlement
from bridge.portal_protocol.devices import INTERVAL_SECONDS, LIFETIME_SECONDS, Devices
from bridge.portal_protocol.opening import TerminalOpening
from bridge.sessions.session import Session
from bridge.sessions.store import SessionStore
from bridge.web.errors import RETRY_AFTER_SECONDS, find_status
from bridge.web.origin import current_origin

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
STARTS_PER_MINUTE = 60
"""Terminals that one address may let wait in a minute: a large office's, and too few to fill the store."""
MAX_BODY_BYTES = 8_192

_ACCOUNT = re.compile(r"[0-9]{6,20}", re.ASCII)
_CONFIGURATION = re.compile(r"[A-Za-z0-9._@-]{1,128}", re.ASCII)
_PENDING, _OVER = "AuthorizationPending", "InvalidDeviceCodeError"
_logger = logging.getLogger(__name__)


class PortalProtocol:
    """The addresses that the CLI and the SDKs ask."""

    def __init__(
        self,
        *,
        federation: Federation,
        devices: Devices,
        opening: TerminalOpening,
        terminals: SessionStore,
        guesses: GuessLimit,
        accounts: Mapping[str, Account],
        public_url: str,
        clock: Clock,
    ) -> None:
        """Take the spine, the waiting terminals, what opens their sessions, those, and our own address."""
        self._federation = federation
        self._devices = devices
        self._opening = opening
        self._terminals = terminals
        self._guesses = guesses
        self._accounts = accounts
        self._page = f"{public_url.rstrip('/')}/device"
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("portal_protocol", __name__)
        routes.add_url_rule("/device-authorization", "authorize_device", self.authorize_device, methods=["POST"])
        routes.add_url_rule("/token", "create_token", self.create_token, methods=["POST"])
        routes.add_url_rule("/access-assignments/accounts", "list_accounts", self.list_accounts)
        routes.add_url_rule(
            "/access-assignments/access-configurations", "list_configurations", self.list_configurations
        )
        routes.add_url_rule("/cloud-credentials", "create_credentials", self.create_credentials, methods=["POST"])
        routes.register_error_handler(BridgeError, _refuse)
        routes.register_error_handler(HTTPException, _refuse_http)
        return routes

    def authorize_device(self) -> Response:
        """Let a terminal wait, and tell it the code that its person compares."""
        self._guesses.count("device-authorization", current_origin().source_address, STARTS_PER_MINUTE)
        body = _read_body()
        if body.get("CodeChallengeMethod") != "S256":
            raise BadParameter("CodeChallengeMethod is not S256")
        started = self._devices.start(
            _read_text(body, "CodeChallenge"), _read_text(body, "ClientId"), current_origin().source_address
        )
        return jsonify(
            DeviceCode=started.device_code,
            UserCode=started.user_code,
            VerificationUri=self._page,
            VerificationUriComplete=f"{self._page}?user_code={started.user_code}",
            Interval=INTERVAL_SECONDS,
            ExpiresIn=LIFETIME_SECONDS,
            RequestId=current_origin().reference,
        )

    def create_token(self) -> Response:
        """Give a terminal that was let in its token, once; record it before."""
        body = _read_body()
        if body.get("GrantType") != GRANT_TYPE:
            raise BadParameter("GrantType is not that of a device code")
        client = _read_text(body, "ClientId")
        key = self._devices.redeem(_read_text(body, "DeviceCode"), _read_text(body, "CodeVerifier"), client)
        token, session = self._opening.open(key, client)
        seconds = int((session.ends_at - self._clock.now()).total_seconds())
        return jsonify(AccessToken=token, TokenType="Bearer", ExpiresIn=seconds, RequestId=current_origin().reference)

    def list_accounts(self) -> Response:
        """List the accounts in which this terminal's person has something."""
        accounts = describe_accounts(self._look(self._require_terminal()).entitlements, self._accounts)
        page, onward = _cut_asked_page(accounts)
        return jsonify(Accounts=page, RequestId=current_origin().reference, **onward)

    def list_configurations(self) -> Response:
        """List what this terminal's person may become in one account."""
        resolution = self._look(self._require_terminal())
        account = request.args.get("AccountId", "")
        if not _ACCOUNT.fullmatch(account):
            raise BadParameter("AccountId is no account's number")
        found = describe_configurations(resolution.entitlements, self._accounts, account)
        page, onward = _cut_asked_page(found)
        return jsonify(AccessConfigurationsForAccount=page, RequestId=current_origin().reference, **onward)

    def create_credentials(self) -> Response:
        """Issue credentials: the same choice, exchange and records as by the portal's button."""
        session = self._require_terminal()
        body = _read_body()
        account, configuration = _read_text(body, "AccountId"), _read_text(body, "AccessConfigurationId")
        if not _ACCOUNT.fullmatch(account) or not _CONFIGURATION.fullmatch(configuration):
            raise BadParameter("AccountId or AccessConfigurationId is not well-formed")
        found = find_entitlement(self._look(session).entitlements, self._accounts, account, configuration)
        origin = current_origin()
        # What is not theirs is refused by the same step, so that the refusal is recorded.
        wanted = found.id if found else f"{account}/{configuration}"
        with self._federation.in_one_step(origin) as federation:
            choice = federation.choose(origin, session.identity, wanted, purpose="terminal")
            credentials = federation.exchange(origin, choice)
            credentials = federation.deliver_credentials(origin, choice, credentials)
        return jsonify(
            CloudCredential={
                "AccessKeyId": credentials.access_key_id,
                "AccessKeySecret": credentials.access_key_secret,
                "SecurityToken": credentials.security_token,
                "Expiration": format_utc(credentials.expires_at),
            },
            RequestId=origin.reference,
        )

    def _require_terminal(self) -> Session:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise TerminalTokenUnknown("no bearer token")
        try:
            return self._terminals.load(token)
        except SessionError as error:
            raise TerminalTokenUnknown(error.detail) from error

    def _look(self, session: Session) -> Resolution:
        return self._federation.look(session.identity, current_origin().source_address)


def _cut_asked_page(items: list[dict[str, str]]) -> tuple[Any, dict[str, Any]]:
    return cut_page(items, request.args.get("NextToken", ""), request.args.get("MaxResults", ""))


def _read_body() -> dict[str, Any]:
    request.max_content_length = MAX_BODY_BYTES
    try:
        return parse_object(request.get_data(cache=False))
    except ValueError as error:
        raise BadParameter("the body is not one JSON object") from error


def _read_text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise BadParameter(f"{name} is missing, or is no text")
    return value


def _refuse_http(error: HTTPException) -> Response:
    return _refuse(TooLarge() if isinstance(error, RequestEntityTooLarge) else BadParameter())


def _refuse(error: BridgeError) -> Response:
    reference = current_origin().reference
    _logger.info("%s refused: %s", reference, error.code)
    status = find_status(type(error))
    is_ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    body = {"ErrorCode": error.code, "ErrorMessage": translate(error.public), "RequestId": reference}
    if request.endpoint == "portal_protocol.create_token":
        body |= _name_for_who_waits(error, may_pass=is_ours)
    response = jsonify(body)
    response.status_code = HTTPStatus.TOO_MANY_REQUESTS if is_ours else status
    if is_ours:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _name_for_who_waits(error: BridgeError, *, may_pass: bool) -> dict[str, str]:
    if isinstance(error, DevicePolledTooOften):
        return {"ErrorCode": _PENDING, "error": "slow_down"}
    if may_pass or isinstance(error, DeviceNotYetAllowed):
        return {"ErrorCode": _PENDING, "error": "authorization_pending"}
    if isinstance(error, DeviceRefused):
        return {"ErrorCode": _OVER, "error": "access_denied"}
    return {"ErrorCode": _OVER, "error": "expired_token"}
