"""Hostile answers where our question is left at the provider (RFC 9126; OIDC-19)."""

import json

from bridge.attack.oidc.corpus import AnswerCase
from bridge.attack.scripted_server import Reply
from bridge.errors import OIDCPushedRequest, OIDCSize, ProviderUnavailable

GOOD = {"request_uri": "urn:ietf:params:oauth:request_uri:abc", "expires_in": 60}

_HOSTILE = {
    "refused": (OIDCPushedRequest, {"error": "invalid_request"}, 400),
    "error beside a request_uri": (OIDCPushedRequest, GOOD | {"error": "invalid_request"}, 201),
    "error with markup": (OIDCPushedRequest, {"error": "<script>"}, 400),
    "status 200": (OIDCPushedRequest, GOOD, 200),
    "no request_uri": (OIDCPushedRequest, {"expires_in": 60}, 201),
    "empty request_uri": (OIDCPushedRequest, GOOD | {"request_uri": ""}, 201),
    "request_uri no string": (OIDCPushedRequest, GOOD | {"request_uri": ["urn:x"]}, 201),
    "request_uri with a newline": (OIDCPushedRequest, GOOD | {"request_uri": "urn:x\r\nSet-Cookie: a=b"}, 201),
    "request_uri of 2 kB": (OIDCPushedRequest, GOOD | {"request_uri": "urn:" + "x" * 2_000}, 201),
    "no expires_in": (OIDCPushedRequest, {"request_uri": "urn:x"}, 201),
    "expires_in no number": (OIDCPushedRequest, GOOD | {"expires_in": "60"}, 201),
    "expires_in true": (OIDCPushedRequest, GOOD | {"expires_in": True}, 201),
    "expired": (OIDCPushedRequest, GOOD | {"expires_in": 0}, 201),
    "array": (OIDCPushedRequest, [GOOD], 201),
    "HTML": (OIDCPushedRequest, "<html>", 201),
    "larger than 100 kB": (OIDCSize, GOOD | {"x": "x" * 100_000}, 201),
    "redirect": (ProviderUnavailable, GOOD, 302),
    "too many requests": (ProviderUnavailable, GOOD, 429),
    "server error": (ProviderUnavailable, GOOD, 503),
}


def _reply(body: object, status: int) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Location": "/elsewhere"})


PUSHED = [
    AnswerCase("OIDC-19", f"pushed: {name}", error, "/par", _reply(body, status), {"par": "require"})
    for name, (error, body, status) in _HOSTILE.items()
]
