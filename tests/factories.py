"""Valid things that tests change one part of."""

from datetime import UTC, datetime, timedelta

from bridge.entitlements.choice import Choice
from bridge.entitlements.entitlement import Entitlement
from bridge.exchange.accounts import Account
from bridge.identity.verified import VerifiedIdentity

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def make_identity(**changes):
    return VerifiedIdentity(
        **{
            "provider": "acme-saml",
            "protocol": "saml",
            "issuer": "https://idp.example/metadata",
            "subject": "7c49876cb2b1",
            "claims": {"email": "lin.wei@acme.example", "name": "林薇", "groups": ["platform"]},
            "authenticated_at": NOW,
            "message_id": "_1",
            "accept_until": NOW + timedelta(minutes=5),
        }
        | changes
    )


def make_entitlement(**changes):
    return Entitlement(
        **{
            "id": "0123456789abcdef",
            "kind": "role",
            "account": "acme",
            "name": "ReadOnly",
            "rule": "10-platform.yaml:daily",
            "rules_version": "v",
            "duration_seconds": 3600,
        }
        | changes
    )


def make_account(**changes):
    return Account(**{"name": "acme", "id": "1000000000000001", "title": "Acme"} | changes)


def make_choice(**changes):
    parts = {"identity": make_identity(), "entitlement": make_entitlement(), "requested_duration_seconds": None}
    return Choice(**parts | changes)
