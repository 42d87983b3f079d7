"""Kubernetes clusters with RRSA: what their issuers publish, and the tokens that their pods find in files.

A projected service-account token is rotated before most of its life is over, and replaced in one step, since SDKs read
the file again whenever they need credentials.
"""

import os
import secrets
import shlex
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, jsonify
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.wrappers import Response

from bridge.clock import Clock
from bridge.sandbox.cloud.state import CloudState
from bridge.sandbox.cloud.workloads import Cluster, ServiceAccount
from bridge.sts_wire.arn import ARN

AUDIENCE = "sts.aliyuncs.com"
TOKEN_LIFETIME = timedelta(hours=1)
_ROTATE_AFTER = TOKEN_LIFETIME * 0.75


def build_issuers(state: CloudState, key: RSAKey) -> Blueprint:
    """Return what the clusters publish: discovery documents and the key set (OpenID Connect Discovery 4)."""
    issuers = Blueprint("clusters", __name__, url_prefix="/clusters")

    def find_issuer(cluster_id: str) -> str:
        cluster = next((each for each in state.clusters if each.id == cluster_id), None)
        if cluster is None:
            abort(HTTPStatus.NOT_FOUND)
        return cluster.build_issuer(state.url)

    @issuers.get("/<cluster_id>/.well-known/openid-configuration")
    def show_discovery(cluster_id: str) -> Response:
        issuer = find_issuer(cluster_id)
        return jsonify(
            issuer=issuer,
            jwks_uri=f"{issuer}/openid/v1/jwks",
            response_types_supported=["id_token"],
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=["RS256"],
        )

    @issuers.get("/<cluster_id>/openid/v1/jwks")
    def show_keys(cluster_id: str) -> Response:
        find_issuer(cluster_id)
        return jsonify(keys=[key.as_dict(private=False)])

    return issuers


class PodFiles:
    """Writes, for each service account, the token file and the environment that pods get from RRSA's webhook."""

    def __init__(self, state: CloudState, key: RSAKey, folder: Path, clock: Clock) -> None:
        self._state = state
        self._key = key
        self._folder = folder
        self._clock = clock

    def keep_fresh(self, stop: Event) -> None:
        """Write everything again whenever it is about to be too old, until ``stop`` is set."""
        while not stop.wait(_ROTATE_AFTER.total_seconds()):
            self.write()

    def write(self) -> None:
        """Write the files of all service accounts: ``CLUSTER/NAMESPACE/NAME/token`` and ``…/environment``."""
        for cluster in self._state.clusters:
            for account in cluster.service_accounts:
                folder = self._folder / cluster.id / account.namespace / account.name
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _replace(folder / "token", self.issue_token(cluster, account))
                lines = self._build_environment(cluster, account, folder / "token").items()
                text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in lines)
                _replace(folder / "environment", text)

    def issue_token(self, cluster: Cluster, account: ServiceAccount) -> str:
        """Return a token of the service account, as the cluster's API server makes it for an hour."""
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": cluster.build_issuer(self._state.url),
            "sub": account.subject,
            "aud": [AUDIENCE],
            "iat": now,
            "nbf": now,
            "exp": now + int(TOKEN_LIFETIME.total_seconds()),
            "jti": secrets.token_hex(16),
            "kubernetes.io": {"namespace": account.namespace, "serviceaccount": {"name": account.name}},
        }
        return jwt.encode({"alg": "RS256", "kid": self._key.kid}, claims, self._key)

    def _build_environment(self, cluster: Cluster, account: ServiceAccount, token: Path) -> Mapping[str, str]:
        return {
            "ALIBABA_CLOUD_ROLE_ARN": str(ARN(cluster.account, "role", account.role)),
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": str(ARN(cluster.account, "oidc-provider", cluster.provider_name)),
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE": str(token.resolve()),
            "ALIBABA_CLOUD_STS_ENDPOINT": urlsplit(self._state.url).netloc,
        }


def _replace(file: Path, text: str) -> None:
    """Put a new file, mode 0600, in the place of the old one in one step: a reader gets one of them whole."""
    descriptor, draft = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(draft).replace(file)
