"""The console's pages: two addresses that take SAML responses, the picker, who one is, and what was refused.

A sign-in ends with a redirect to ``/console``, so that reloading the page does not post the response again. Pages
load nothing but their own style sheet; no script runs.
"""

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.clock import Clock
from bridge.sandbox.cloud.access import build_context
from bridge.sandbox.cloud.console import Console
from bridge.sandbox.cloud.directory import Directory
from bridge.sts_wire.reply import STSFault, build_fault

COOKIE = "sandbox_console"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def build_pages(directory: Directory, console: Console, clock: Clock) -> Blueprint:
    """Return the console's pages."""
    pages = Blueprint("console", __name__, template_folder="templates", static_folder="static")

    @pages.post("/saml-role/sso")
    def sign_in_as_role() -> Response:
        encoded, relay_state = _read_form()
        context = build_context(None, request.remote_addr or "", clock.now(), secure=request.is_secure)
        choice = console.verify_role_response(encoded, relay_state, context)
        if len(choice.roles) == 1:
            return _enter(console.sign_in_as_role(choice, 0))
        ticket = console.store_choice(choice)
        return make_response(render_template("cloud_pick.html", choice=choice, ticket=ticket))

    @pages.post("/saml-role/choose")
    def choose_role() -> Response:
        choice = console.take_choice(request.form.get("ticket", ""))
        picked = request.form.get("role", "")
        index = int(picked) if picked.isascii() and picked.isdigit() and len(picked) < 4 else -1  # noqa: PLR2004
        return _enter(console.sign_in_as_role(choice, index))

    @pages.post("/saml/SSO")
    def sign_in_as_user() -> Response:
        return _enter(console.sign_in_as_user(*_read_form()))

    @pages.get("/console")
    def show_console() -> Response:
        session = console.find_session(request.cookies.get(COOKIE, ""))
        if session is None:
            return make_response(render_template("cloud_signed_out.html", state=directory.state))
        minutes = round((session.ends_at - clock.now()).total_seconds() / 60)
        return make_response(render_template("cloud_console.html", session=session, minutes=minutes))

    @pages.post("/console/sign-out")
    def sign_out() -> Response:
        console.sign_out(request.cookies.get(COOKIE, ""))
        response = redirect(url_for("console.show_console"), 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="Lax")
        return response

    @pages.errorhandler(STSFault)
    def show_refusal(fault: STSFault) -> tuple[str, int]:
        return render_template("cloud_refused.html", fault=fault), fault.status

    pages.after_app_request(_protect)
    return pages


def set_console_cookie(response: Response, key: str) -> None:
    """Give the browser its console session."""
    response.set_cookie(COOKIE, key, httponly=True, samesite="Lax")


def _protect(response: Response) -> Response:
    """Add what every answer carries: nothing is loaded from elsewhere, framed, guessed at, or kept."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _read_form() -> tuple[str, str]:
    """Return ``SAMLResponse`` and ``RelayState``, each sent at most once."""
    if len(request.form.getlist("SAMLResponse")) != 1 or len(request.form.getlist("RelayState")) > 1:
        raise build_fault("AuthenticationFail.SAMLAssertion.Invalid", "The form must have one SAMLResponse field.")
    return request.form["SAMLResponse"], request.form.get("RelayState", "")


def _enter(key: str) -> Response:
    """Send the browser to the console with its new session."""
    response = redirect(url_for("console.show_console"), 303)
    set_console_cookie(response, key)
    return response
