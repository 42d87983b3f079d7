"""The least that an STS could do with a token: one signature check in a bare Flask view, under the same server."""

import base64
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Flask, Response, jsonify, request


def build(key_file: str) -> Flask:
    """Return the application; it trusts one RSA key, checks no claim, remembers nothing and records nothing."""
    app = Flask(__name__)
    key, scheme = load_pem_public_key(Path(key_file).read_bytes()), PKCS1v15()

    @app.post("/")
    def assume_role_with_oidc() -> Response:
        header, payload, signature = request.form["OIDCToken"].split(".")
        key.verify(base64.urlsafe_b64decode(signature + "=="), f"{header}.{payload}".encode(), scheme, hashes.SHA256())
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        return jsonify({"Credentials": {"AccessKeyId": "STS.floor"}, "OIDCTokenInfo": {"Subject": claims["sub"]}})

    return app
