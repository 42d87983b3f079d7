"""A platform that runs jobs, as GitHub Actions does: each job can have a token that says of what it is a job.

It stands beside the identity provider, at the same address under ``/ci``. As at the real one, anybody may have a
repository and run jobs in it, and all tokens are signed by the same key: who trusts it has to say whose jobs it means.
Unlike the real one, it does not ask who asks: here, whoever does is the job.
"""

import secrets
from datetime import timedelta
from pathlib import Path

from flask import Blueprint, jsonify, request
from joserfc import jwt
from werkzeug.wrappers import Response

from bridge.clock import Clock
from bridge.sandbox.signing_key import load_or_create_token_key

LIFETIME = timedelta(minutes=5)
OWNERS = {"acme": "424242"}
"""The number that stays with an owner, whoever takes over the name. Every stranger has another one."""
STRANGER = "666666"


def build_jobs(url: str, keys: Path, clock: Clock) -> Blueprint:
    """Return the platform: its discovery document, its key, and the tokens of its jobs.

    Args:
        url: of the identity provider.
        keys: the folder with the signing key, which is made where it is missing.
        clock: what the tokens' times come from.
    """
    jobs = Blueprint("jobs", __name__, url_prefix="/ci")
    issuer, key = f"{url}/ci", load_or_create_token_key(keys / "jobs-signing.key")

    @jobs.get("/.well-known/openid-configuration")
    def show_discovery() -> Response:
        return jsonify(
            issuer=issuer,
            jwks_uri=f"{issuer}/jwks",
            response_types_supported=["id_token"],
            subject_types_supported=["public"],
            id_token_signing_alg_values_supported=["RS256"],
        )

    @jobs.get("/jwks")
    def show_keys() -> Response:
        return jsonify(keys=[key.as_dict(private=False)])

    @jobs.get("/<owner>/<repository>/id-token")
    def issue_token(owner: str, repository: str) -> Response:
        """Answer as ``ACTIONS_ID_TOKEN_REQUEST_URL`` does; ``ref`` is the branch that the job runs on."""
        now, ref = int(clock.now().timestamp()), request.args.get("ref", "refs/heads/main")
        claims = {
            "iss": issuer,
            "aud": request.args.get("audience", url),
            "sub": f"repo:{owner}/{repository}:ref:{ref}",
            "repository": f"{owner}/{repository}",
            "repository_owner": owner,
            "repository_owner_id": OWNERS.get(owner, STRANGER),
            "ref": ref,
            "ref_type": "branch",
            "event_name": "push",
            "workflow": "deploy",
            "runner_environment": "github-hosted",
            "jti": secrets.token_hex(16),
            "iat": now,
            "nbf": now,
            "exp": now + int(LIFETIME.total_seconds()),
        }
        return jsonify(value=jwt.encode({"alg": "RS256", "typ": "JWT", "kid": key.kid}, claims, key))

    return jobs
