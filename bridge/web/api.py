"""The HTTP API, version 1: what a page's script or a command may ask for the signed-in person."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, url_for

from bridge.clock import format_utc
from bridge.delivery.console import find_way
from bridge.exchange.accounts import Account
from bridge.exchange.duration import Duration
from bridge.federation import Federation
from bridge.web.access import Access
from bridge.web.origin import current_origin


class API:
    """JSON answers for the session of the request."""

    def __init__(self, federation: Federation, access: Access, accounts: Mapping[str, Account]) -> None:
        """Take what the answers need."""
        self._federation = federation
        self._access = access
        self._accounts = accounts

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("api", __name__, url_prefix="/api/v1")
        routes.add_url_rule("/session", "session", self.session)
        return routes

    def session(self) -> Response:
        """Say who is signed in, what they may become, and until when."""
        session = self._access.require_caller()
        identity = session.identity
        resolution = self._federation.look(identity, current_origin().source_address)
        return jsonify(
            provider=identity.provider,
            issuer=identity.issuer,
            subject=identity.subject,
            claims=dict(identity.claims),
            authenticated_at=format_utc(identity.authenticated_at),
            acr=identity.acr,
            amr=list(identity.amr),
            session_ends_at=format_utc(session.ends_at),
            rules_version=resolution.rules_version,
            entitlements=[
                {
                    "id": entitlement.id,
                    "kind": entitlement.kind,
                    "account": entitlement.account,
                    "account_id": self._accounts[entitlement.account].id,
                    "name": entitlement.name,
                    "title": entitlement.title,
                    "purpose": entitlement.purpose,
                    "console": find_way(entitlement, self._accounts[entitlement.account]) is not None,
                    "narrowed": entitlement.session_policy is not None,
                    "terminal": entitlement.opens_terminal,
                    "terminal_role": entitlement.terminal_role,
                    "max_duration_seconds": entitlement.duration_seconds,
                    "credentials_duration": _describe(self._federation.foresee(identity, entitlement)),
                }
                for entitlement in resolution.entitlements
            ],
            within_reach=[
                {
                    "id": reach.entitlement.id,
                    "kind": reach.entitlement.kind,
                    "account": reach.entitlement.account,
                    "account_id": self._accounts[reach.entitlement.account].id,
                    "name": reach.entitlement.name,
                    "title": reach.entitlement.title,
                    "purpose": reach.entitlement.purpose,
                    "lacks": ["strength"] * reach.too_weak + ["freshness"] * reach.too_old,
                    "require": reach.require.model_dump(mode="json", exclude_none=True),
                    "sign_in": url_for("login.step_up", entitlement_id=reach.entitlement.id),
                }
                for reach in resolution.within_reach
            ],
        )


def _describe(duration: Duration | None) -> dict[str, Any] | None:
    """Say how long credentials would last now, which limit decides, and all limits in seconds."""
    if duration is None:
        return None
    return {"seconds": duration.seconds, "decided_by": duration.decided_by, "limits": dict(duration.limits)}
