"""The actions: each reads its parameters, asks who calls, and goes through the spine like a sign-in does."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from bridge.audit.events import Origin
from bridge.clock import Clock, format_utc
from bridge.entitlements.choice import Choice
from bridge.entitlements.entitlement import Entitlement
from bridge.errors import DurationTooLong, NotEntitled, PolicyNotNarrower, SAMLReplay, SessionNarrowed, UnknownProvider
from bridge.exchange.accounts import Account
from bridge.exchange.credentials import TemporaryCredentials
from bridge.exchange.duration import decide_duration
from bridge.federation import Answer, AskedRole, Federation
from bridge.identity.oidc.workload_token import WorkloadToken, WorkloadTrace, WorkloadVerifier
from bridge.identity.replay import ReplayMemory
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.sign_in import FinishedSignIn
from bridge.identity.verified import VerifiedIdentity
from bridge.sts_endpoint.budget import Budget
from bridge.sts_endpoint.callers import Callers
from bridge.sts_endpoint.issued import IssuedSession
from bridge.sts_endpoint.parameters import (
    Parameters,
    read_arn,
    read_duration,
    read_policy,
    read_required,
    read_session_name,
)
from bridge.sts_endpoint.role_attributes import RolePair, read_role_pairs, read_role_session_name
from bridge.sts_wire.arn import ARN, build_caller_arn, parse_arn
from bridge.sts_wire.reply import Fields, STSFault, build_fault, build_malformed
from bridge.sts_wire.request import STSRequest
from bridge.sts_wire.signature import Signature


@dataclass(frozen=True)
class _Wish:
    """What a caller asks for beside the role."""

    session_name: str | None
    duration_seconds: int | None
    policy: str | None


class Actions:
    """Answers well-formed requests."""

    def __init__(  # noqa: PLR0917  each is of another type
        self,
        federation: Federation,
        accounts: Mapping[str, Account],
        workloads: Mapping[str, WorkloadVerifier],
        service_providers: Mapping[str, ServiceProvider],
        replay: ReplayMemory,
        callers: Callers,
        budget: Budget,
        clock: Clock,
    ) -> None:
        """Take the spine, the accounts, workload issuers and SAML providers by name, and what knows the callers.

        ``replay`` is the memory of the sign-ins, so that an assertion counts once at both doors.
        """
        self._federation = federation
        self._accounts = {account.id: account for account in accounts.values()}
        self._workloads = workloads
        self._service_providers = service_providers
        self._replay = replay
        self._callers = callers
        self._budget = budget
        self._clock = clock

    def answer(self, request: STSRequest, origin: Origin) -> Fields:
        """Do what the request asks and return the fields of the answer.

        Raises:
            STSFault: with the vendor's code.
            BridgeError: the identity, the rules or the exchange do not allow it; what was decided is recorded.
        """
        with self._federation.in_one_step(origin) as federation:
            if request.action == "AssumeRoleWithOIDC":
                return self._assume_role_with_oidc(federation, request.parameters, origin)
            if request.signature is None:
                return self._assume_role_with_saml(federation, request.parameters, origin)
            session = self._verify_caller(federation, request.action, request.signature, origin)
            self._budget.count_caller(session.identity.issuer, session.identity.subject)
            if request.action == "GetCallerIdentity":
                return _describe_caller(session)
            return self._assume_role(federation, session, request.parameters, origin)

    def _assume_role_with_oidc(self, federation: Federation, parameters: Parameters, origin: Origin) -> Fields:
        """A configured issuer vouches for a workload. The token may end in a newline: SDKs read it from a file."""
        token = read_required(parameters, "OIDCToken").strip()
        role = read_arn(parameters, "RoleArn", "role")
        wish = _Wish(read_session_name(parameters), read_duration(parameters), read_policy(parameters))
        try:
            provider = parse_arn(read_required(parameters, "OIDCProviderArn"), "oidc-provider")
        except ValueError as error:
            raise build_fault("AuthenticationFail.NoPermission") from error
        trace = WorkloadTrace(provider.name)
        verified: list[WorkloadToken] = []

        def verify() -> FinishedSignIn:
            verified.append(self._verify_token(token, provider, role, trace))
            identity = verified[0].identity
            self._budget.count_caller(identity.issuer, identity.subject)
            return FinishedSignIn(identity, solicited=False)

        answer = Answer(provider=provider.name, protocol="workload", digest=_digest(token), trace=trace)
        choice = federation.sign_in_to_role(
            origin, answer, verify, self._ask(role, "workload"), partial(self._narrow, wish)
        )
        stated = verified[0]
        return {
            **_release(federation, choice, origin),
            "OIDCTokenInfo": {
                "Subject": stated.identity.subject,
                "Issuer": stated.identity.issuer,
                "ClientIds": ",".join(stated.audiences),
                "ExpirationTime": format_utc(stated.expires_at),
                "IssuanceTime": format_utc(stated.issued_at),
                "VerificationInfo": "Success",
            },
        }

    def _assume_role_with_saml(self, federation: Federation, parameters: Parameters, origin: Origin) -> Fields:
        """A configured SAML provider vouches for somebody, in a response that is meant for this endpoint."""
        encoded = read_required(parameters, "SAMLAssertion")
        pair = RolePair(
            read_arn(parameters, "RoleArn", "role"), read_arn(parameters, "SAMLProviderArn", "saml-provider")
        )
        wish = _Wish(None, read_duration(parameters), read_policy(parameters))
        trace = SAMLTrace(pair.provider.name)

        def verify() -> FinishedSignIn:
            identity = self._verify_assertion(encoded, pair, trace)
            self._budget.count_caller(identity.issuer, identity.subject)
            return FinishedSignIn(identity, solicited=False)

        def narrow(identity: VerifiedIdentity, entitlement: Entitlement) -> Choice:
            return self._narrow(replace(wish, session_name=read_role_session_name(identity)), identity, entitlement)

        answer = Answer(provider=pair.provider.name, protocol="saml", digest=_digest(encoded), trace=trace)
        choice = federation.sign_in_to_role(origin, answer, verify, self._ask(pair.role, "saml"), narrow)
        identity = choice.identity
        return {
            **_release(federation, choice, origin),
            "SAMLAssertionInfo": {
                "SubjectType": (identity.name_format or "").rpartition("nameid-format:")[2],
                "Subject": identity.subject,
                "Recipient": self._service_providers[identity.provider].sts_url,
                "Issuer": identity.issuer,
            },
        }

    def _verify_assertion(self, encoded: str, pair: RolePair, trace: SAMLTrace) -> VerifiedIdentity:
        """Return who a response is about; it lists the role with the provider, and was accepted nowhere before."""
        party = self._service_providers.get(pair.provider.name)
        if party is None or pair.provider.account not in self._accounts:
            raise UnknownProvider("no SAML provider has this name, or the account is none of ours")
        identity = party.verify_for_sts(encoded, self._clock.now(), trace)
        if pair not in read_role_pairs(identity) or pair.provider.account != pair.role.account:
            raise NotEntitled("the assertion does not list this role with this provider")
        trace.at, trace.message_id = "first_use", identity.message_id
        if not self._replay.claim(identity.issuer, identity.message_id, identity.accept_until):
            raise SAMLReplay(f"assertion {identity.message_id} was accepted before")
        return identity

    def _assume_role(
        self, federation: Federation, session: IssuedSession, parameters: Parameters, origin: Origin
    ) -> Fields:
        """A session that we issued becomes another role: one that the rules grant to whoever is behind it.

        Its permissions are not handed down: the new session is exchanged like the first one, and outlasts it never.
        So a session that its caller narrowed becomes no other role.
        """
        role = read_arn(parameters, "RoleArn", "role")
        wish = _Wish(read_session_name(parameters), read_duration(parameters), read_policy(parameters))
        for name in ("ExternalId", "SourceIdentity"):
            if name in parameters:  # an expectation that nobody here would check
                raise build_malformed(name, f"The parameter {name} is not supported by this endpoint.")
        asked = self._ask(role, "chaining")

        def narrow(identity: VerifiedIdentity, entitlement: Entitlement) -> Choice:
            if session.narrowed:  # or whoever the caller gave less to would have it all (threat STS-07)
                raise SessionNarrowed("the session that signed was narrowed by a policy of its caller")
            return self._narrow(wish, identity, entitlement)

        choice = federation.choose_role(origin, session.identity, asked, narrow, session.known)
        return _release(federation, choice, origin)

    def _verify_caller(
        self, federation: Federation, action: str, signature: Signature, origin: Origin
    ) -> IssuedSession:
        try:
            return self._callers.verify(signature)
        except STSFault as fault:
            digest = _digest(signature.string_to_sign)
            federation.refuse_call(origin, action, signature.access_key_id, fault.code, digest)
            raise

    def _verify_token(self, token: str, provider: ARN, role: ARN, trace: WorkloadTrace) -> WorkloadToken:
        """Return what a token states that was sent for this provider and this role; they are of one of our accounts."""
        verifier = self._workloads.get(provider.name)
        if verifier is None:
            raise UnknownProvider(f"no workload issuer is called {provider.name!r}")
        if provider.account != role.account or provider.account not in self._accounts:
            raise UnknownProvider("provider and role are not in the same account, or in none of ours")
        return verifier.verify(token, trace)

    def _ask(self, role: ARN, purpose: str) -> AskedRole:
        account = self._accounts.get(role.account)
        return AskedRole(str(role), account.name if account else None, role.name, purpose)

    def _narrow(self, wish: _Wish, identity: VerifiedIdentity, entitlement: Entitlement) -> Choice:
        """Return the choice with what the caller asks for, which only ever narrows.

        Raises:
            PolicyNotNarrower: both the rule and the caller have a session policy; STS takes one.
            DurationTooLong: more than rule, account or role allow is asked for (threat STS-09).
        """
        if wish.policy is not None and entitlement.session_policy is not None:
            raise PolicyNotNarrower(f"{entitlement.rule} has a session policy, and the caller sent another one")
        if wish.duration_seconds is not None:
            account = next(each for each in self._accounts.values() if each.name == entitlement.account)
            limit = decide_duration(
                entitlement,
                account,
                entitlement.name,
                asked_seconds=wish.duration_seconds,
                valid_until=None,
                now=self._clock.now(),
            )
            if limit.seconds < wish.duration_seconds:
                raise DurationTooLong(f"{limit.decided_by} allows {limit.seconds} s, not {wish.duration_seconds} s")
        policy = wish.policy if wish.policy is not None else entitlement.session_policy
        narrowed = replace(entitlement, session_policy=policy)
        return Choice(identity, narrowed, wish.duration_seconds, wish.session_name, wish.policy is not None)


def _release(federation: Federation, choice: Choice, origin: Origin) -> Fields:
    """Exchange what was chosen; it is recorded, remembered, and then returned."""
    credentials = federation.exchange(origin, choice)
    return _describe(federation.deliver_credentials(origin, choice, credentials, may_call=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _describe(credentials: TemporaryCredentials) -> Fields:
    return {
        "AssumedRoleUser": {"Arn": credentials.assumed_role_arn, "AssumedRoleId": credentials.assumed_role_id},
        "Credentials": {
            "AccessKeyId": credentials.access_key_id,
            "AccessKeySecret": credentials.access_key_secret,
            "SecurityToken": credentials.security_token,
            "Expiration": format_utc(credentials.expires_at),
        },
    }


def _describe_caller(session: IssuedSession) -> Fields:
    return {
        "IdentityType": "AssumedRoleUser",
        "AccountId": session.role.account,
        "Arn": build_caller_arn(session.role, session.session_name),
        "PrincipalId": f"{session.role_id}:{session.session_name}",
        "RoleId": session.role_id,
    }
