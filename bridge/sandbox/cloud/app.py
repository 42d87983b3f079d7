"""Puts the stand-in cloud together: its services at ``/`` and the console beside them, as one Flask application."""

import uuid
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, redirect, render_template, request, url_for
from joserfc.jwk import RSAKey
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response

from bridge.clock import Clock
from bridge.sandbox.cloud.authentication import Authenticator
from bridge.sandbox.cloud.clusters import build_issuers
from bridge.sandbox.cloud.console import Console
from bridge.sandbox.cloud.credentials import CredentialStore
from bridge.sandbox.cloud.directory import Directory
from bridge.sandbox.cloud.documents import Documents, Fetch
from bridge.sandbox.cloud.federation import Federation, build_federation
from bridge.sandbox.cloud.gateway import Gateway
from bridge.sandbox.cloud.metadata_service import build_metadata_service
from bridge.sandbox.cloud.pages import build_pages
from bridge.sandbox.cloud.saml_sign_in import SAMLSignIns
from bridge.sandbox.cloud.state import CloudState
from bridge.sandbox.cloud.sts import STS
from bridge.sts_wire.reply import STSFault, build_fault, build_fault_reply
from bridge.sts_wire.request import MAX_REQUEST_BYTES, RawRequest

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def create_cloud(
    state: CloudState,
    clock: Clock,
    fetch: Fetch,
    saved: Path | None = None,
    cluster_key: RSAKey | None = None,
) -> Flask:
    """Return the stand-in cloud.

    ``fetch`` returns what is at an address (metadata, discovery documents, keys) and raises ``OSError`` when that
    cannot be had; its time and size must be bounded. ``saved`` is the file that keeps what is changed by API; without
    one, changes end with the process. ``cluster_key`` signs the tokens of pods; without one there are no clusters.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    directory, documents, issued = Directory(state, saved), Documents(fetch, clock), CredentialStore(clock)
    sign_ins = SAMLSignIns(directory, documents, clock)
    sts = STS(directory, documents, sign_ins, issued, clock)
    gateway = Gateway(directory, documents, Authenticator(directory, issued, clock), sts, clock)
    console = Console(directory, sign_ins, clock)
    app.register_blueprint(build_pages(directory, console, clock))
    app.register_blueprint(build_federation(Federation(directory, issued, console, clock)))
    app.register_blueprint(build_metadata_service(directory, issued, clock))
    if cluster_key is not None:
        app.register_blueprint(build_issuers(state, cluster_key))
    host_id = urlsplit(state.url).netloc

    def answer_api() -> Response:
        if request.method == "GET" and not request.query_string and "text/html" in request.headers.get("Accept", ""):
            return redirect(url_for("console.show_console"))
        return _answer(gateway, host_id)

    app.add_url_rule("/", view_func=answer_api, methods=_METHODS, provide_automatic_options=False)
    app.register_error_handler(HTTPException, _show_error)
    return app


def _show_error(error: HTTPException) -> tuple[str, int]:
    """Answer what no page answers, in the console's look."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    fault = STSFault(error.name, status, error.description or "")
    return render_template("cloud_refused.html", fault=fault), status


def _answer(gateway: Gateway, host_id: str) -> Response:
    """Hand a request over as it arrived."""
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        fault = build_fault("RequestTooLarge")
        reply = build_fault_reply(fault, str(uuid.uuid4()).upper(), host_id, "JSON")
        return Response(reply.body, reply.status, reply.headers)
    raw = RawRequest(request.method, request.query_string, list(request.headers.items()), body)
    reply = gateway.answer(raw, request.remote_addr or "", host_id, secure=request.is_secure)
    return Response(reply.body, reply.status, reply.headers)
