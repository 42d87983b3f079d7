"""Error → page. The one table of this door, and the catch-all that says nothing."""

import logging
import re
import traceback
from typing import Any

from flask import Flask, Response, current_app, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, MethodNotAllowed, SecurityError
from werkzeug.wrappers import Response as AnyResponse

from bridge.clock import format_utc
from bridge.errors import (
    AccessError,
    AccessTokenUnknown,
    AuditError,
    AuditUnavailable,
    BadParameter,
    BridgeError,
    ClockBehind,
    CrossSiteRequest,
    DestinationRefused,
    ExchangeError,
    ExchangeMismatch,
    ExchangeUnavailable,
    FetchFailed,
    HistoryUnavailable,
    IdentityError,
    LinkUnusable,
    LogoutRefused,
    NotAdministrator,
    NotAuditor,
    NotEntitled,
    NotFound,
    OIDCClientAssertion,
    ProviderUnavailable,
    RequestError,
    RequestUnknown,
    RolloutError,
    RolloutUnavailable,
    SamePerson,
    SAMLMetadata,
    SessionError,
    StepUpNotMet,
    StoreUnavailable,
    TooLarge,
    TooManyRequests,
    UnknownHost,
    UserCodeUnknown,
    VersionUnknown,
    Wanted,
    walk_leaves,
)
from bridge.exchange.refusals import keep_documented, show_upstream
from bridge.language import mark, translate
from bridge.web.api_types import HelpAnswer, LetterAnswer, ToDoAnswer
from bridge.web.help import Help, HelpDesk
from bridge.web.origin import current_origin, is_reference
from bridge.web.way_back import START, find_form, find_form_too_late, find_retry

_logger = logging.getLogger(__name__)

STATUSES: dict[type[BridgeError], int] = {
    BridgeError: 500,
    IdentityError: 400,
    ProviderUnavailable: 503,
    SessionError: 401,
    AccessError: 403,
    NotFound: 404,
    UserCodeUnknown: 404,
    LinkUnusable: 404,
    RequestError: 400,
    TooLarge: 413,
    TooManyRequests: 429,
    UnknownHost: 421,
    ExchangeError: 403,
    ExchangeMismatch: 502,
    ExchangeUnavailable: 503,
    AuditError: 503,
    StoreUnavailable: 503,
    HistoryUnavailable: 503,
    RolloutError: 409,
    VersionUnknown: 404,
    RequestUnknown: 404,
    SamePerson: 403,
    RolloutUnavailable: 503,
}
"""The HTTP status of each branch of the tree; the nearest ancestor in the table decides."""

TITLES: dict[type[BridgeError], str] = {
    BridgeError: mark("Something went wrong"),
    IdentityError: mark("The sign-in was not accepted"),
    LogoutRefused: mark("The sign-out could not be confirmed"),
    SessionError: mark("Please sign in"),
    AccessError: mark("This is not possible"),
    NotAdministrator: mark("For administrators only"),
    NotAuditor: mark("For auditors only"),
    NotFound: mark("Page not found"),
    UserCodeUnknown: mark("Code not found"),
    LinkUnusable: mark("This link cannot be used"),
    DestinationRefused: mark("This link cannot be used"),
    RequestError: mark("This is not possible"),
    TooLarge: mark("The request is too large"),
    UnknownHost: mark("Unknown address"),
    ExchangeError: mark("This is not possible"),
    ExchangeMismatch: mark("Something went wrong"),
    RolloutError: mark("This is not possible"),
}
"""What a page is headed by, for each branch of the tree; the nearest ancestor in the table decides."""

_UNAVAILABLE_TITLE = mark("Not available at the moment")
"""Of every branch that passes by itself, whatever it is called."""

RETRY_AFTER_SECONDS = 10

MAY_PASS = (
    *(IdentityError, NotEntitled, UserCodeUnknown, TooManyRequests, FetchFailed),
    *(StoreUnavailable, HistoryUnavailable, AuditUnavailable, ClockBehind, ExchangeUnavailable, RolloutUnavailable),
)
"""What may be otherwise the next time; so may what we did not foresee. Every sign-in that was not accepted is begun
again in the same way: a page that differed more than by its code would help whoever tries messages."""
NEVER_PASSES = (SAMLMetadata, OIDCClientAssertion)
"""Of these, what does not before IT has mended something."""
HELP_DESK = "help_desk"

_KINDS = {kind.code: kind for kind in walk_leaves()}
_ENTITLEMENT = re.compile(r"([0-9a-f]{16})?", re.ASCII)

_OAUTH_PROGRAMS = ("/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/device_authorization")
_NOT_FOUND = 404
_UNAUTHORIZED = 401
_TOO_LARGE = 413
_BAD_REQUEST = 400
_UNAVAILABLE = 503
_SERVER_ERROR = 500
_PASSING = frozenset({429, _UNAVAILABLE})


def find_status(error: type[BridgeError]) -> int:
    """Return the HTTP status of an error class."""
    return next(STATUSES[ancestor] for ancestor in error.__mro__ if ancestor in STATUSES)


def find_title(error: type[BridgeError]) -> str:
    """Return what the page of an error class is headed by, in the language that is spoken."""
    if find_status(error) in _PASSING:
        return translate(_UNAVAILABLE_TITLE)
    return translate(next(TITLES[ancestor] for ancestor in error.__mro__ if ancestor in TITLES))


def install_errors(app: Flask) -> None:
    """Answer every error of ``app`` with a page, or with JSON under ``/api/``."""

    @app.errorhandler(BridgeError)
    def refuse(error: BridgeError) -> AnyResponse:
        _logger.info("%s refused: %s", current_origin().reference, error.code)
        lead = _lead_to_sign_in(error) if isinstance(error, SessionError) and not _wants_json() else None
        return lead or _answer(find_status(type(error)), error)

    @app.errorhandler(HTTPException)
    def refuse_http(error: HTTPException) -> AnyResponse:
        if isinstance(error, SecurityError):
            return _answer(STATUSES[UnknownHost], UnknownHost())
        status = error.code or _SERVER_ERROR
        if status == _NOT_FOUND:
            return _answer(status, NotFound())
        if status == _TOO_LARGE:
            return _answer(status, TooLarge())
        if _BAD_REQUEST <= status < _SERVER_ERROR:
            response = _answer(status, BadParameter())
            if isinstance(error, MethodNotAllowed):
                response.allow.update(error.valid_methods or ())
            return response
        return error.get_response()  # a redirect of the router

    @app.errorhandler(Exception)
    def hide(error: Exception) -> AnyResponse:
        # The message of an exception may quote what somebody sent; its kind and its place do not.
        place = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
        _logger.error("%s failed: %s\n%s", current_origin().reference, type(error).__name__, place)
        return _answer(_SERVER_ERROR, BridgeError())


def _lead_to_sign_in(error: SessionError) -> AnyResponse | None:
    if request.method in ("GET", "HEAD"):
        return _sign_in_first()
    form = find_form_too_late()
    return None if form is None else _sign_in_again(error, form)


def _sign_in_first() -> AnyResponse:
    if request.args.get("choose") == "1":
        return redirect(url_for("login.choose", choose=1), 303)
    return redirect(url_for("login.choose", return_to=request.full_path.rstrip("?")), 303)


def _sign_in_again(error: SessionError, return_to: str) -> Response:
    """Lead whoever sent a form too late to the sign-in, and from there to where the form stands.

    By a page: browsers hold the redirects of a form to its own page's policy, which names no provider.
    """
    url = url_for("login.choose", return_to=return_to)
    response = Response(render_template("sign_in_again.html", url=url, code=error.code))
    response.status_code = find_status(type(error))
    return response


def _wants_json() -> bool:
    # Programs call these: ours, and the servers of OpenID providers.
    return request.path.startswith("/api/") or request.path.endswith(("/backchannel-logout", *_OAUTH_PROGRAMS))


def show_again(
    code: str,
    reference: str,
    *,
    entitlement: str = "",
    of_sign_out: bool = False,
    upstream: tuple[str, str] = ("", ""),
) -> str:
    """Return the page of an error that this browser was shown, by its code, in the language that is spoken now.

    ``reference`` is the number that it had, ``entitlement`` what a stronger sign-in was for, and ``upstream`` Alibaba
    Cloud's code and RequestId. What the page knew besides is not kept: IT finds it by the number. Raises BadParameter
    for what no page of ours can have had.
    """
    kind = _KINDS.get(code)
    if kind is None or not is_reference(reference) or not _ENTITLEMENT.fullmatch(entitlement):
        raise BadParameter("no page of an error is like this")
    if any(upstream) and not (issubclass(kind, ExchangeError) and keep_documented(*upstream) == upstream):
        raise BadParameter("no page of an error has this of Alibaba Cloud")
    again = StepUpNotMet(wanted=Wanted(entitlement)) if kind is StepUpNotMet else None
    help_ = _find_help(again) if again else None
    return _show(find_status(kind), kind, reference, help_, upstream, entitlement=entitlement, of_sign_out=of_sign_out)


def _answer(status: int, error: BridgeError) -> Response:
    reference = current_origin().reference
    of_sign_out = request.endpoint == "logout.slo" and isinstance(error, IdentityError)
    upstream = show_upstream(error) if isinstance(error, ExchangeError) else ("", "")
    help_ = _find_help(error)
    if _wants_json():
        response = jsonify(
            code=error.code,
            message=translate(error.public),
            reference=reference,
            **{name: value for name, value in zip(("sts_code", "sts_request_id"), upstream, strict=True) if value},
            **({"help": _write_help(help_)} if help_ else {}),
        )
    else:
        entitlement = error.wanted.entitlement if isinstance(error, StepUpNotMet) else ""
        page = _show(status, type(error), reference, help_, upstream, entitlement=entitlement, of_sign_out=of_sign_out)
        response = Response(page)
    response.status_code = status
    if status == _UNAUTHORIZED and request.path.startswith("/api/"):
        response.headers["WWW-Authenticate"] = _challenge(error)
    seconds = getattr(error, "retry_after_seconds", None)
    if seconds or status == _UNAVAILABLE:
        response.headers["Retry-After"] = str(seconds or RETRY_AFTER_SECONDS)
    return response


def _show(
    status: int,
    kind: type[BridgeError],
    reference: str,
    help_: Help | None,
    upstream: tuple[str, str] = ("", ""),
    *,
    entitlement: str,
    of_sign_out: bool,
) -> str:
    told: type[BridgeError] = LogoutRefused if of_sign_out else kind
    return render_template(
        "error.html",
        title=help_.title if help_ else find_title(told),
        message=(help_ and help_.missing) or translate(told.public),
        help=help_,
        code=kind.code,
        sts_code=upstream[0],
        sts_request_id=upstream[1],
        reference=reference,
        status=status,
        retry_url=None if of_sign_out or (help_ and not help_.retry) else _find_retry(status, kind),
        back_url=None if issubclass(kind, CrossSiteRequest) else find_form(),
        home_url=START if issubclass(kind, IdentityError) and not of_sign_out else "/",
        entitlement=entitlement,
        of_sign_out=of_sign_out,
    )


def _find_help(error: BridgeError) -> Help | None:
    desk: HelpDesk | None = current_app.extensions.get(HELP_DESK)
    try:
        return desk.find(error) if desk else None
    except BridgeError:
        return None  # no help is better than another refusal


def _write_help(help_: Help) -> dict[str, Any]:
    letter = help_.letter
    written = HelpAnswer(
        kind=help_.kind,
        message=help_.message,
        steps=[ToDoAnswer(kind=step.kind, message=step.message) for step in help_.steps],
        at=format_utc(help_.at) if help_.at else None,
        sign_in=help_.sign_in,
        owner=help_.owner or None,
        letter=LetterAnswer(subject=letter.subject, text=letter.text, mailto=letter.link) if letter else None,
    )
    return written.model_dump(mode="json", exclude_none=True)


def _find_retry(status: int, kind: type[BridgeError]) -> str | None:
    """Return where to try again; None where the same would be refused again."""
    if issubclass(kind, NEVER_PASSES) or not (issubclass(kind, MAY_PASS) or kind is BridgeError):
        return None
    return find_retry(status, same=issubclass(kind, NotEntitled))


def _challenge(error: BridgeError) -> str:
    """Say what would be taken (RFC 6750 3): without a token no error, with one what is wrong with it."""
    return 'Bearer error="invalid_token"' if isinstance(error, AccessTokenUnknown) else "Bearer"
