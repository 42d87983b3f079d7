"""The metadata service of a server (ECS), by which its programs become the role that is attached to it.

The live one is at ``http://100.100.100.200``, and SDKs know no other address: let them go through the sandbox as an
HTTP proxy, or give that address to the loopback interface. A hardened server answers only to a token that was asked for
by PUT, which a program that is tricked into fetching an address (SSRF) cannot do.
"""

import re
import secrets
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock

from flask import Blueprint, abort, jsonify, request
from werkzeug.wrappers import Response

from bridge.clock import Clock, format_utc
from bridge.sandbox.cloud.access import build_context
from bridge.sandbox.cloud.callers import RoleSession
from bridge.sandbox.cloud.credentials import CredentialStore, IssuedCredentials
from bridge.sandbox.cloud.directory import Directory
from bridge.sandbox.cloud.workloads import Instance
from bridge.sandbox.store import ExpiringStore
from bridge.sts_wire.arn import ARN

TOKEN_HEADER = "X-aliyun-ecs-metadata-token"  # noqa: S105 - the name of a header
TTL_HEADER = "X-aliyun-ecs-metadata-token-ttl-seconds"
MAX_TOKEN_SECONDS = 21_600
SERVICE = "ecs.aliyuncs.com"

_LIFETIME = timedelta(hours=6)
"""Of a server's credentials; not documented."""
_RENEW_BEFORE = timedelta(minutes=30)
"""SDKs ask for new ones 15 minutes before the end at the earliest, and must then get other ones."""


class Server:
    """The server that the metadata is about: who may ask, and the credentials of its role."""

    def __init__(self, directory: Directory, issued: CredentialStore, clock: Clock) -> None:
        self._directory = directory
        self._issued = issued
        self._clock = clock
        self._tokens: ExpiringStore[bool] = ExpiringStore(clock)
        self._lock = Lock()
        self._current: tuple[IssuedCredentials, datetime] | None = None

    def find_instance(self) -> Instance:
        """Return the instance, if there is one."""
        instance = self._directory.state.instance
        if instance is None:
            abort(HTTPStatus.NOT_FOUND)
        return instance

    def admit(self) -> Instance:
        """Return the instance, if the request may read about it: with a token that lives, or where none is needed."""
        instance = self.find_instance()
        token = request.headers.get(TOKEN_HEADER)
        if (token is None and instance.hardened) or (token is not None and not self._tokens.find(token)):
            abort(HTTPStatus.FORBIDDEN, f"A token is needed: PUT /latest/api/token with {TTL_HEADER}.")
        return instance

    def make_token(self, lifetime: timedelta) -> str:
        """Return a new token."""
        token = secrets.token_urlsafe(32)
        self._tokens.put(token, value=True, until=self._clock.now() + lifetime)
        return token

    def issue(self, instance: Instance, source_ip: str) -> tuple[IssuedCredentials, datetime] | None:
        """Return the role's credentials and when they were made; None if the role does not trust servers.

        They are the same for everybody who asks, until they are about to end.
        """
        arn = ARN(instance.account, "role", instance.role or "")
        role = self._directory.state.find_role(arn)
        now = self._clock.now()
        context = build_context(None, source_ip, now, secure=False)
        names = frozenset({SERVICE, f"{instance.account}@{SERVICE}"})
        if role is None or not role.trust.allows("Service", names, context):
            return None
        with self._lock:
            current = self._current
            if current is None or current[0].session.expires_at - now < _RENEW_BEFORE:
                session = RoleSession(arn, role.id, instance.id, now + _LIFETIME)
                current = self._current = (self._issued.issue(session), now)
            return current


def build_metadata_service(directory: Directory, issued: CredentialStore, clock: Clock) -> Blueprint:
    """Return the metadata service's addresses; without an instance there is nothing at them."""
    service = Blueprint("metadata", __name__, url_prefix="/latest")
    server = Server(directory, issued, clock)

    @service.put("/api/token")
    def make_token() -> Response:
        server.find_instance()
        return _build_text(server.make_token(_read_lifetime()))

    @service.get("/meta-data/ram/security-credentials/")
    def show_role() -> Response:
        return _build_text(server.admit().role or abort(HTTPStatus.NOT_FOUND))

    @service.get("/meta-data/ram/security-credentials/<role>")
    def show_credentials(role: str) -> Response:
        instance = server.admit()
        made = server.issue(instance, request.remote_addr or "") if role == instance.role else None
        if made is None:
            abort(HTTPStatus.NOT_FOUND, f"No role {role} is attached that trusts {SERVICE}.")
        return _build_credentials(*made)

    @service.get("/meta-data/<name>")
    def show_fact(name: str) -> Response:
        instance = server.admit()
        facts = {
            "instance-id": instance.id,
            "region-id": instance.region,
            "zone-id": instance.zone,
            "owner-account-id": instance.account,
        }
        return _build_text(facts.get(name) or abort(HTTPStatus.NOT_FOUND))

    return service


def _read_lifetime() -> timedelta:
    seconds = request.headers.get(TTL_HEADER, "")
    if not re.fullmatch(r"[0-9]{1,5}", seconds) or not 1 <= int(seconds) <= MAX_TOKEN_SECONDS:
        abort(HTTPStatus.BAD_REQUEST, f"{TTL_HEADER} is a number of seconds from 1 to {MAX_TOKEN_SECONDS}.")
    return timedelta(seconds=int(seconds))


def _build_credentials(given: IssuedCredentials, made_at: datetime) -> Response:
    response = jsonify(
        Code="Success",
        AccessKeyId=given.access_key_id,
        AccessKeySecret=given.access_key_secret,
        SecurityToken=given.security_token,
        Expiration=format_utc(given.session.expires_at),
        LastUpdated=format_utc(made_at),
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _build_text(text: str) -> Response:
    return Response(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})
