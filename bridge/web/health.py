"""Alive, and ready to sign people in."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from bridge.errors import BridgeError


def create_health(
    checks: dict[str, Callable[[], None]],
    describe_rules: Callable[[], dict[str, str]],
    describe_exchange: Callable[[], Mapping[str, str]],
    describe_audit: Callable[[], Mapping[str, Any]] = dict,
) -> Blueprint:
    """Return ``/health/live`` and ``/health/ready``; a check raises a ``BridgeError`` while its part is down.

    What this process says of its rules stands in the answer and makes nothing unready: a node that cannot load the new
    ones decides by the old ones, and stopping all of them at once would be worse. Nor does an account whose STS is left
    alone for a while: the other accounts are there; nor what the audit log will need some day, nor a receiver that does
    not take its records: they wait; nor an audit log that does not verify, in which everything is still recorded.
    """
    routes = Blueprint("health", __name__, url_prefix="/health")

    @routes.get("/live")
    def live() -> Response:
        return jsonify(status="alive")

    @routes.get("/ready")
    def ready() -> Response:
        states = {name: _state(check) for name, check in checks.items()}
        status = "ready" if set(states.values()) == {"ok"} else "not ready"
        response = jsonify(
            status=status,
            parts=states,
            rules=describe_rules(),
            exchange=dict(describe_exchange()),
            audit=dict(describe_audit()),
        )
        response.status_code = 200 if set(states.values()) == {"ok"} else 503
        return response

    return routes


def _state(check: Callable[[], None]) -> str:
    try:
        check()
    except BridgeError as error:
        return error.code
    return "ok"
