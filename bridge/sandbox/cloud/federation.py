"""The console's federation endpoint: temporary credentials for a sign-in token, and the token for a console session.

``GetSigninToken`` and ``Login`` at ``/federation``, unsigned. A token is for one use within 30 seconds. The console
session ends with the credentials and keeps their session policy, so it can do what they can.
https://help.aliyun.com/document_detail/91913.html and 91914.html
"""

import hmac
import secrets
import uuid
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Blueprint, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from bridge.clock import Clock
from bridge.sandbox.cloud.callers import RoleSession
from bridge.sandbox.cloud.console import Console, ConsoleSession, is_console_address
from bridge.sandbox.cloud.credentials import CredentialStore
from bridge.sandbox.cloud.directory import Directory
from bridge.sandbox.cloud.pages import set_console_cookie
from bridge.sandbox.cloud.policy.documents import write_statement
from bridge.sandbox.store import ExpiringStore
from bridge.sts_wire.reply import STSFault, build_fault

TOKEN_LIFETIME = timedelta(seconds=30)
TICKET_TYPE = "mini"


class Federation:
    """Gives sign-in tokens and takes them."""

    def __init__(self, directory: Directory, issued: CredentialStore, console: Console, clock: Clock) -> None:
        self._directory = directory
        self._issued = issued
        self._console = console
        self._clock = clock
        self._tokens: ExpiringStore[RoleSession] = ExpiringStore(clock)

    def get_sign_in_token(self, parameters: MultiDict[str, str]) -> str:
        """Return a sign-in token for temporary credentials; raises ``STSFault``.

        Long-term keys have none: a RAM user signs in as itself.
        """
        key, secret, token = (_read(parameters, name) for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken"))
        if _read(parameters, "TicketType") != TICKET_TYPE:
            raise _refuse("InvalidParameter.TicketType", f"TicketType must be {TICKET_TYPE}.")
        issued = self._issued.find(key)
        if issued is None:
            raise build_fault("InvalidAccessKeyId.NotFound")
        if not hmac.compare_digest(secret.encode(), issued.access_key_secret.encode()):
            raise build_fault("SignatureDoesNotMatch", "The AccessKeySecret is not the one of this AccessKeyId.")
        if not hmac.compare_digest(token.encode(), issued.security_token.encode()):
            raise build_fault("InvalidSecurityToken.MismatchWithAccessKey")
        if issued.session.expires_at <= self._clock.now():
            raise build_fault("InvalidSecurityToken.Expired")
        self._check_role(issued.session)
        sign_in_token = secrets.token_urlsafe(48)
        self._tokens.put(sign_in_token, issued.session, self._clock.now() + TOKEN_LIFETIME)
        return sign_in_token

    def login(self, parameters: MultiDict[str, str]) -> tuple[str, str]:
        """Return the key of a new console session and where its browser goes; raises ``STSFault``."""
        login_url, destination = _read(parameters, "LoginUrl"), _read(parameters, "Destination")
        if urlsplit(login_url).scheme not in {"http", "https"} or not urlsplit(login_url).hostname:
            raise _refuse("InvalidParameter.LoginUrl", "LoginUrl is no address of a page.")
        if not self._is_ours(destination):
            raise _refuse("InvalidParameter.Destination", "Destination is no address of Alibaba Cloud.")
        session = self._tokens.take(_read(parameters, "SigninToken"))
        if session is None:
            raise _refuse("InvalidParameter.SigninToken", "The sign-in token is unknown, was used, or is too old.")
        if session.expires_at <= self._clock.now():
            raise build_fault("InvalidSecurityToken.Expired")
        self._check_role(session)
        return self._open(session, login_url), destination

    def _open(self, session: RoleSession, login_url: str) -> str:
        account = self._directory.state.find_account(session.role.account)
        if account is None:
            raise build_fault("EntityNotExist.Role")
        return self._console.open_session(
            ConsoleSession(
                kind="role",
                account=account,
                arn=session.role,
                title=session.role.name,
                session_name=session.name,
                subject=session.name,
                issuer="STS, by temporary credentials",
                ends_at=session.expires_at,
                decided_by="the end of the temporary credentials",
                passed=(
                    "Access key ID, secret and security token belong together",
                    "The credentials have not expired",
                    "The role may log on to the console",
                    "The sign-in token was not used before, and is younger than 30 seconds",
                    "The destination is an address of Alibaba Cloud",
                ),
                relay_state="",
                opens_relay_state=False,
                login_url=login_url,
                policy=tuple(write_statement(each) for each in session.policy.statement) if session.policy else (),
            )
        )

    def _check_role(self, session: RoleSession) -> None:
        role = self._directory.state.find_role(session.role)
        if role is None:
            raise build_fault("EntityNotExist.Role")
        if not role.allow_console_login:
            raise build_fault("NoPermission", f"The role {role.name} may not log on to the console.")

    def _is_ours(self, destination: str) -> bool:
        """Whether it is an address of the vendor's, or this console: the stand-in has no other."""
        return is_console_address(destination) or destination == f"{self._directory.state.url}/console"


def build_federation(federation: Federation) -> Blueprint:
    """Return the endpoint; its parameters come in the query or in a form."""
    pages = Blueprint("federation", __name__, template_folder="templates")

    @pages.route("/federation", methods=["GET", "POST"])
    def answer() -> Response:
        parameters = request.form if request.method == "POST" else request.args
        if parameters.get("Action") == "Login" and request.method == "GET":
            return _login(federation, parameters)
        request_id = str(uuid.uuid4()).upper()
        try:
            if _read(parameters, "Action") != "GetSigninToken":
                raise _refuse("InvalidAction.NotFound", "There is no such action.")
            response = jsonify(RequestId=request_id, SigninToken=federation.get_sign_in_token(parameters))
        except STSFault as fault:
            response = jsonify(RequestId=request_id, Code=fault.code, Message=fault.message)
            response.status_code = fault.status
        return response

    return pages


def _login(federation: Federation, parameters: MultiDict[str, str]) -> Response:
    try:
        key, destination = federation.login(parameters)
    except STSFault as fault:
        return make_response(render_template("cloud_refused.html", fault=fault), fault.status)
    here = url_for("console.show_console")
    response = redirect(here if is_console_address(destination) else destination)
    set_console_cookie(response, key)
    return response


def _read(parameters: MultiDict[str, str], name: str) -> str:
    """Return a parameter that is there exactly once and is not empty."""
    values = parameters.getlist(name)
    if len(values) != 1 or not values[0]:
        raise _refuse(f"MissingParameter.{name}", f"{name} must be there once.")
    return values[0]


def _refuse(code: str, message: str) -> STSFault:
    return STSFault(code, 400, message)
