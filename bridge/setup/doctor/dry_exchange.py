"""The whole way once: an AssumeRole* for a session that may do nothing, thrown away at once.

A session policy that denies everything makes the credentials worthless while they exist; what was tried, and how it
ended, is recorded like every exchange.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta

from bridge.audit import events
from bridge.audit.events import Origin
from bridge.audit.log import AuditLog
from bridge.clock import Clock, format_utc
from bridge.entitlements.choice import Choice
from bridge.entitlements.entitlement import Entitlement
from bridge.errors import AuditUnavailable, BridgeError, ExchangeError
from bridge.exchange.accounts import Account
from bridge.exchange.assume import Exchange
from bridge.exchange.duration import MINIMUM_SECONDS
from bridge.identity.verified import VerifiedIdentity
from bridge.setup.doctor.finding import Finding

NAME = "rambridge-doctor"
NOTHING = '{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'

_ADVICE: Mapping[str, str] = {
    "exchange_role_missing": "Run `rambridge setup apply`, or remove the role from the rules.",
    "exchange_not_trusted": "Its trust policy does not admit us: run `rambridge setup plan`, then `apply`.",
    "exchange_provider_missing": "RAM does not know our provider: run `rambridge setup apply`.",
    "exchange_proof_refused": "RAM has another key, issuer or audience of ours: run `rambridge setup plan`.",
    "exchange_clock": "Let NTP set this machine's clock.",
    "exchange_key": "Correct `access_key_id` and `access_key_secret` of the account: the key is wrong, or disabled.",
    "exchange_unavailable": "Let this machine reach `endpoint`.",
    "exchange_duration": "Correct `role_max_duration_seconds`, or MaxSessionDuration in RAM.",
    "key_missing": "Run `rambridge keys create`.",
}


def try_exchange(
    exchange: Exchange, audit: AuditLog, account: Account, *, role: str, provider: str, clock: Clock
) -> Finding:
    """Return whether STS gives a session of this role to somebody from this identity provider."""
    subject = f"{account.name}/{role}"
    origin = Origin(reference=secrets.token_hex(8), source_address="")
    what = {"account": account.name, "role": role, "trust": exchange.trust_of(account.name)}
    try:
        issued = exchange.issue(_choose(account, role, provider, clock))
    except BridgeError as error:
        upstream = error if isinstance(error, ExchangeError) else ExchangeError()
        refused = events.DoctorRefused(
            **what,
            code=error.code,
            detail=error.detail,
            sts_code=upstream.upstream_code,
            sts_request_id=upstream.upstream_request_id,
        )
        found = f"{error.code}: {error.detail}"
        advice = _ADVICE.get(error.code, "docs/errors.md says what this code means.")
        return _record(audit, origin, refused, Finding("exchange", subject, "failed", found, advice))
    done = events.DoctorExchanged(
        **what,
        access_key_id=issued.access_key_id,
        expires_at=format_utc(issued.expires_at),
        sts_request_id=issued.request_id,
    )
    found = f"STS issued a session that may do nothing (RequestId {issued.request_id}), and it was thrown away"
    return _record(audit, origin, done, Finding("exchange", subject, "ok", found))


def _record(audit: AuditLog, origin: Origin, event: events.Event, finding: Finding) -> Finding:
    try:
        audit.append(origin, event)
    except AuditUnavailable as error:
        advice = "See the check `audit`: without a record the service releases nothing."
        return Finding("exchange", finding.subject, "failed", f"{finding.found}; not recorded: {error.detail}", advice)
    return finding


def _choose(account: Account, role: str, provider: str, clock: Clock) -> Choice:
    """Return the choice of a person who does not exist. No rule is asked: the way is tried, not a right."""
    now = clock.now()
    identity = VerifiedIdentity(
        provider=provider,
        protocol="oidc",
        issuer=NAME,
        subject=NAME,
        claims={},
        authenticated_at=now,
        message_id=secrets.token_hex(8),
        accept_until=now + timedelta(minutes=1),
    )
    entitlement = Entitlement(
        id=NAME,
        kind="role",
        account=account.name,
        name=role,
        rule=NAME,
        rules_version="",
        duration_seconds=MINIMUM_SECONDS,
        session_policy=NOTHING,
    )
    return Choice(identity, entitlement, MINIMUM_SECONDS)
