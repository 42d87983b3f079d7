"""One function over AssumeRoleWithSAML, AssumeRoleWithOIDC and AssumeRole: a choice goes in, credentials come out.

An account with ``via`` takes two steps: into a role of the other account, for as short a time as there is and with a
session policy that allows the second step and nothing else; then, signed by that session, into the chosen role.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.clock import Clock
from bridge.entitlements.choice import Choice
from bridge.errors import ExchangeMismatch, TerminalNotGranted
from bridge.exchange.accounts import Account, Via
from bridge.exchange.assertion import count_further, issue_response, state_role
from bridge.exchange.breaker import Breaker, State
from bridge.exchange.credentials import TemporaryCredentials
from bridge.exchange.deadline import Deadline
from bridge.exchange.duration import MINIMUM_SECONDS, Duration, decide_duration
from bridge.exchange.retries import try_repeatedly
from bridge.exchange.session_name import derive_session_name
from bridge.exchange.sts_client import AccessKey, STSClient
from bridge.exchange.token import issue_token
from bridge.keys import KeyFolder

CLOCK_ALLOWANCE = timedelta(minutes=5)
"""How far STS's clock may be ahead of ours before its expiry time is not believed."""

_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,32}", re.ASCII)


@dataclass(frozen=True)
class RoleSession:
    """What STS is asked for."""

    account: Account
    role: str
    name: str
    """The role session name."""
    subject: str
    """The person, as the token names them: ``provider:subject``."""
    duration: Duration
    policy: str | None
    latest_end: datetime
    """When the session ends at the latest, by our own clock; UTC."""
    source_identity: str | None
    """What STS is to remember of the person beside the session name, all along a chain of roles; None: nothing."""
    authenticated_at: datetime
    """When the person authenticated at their provider; UTC."""
    proxy_count: int | None
    """How many assertions may be based on ours; None: the provider sets no limit."""


class Exchange:
    """Trades choices at the accounts' STS endpoints."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        *,
        issuer: str,
        entity_id: str,
        keys: KeyFolder,
        sts: STSClient,
        clock: Clock,
    ) -> None:
        """Take the accounts by name, our names towards the cloud (OIDC issuer, SAML entity ID), keys and client."""
        self._accounts = accounts
        self._texts = {name: account.model_dump_json() for name, account in accounts.items()}
        self._issuer = issuer
        self._entity_id = entity_id
        self._keys = keys
        self._sts = sts
        self._clock = clock
        self._breakers = {name: Breaker(name) for name in accounts}
        self._assume: dict[str, Callable[[RoleSession, Deadline], Mapping[str, Any]]] = {
            "saml": self._assume_with_saml,
            "oidc": self._assume_with_oidc,
            "access_key": self._assume_with_access_key,
        }

    def trust_of(self, account: str) -> str:
        """Return how the account lets us in: ``saml``, ``oidc``, ``access_key`` or ``via ACCOUNT/ROLE``."""
        settings = self._accounts[account]
        return f"via {settings.via.account}/{settings.via.role}" if settings.via else settings.trust

    def settings_of(self, account: str) -> str:
        """Return the account's settings as a text: two that are equal are asked in the same way."""
        return self._texts[account]

    def describe(self) -> dict[str, State]:
        """Return by account whether its STS is asked at the moment (see :mod:`bridge.exchange.breaker`)."""
        return {name: breaker.state for name, breaker in self._breakers.items()}

    def issue(self, choice: Choice, deadline: Deadline | None = None) -> TemporaryCredentials:
        """Return temporary credentials for exactly the chosen role, or a chosen RAM user's terminal role.

        Args:
            choice: what was chosen.
            deadline: when there must be an answer; the account's ``timeout_seconds`` from now where absent.

        Raises:
            TerminalNotGranted: a RAM user entitlement without a terminal role.
            SessionEndsTooSoon: the provider's session is about to end.
            ExchangeRefused: STS said no.
            ExchangeUnavailable: STS could not be reached in time.
            ExchangeMismatch: STS answered with something other than what was asked.
        """
        return self.issue_planned(self.plan(choice), deadline)

    def issue_planned(self, session: RoleSession, deadline: Deadline | None = None) -> TemporaryCredentials:
        """Return temporary credentials for a session as :meth:`plan` describes it; raises what :meth:`issue` raises."""
        account = session.account
        deadline = deadline or Deadline(account.timeout_seconds)
        if account.via is None:
            answer = self._ask(session, deadline)
        else:
            answer = self._ask(session, deadline, self._enter(account.via, session, deadline))
        return _read_answer(answer, session, self._clock.now())

    def _ask(self, session: RoleSession, deadline: Deadline, key: AccessKey | None = None) -> Mapping[str, Any]:
        account = session.account

        def attempt() -> Mapping[str, Any]:
            return self._assume_role(session, deadline, key) if key else self._assume[account.trust](session, deadline)

        with self._breakers[account.name].guard():
            return try_repeatedly(attempt, deadline)

    def _enter(self, via: Via, session: RoleSession, deadline: Deadline) -> AccessKey:
        """Return the key of a session of the other account's role that can do the second step, and only that."""
        step = replace(
            session,
            account=self._accounts[via.account],
            role=via.role,
            duration=Duration(MINIMUM_SECONDS, "api"),
            policy=_allow_only(session.account.role_arn(session.role)),
            source_identity=None,
        )
        issued = _read_answer(self._ask(step, deadline), step, self._clock.now())
        return AccessKey(issued.access_key_id, issued.access_key_secret, issued.security_token)

    def plan(self, choice: Choice) -> RoleSession:
        """Return what STS would be asked for.

        Raises:
            TerminalNotGranted: a RAM user entitlement without a terminal role.
            SessionEndsTooSoon: the provider's session is about to end.
        """
        entitlement = choice.entitlement
        account = self._accounts[entitlement.account]
        role = entitlement.name if entitlement.kind == "role" else entitlement.terminal_role
        if role is None:
            raise TerminalNotGranted(f"user {entitlement.name} in {account.name} has no terminal role")
        person = derive_session_name(choice.identity, account.session_name_claim)
        name = choice.session_name or person
        if entitlement.kind == "user" and _SESSION_NAME.fullmatch(entitlement.name):
            name = entitlement.name
        now = self._clock.now()
        duration = decide_duration(
            entitlement,
            account,
            role,
            asked_seconds=choice.requested_duration_seconds,
            valid_until=choice.identity.valid_until,
            now=now,
        )
        # Subjects are unique within a provider only; trust policies compare this text (``oidc:sub``).
        subject = f"{choice.identity.provider}:{choice.identity.subject}"
        further = count_further(choice.identity)
        return RoleSession(
            account,
            role,
            name,
            subject,
            duration,
            entitlement.session_policy,
            latest_end=now + timedelta(seconds=duration.seconds),
            source_identity=person if account.source_identity and account.signs_calls else None,
            authenticated_at=choice.identity.authenticated_at,
            proxy_count=further,
        )

    def _assume_with_saml(self, session: RoleSession, deadline: Deadline) -> Mapping[str, Any]:
        now = self._clock.now()
        statement = state_role(
            session.account,
            session.role,
            session_name=session.name,
            issuer=self._entity_id,
            duration_seconds=session.duration.seconds,
            now=now,
            authenticated_at=session.authenticated_at,
            proxy_count=session.proxy_count,
        )
        response = issue_response(statement, self._keys.signing("saml-issuer"), now)
        parameters = {"SAMLProviderArn": session.account.saml_provider_arn, "SAMLAssertion": response.encoded}
        return self._sts.call(session.account, "AssumeRoleWithSAML", _common(session) | parameters, deadline)

    def _assume_with_oidc(self, session: RoleSession, deadline: Deadline) -> Mapping[str, Any]:
        token = issue_token(
            issuer=self._issuer,
            subject=session.subject,
            audience=session.account.oidc_audience,
            key=self._keys.signing("oidc-issuer"),
            now=self._clock.now(),
        )
        parameters = {
            "OIDCProviderArn": session.account.oidc_provider_arn,
            "OIDCToken": token,
            "RoleSessionName": session.name,
        }
        return self._sts.call(session.account, "AssumeRoleWithOIDC", _common(session) | parameters, deadline)

    def _assume_with_access_key(self, session: RoleSession, deadline: Deadline) -> Mapping[str, Any]:
        account = session.account
        if account.access_key_id is None or account.access_key_secret is None:
            raise ExchangeMismatch(f"account {account.name} has no access key configured")
        key = AccessKey(account.access_key_id.get_secret_value(), account.access_key_secret.get_secret_value())
        return self._assume_role(session, deadline, key)

    def _assume_role(self, session: RoleSession, deadline: Deadline, key: AccessKey) -> Mapping[str, Any]:
        parameters = {"RoleSessionName": session.name}
        if session.account.external_id:
            parameters["ExternalId"] = session.account.external_id
        if session.source_identity:
            parameters["SourceIdentity"] = session.source_identity
        return self._sts.call(session.account, "AssumeRole", _common(session) | parameters, deadline, key)


def _allow_only(role_arn: str) -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn}
    return json.dumps({"Version": "1", "Statement": [statement]}, separators=(",", ":"))


def _common(session: RoleSession) -> dict[str, str]:
    parameters = {
        "RoleArn": session.account.role_arn(session.role),
        "DurationSeconds": str(session.duration.seconds),
    }
    return parameters | ({"Policy": session.policy} if session.policy else {})


def _read_answer(answer: Mapping[str, Any], session: RoleSession, now: datetime) -> TemporaryCredentials:
    try:
        issued = answer["Credentials"]
        expires_at = datetime.strptime(issued["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        credentials = TemporaryCredentials(
            access_key_id=_text(issued["AccessKeyId"]),
            access_key_secret=_text(issued["AccessKeySecret"]),
            security_token=_text(issued["SecurityToken"]),
            expires_at=expires_at,
            assumed_role_arn=_text(answer["AssumedRoleUser"]["Arn"]),
            assumed_role_id=str(answer["AssumedRoleUser"].get("AssumedRoleId", ""))[:128],
            role_session_name=session.name,
            request_id=str(answer.get("RequestId", ""))[:64],
            duration_seconds=session.duration.seconds,
            decided_by=session.duration.decided_by,
            limits=session.duration.limits,
            source_identity=session.source_identity or "",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ExchangeMismatch(f"the answer of STS is incomplete: {type(error).__name__}") from None
    if session.source_identity and answer.get("SourceIdentity") != session.source_identity:
        raise ExchangeMismatch("STS does not say that it remembers the source identity that it was given")
    _check_answer(credentials, session, now)
    return credentials


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("not a text")
    return value


def _check_answer(credentials: TemporaryCredentials, session: RoleSession, now: datetime) -> None:
    """The credentials are for what was asked: account, role, session name and lifetime (threat STS-15)."""
    expected = f"{session.account.role_arn(session.role)}/{session.name}"
    if credentials.assumed_role_arn != expected:
        raise ExchangeMismatch(f"asked for {expected}, STS answered {credentials.assumed_role_arn[:200]}")
    latest = now + timedelta(seconds=session.duration.seconds) + CLOCK_ALLOWANCE
    if not now - CLOCK_ALLOWANCE < credentials.expires_at <= latest:
        raise ExchangeMismatch(f"STS answered with an expiry of {credentials.expires_at.isoformat()}")
