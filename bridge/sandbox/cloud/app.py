"""Puts the stand-in cloud together: STS at ``/`` and the console beside it, as one Flask application."""

import logging
import uuid
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Flask, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response

from bridge.clock import Clock
from bridge.sandbox.cloud.console import Console
from bridge.sandbox.cloud.documents import Documents, Fetch
from bridge.sandbox.cloud.pages import build_pages
from bridge.sandbox.cloud.saml_sign_in import SAMLSignIns
from bridge.sandbox.cloud.state import CloudState
from bridge.sandbox.cloud.sts import STS
from bridge.sts_wire.reply import Format, STSFault, build_fault, build_fault_reply, build_reply
from bridge.sts_wire.request import MAX_REQUEST_BYTES, RawRequest, find_format, parse_request

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_log = logging.getLogger(__name__)


def create_cloud(state: CloudState, clock: Clock, fetch: Fetch) -> Flask:
    """Return the stand-in cloud.

    ``fetch`` returns what is at an address (metadata, discovery documents, keys) and raises ``OSError`` when that
    cannot be had; its time and size must be bounded.
    """
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    documents = Documents(fetch, clock)
    sign_ins = SAMLSignIns(state, documents, clock)
    sts = STS(state, documents, sign_ins, clock)
    app.register_blueprint(build_pages(state, Console(state, sign_ins, clock), clock))
    host_id = urlsplit(state.url).netloc

    def answer_sts() -> Response:
        if request.method == "GET" and not request.query_string and "text/html" in request.headers.get("Accept", ""):
            return redirect(url_for("console.show_console"))
        return _answer(sts, host_id)

    app.add_url_rule("/", view_func=answer_sts, methods=_METHODS, provide_automatic_options=False)
    app.register_error_handler(HTTPException, _show_error)
    return app


def _show_error(error: HTTPException) -> tuple[str, int]:
    """Answer what no page answers, in the console's look."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    fault = STSFault(error.name, status, error.description or "")
    return render_template("cloud_refused.html", fault=fault), status


def _answer(sts: STS, host_id: str) -> Response:
    """Answer an STS request; every refusal, even an unforeseen one, has the vendor's shape."""
    request_id = str(uuid.uuid4()).upper()
    form: Format = "JSON"
    try:
        raw = RawRequest(
            request.method, request.query_string, list(request.headers.items()), request.get_data(cache=False)
        )
        form = find_format(raw)
        parsed = parse_request(raw)
        fields = sts.answer(parsed, request.remote_addr or "")
        reply = build_reply(parsed.action, request_id, fields, parsed.form)
    except RequestEntityTooLarge:
        reply = build_fault_reply(build_fault("RequestTooLarge"), request_id, host_id, form)
    except STSFault as fault:
        reply = build_fault_reply(fault, request_id, host_id, form)
    except Exception:  # noqa: BLE001 - the last door: even a fault of ours has the vendor's shape
        _log.exception("STS request %s failed", request_id)
        reply = build_fault_reply(build_fault("InternalError"), request_id, host_id, form)
    return Response(reply.body, reply.status, reply.headers)
