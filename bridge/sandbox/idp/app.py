"""Puts the stand-in provider together."""

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from bridge.clock import Clock
from bridge.sandbox.idp.browser_checks import set_policy
from bridge.sandbox.idp.jobs import build_jobs
from bridge.sandbox.idp.keys import load_or_create_client_secret, load_or_create_keys
from bridge.sandbox.idp.oidc.code import Codes
from bridge.sandbox.idp.oidc.views import OIDCViews, build_oidc
from bridge.sandbox.idp.pages import Pages, build_pages
from bridge.sandbox.idp.pending import PendingQuestions
from bridge.sandbox.idp.refusals import Refused
from bridge.sandbox.idp.saml.answered import AnsweredRequests
from bridge.sandbox.idp.saml.response import ResponseIssuer
from bridge.sandbox.idp.saml.service_providers import ServiceProviders
from bridge.sandbox.idp.saml.signatures import Signer
from bridge.sandbox.idp.saml.views import SAMLViews, build_saml
from bridge.sandbox.idp.sessions import Sessions
from bridge.sandbox.idp.state import IdPState

_MAXIMUM_BODY_BYTES = 512 * 1024
_log = logging.getLogger(__name__)


def create_idp(state: IdPState, keys_folder: Path, clock: Clock, fetch: Callable[[str], bytes]) -> Flask:
    """Return the provider as a WSGI application that must be served at ``state.url``.

    Keys and client secrets that do not exist yet are made. ``fetch`` gets the metadata of the registered service
    providers, when one is first needed; it raises ``OSError`` if there is none to be had.
    """
    keys = load_or_create_keys(keys_folder, state.name, clock.now())
    secrets = {client.client_id: load_or_create_client_secret(client) for client in state.oidc_clients}
    sessions = Sessions(clock, secure=state.url.startswith("https:"))
    pending = PendingQuestions(clock)
    saml = SAMLViews(
        state=state,
        certificate=keys.saml_certificate,
        clock=clock,
        sessions=sessions,
        pending=pending,
        answered=AnsweredRequests(clock),
        providers=ServiceProviders(state, clock, fetch),
        issuer=ResponseIssuer(state.saml_entity_id, Signer(keys.saml_private_key, keys.saml_certificate)),
    )
    oidc = OIDCViews(
        state=state,
        key=keys.oidc_key,
        client_secrets=secrets,
        clock=clock,
        sessions=sessions,
        pending=pending,
        codes=Codes(clock),
    )

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = _MAXIMUM_BODY_BYTES
    app.jinja_env.globals["idp"] = state
    app.register_blueprint(build_pages(Pages(state, sessions, pending)))
    app.register_blueprint(build_saml(saml))
    app.register_blueprint(build_oidc(oidc))
    app.register_blueprint(build_jobs(state.url, keys_folder, clock))
    app.after_request(set_policy)
    app.register_error_handler(Refused, _show_refusal)
    app.register_error_handler(HTTPException, _show_http_error)
    _keep_to_address(app, state.url)
    return app


def _keep_to_address(app: Flask, url: str) -> None:
    """``app`` answers under its one address only: cookies and ``Origin`` belong to that host."""
    host = urlsplit(url).netloc

    @app.before_request
    def check_host() -> BaseResponse | None:
        if request.host == host:
            return None
        if request.method == "GET" and request.path == "/":
            return redirect(url + "/")
        raise Refused("idp_host", "The provider is not served under this address.", 421)


def _show_refusal(error: Refused) -> tuple[str, int]:
    _log.info("refused: %s", error)
    return render_template("refused.html", code=error.code, reason=error.reason), error.status


def _show_http_error(error: HTTPException) -> Response | tuple[str, int] | HTTPException:
    if error.code is None or error.response is not None:
        return error
    return render_template("refused.html", code=f"http_{error.code}", reason=error.name + "."), error.code
