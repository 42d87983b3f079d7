"""The four actions of STS: who may become which role, for how long, and who somebody is."""

from datetime import timedelta

from bridge.clock import Clock, format_utc
from bridge.sandbox.cloud.access import build_context, check_access, refuse
from bridge.sandbox.cloud.callers import Caller, RoleSession, UserCaller
from bridge.sandbox.cloud.credentials import CredentialStore
from bridge.sandbox.cloud.directory import Directory
from bridge.sandbox.cloud.documents import Documents
from bridge.sandbox.cloud.oidc_token import verify_oidc_token
from bridge.sandbox.cloud.parameters import (
    Parameters,
    read_arn,
    read_duration,
    read_external_id,
    read_policy,
    read_required,
    read_session_name,
    read_source_identity,
)
from bridge.sandbox.cloud.policy import Context, Question
from bridge.sandbox.cloud.role_statement import RolePair, read_role_pairs, read_role_session_name
from bridge.sandbox.cloud.saml_response import ROLE, parse_saml_response
from bridge.sandbox.cloud.saml_sign_in import SAMLSignIns
from bridge.sts_wire.arn import build_role_session_arn, parse_arn
from bridge.sts_wire.reply import Fields, build_fault
from bridge.sts_wire.request import Action


class STS:
    """The token service of all accounts of the sandbox."""

    def __init__(
        self,
        directory: Directory,
        documents: Documents,
        sign_ins: SAMLSignIns,
        issued: CredentialStore,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._documents = documents
        self._sign_ins = sign_ins
        self._clock = clock
        self._issued = issued

    def answer(
        self, action: Action, parameters: Parameters, caller: Caller | None, source_ip: str, *, secure: bool
    ) -> Fields:
        """Do what is asked and return the fields of the answer; raises ``STSFault``.

        ``caller`` is whose signature was verified, and None for the actions that need none.
        """
        context = build_context(caller, source_ip, self._clock.now(), secure=secure)
        if action == "AssumeRoleWithSAML":
            return self._assume_role_with_saml(parameters, context)
        if action == "AssumeRoleWithOIDC":
            return self._assume_role_with_oidc(parameters, context)
        if caller is None:
            raise build_fault("IncompleteSignature")
        if action == "GetCallerIdentity":
            return _describe_caller(caller)
        return self._assume_role(caller, parameters, context)

    def _assume_role(self, caller: Caller, parameters: Parameters, context: Context) -> Fields:
        arn = read_arn(parameters, "RoleArn", "role")
        name = read_session_name(parameters)
        policy, external_id = read_policy(parameters), read_external_id(parameters)
        source_identity = read_source_identity(parameters)
        role = self._directory.state.find_role(arn)
        if role is None:
            raise build_fault("EntityNotExist.Role")
        inherited = caller.source_identity
        facts = {
            **context,
            "sts:RoleSessionName": (name,),
            "sts:ExternalId": (external_id,) if external_id else (),
            "sts:SourceIdentity": tuple(each for each in (source_identity or inherited,) if each),
        }
        if inherited is not None and source_identity not in {None, inherited}:
            raise build_fault("NoPermission", "A source identity cannot be changed along a chain of roles.")
        check_access(self._directory.state, caller, Question("sts:AssumeRole", str(arn), facts))
        if not role.trust.allows("RAM", _list_names(caller), facts):
            raise refuse(caller, "sts:AssumeRole", "ImplicitDeny", "AssumeRolePolicy")
        expires_at = self._clock.now() + timedelta(seconds=read_duration(parameters, role))
        session = RoleSession(arn, role.id, name, expires_at, policy, source_identity or inherited)
        return self._issue(session)

    def _assume_role_with_saml(self, parameters: Parameters, context: Context) -> Fields:
        """A registered SAML provider vouches for the caller; the session is no longer than the provider says."""
        assertion = read_required(parameters, "SAMLAssertion")
        pair = RolePair(
            read_arn(parameters, "RoleArn", "role"), read_arn(parameters, "SAMLProviderArn", "saml-provider")
        )
        policy = read_policy(parameters)
        statement = self._sign_ins.verify_for_role(parse_saml_response(assertion), pair.provider)
        pairs = read_role_pairs(statement.attributes.get(ROLE, ()))
        name = read_role_session_name(statement)
        if pair not in pairs:
            raise build_fault("NoPermission", "The SAML assertion does not list this role and provider.")
        trusted = self._sign_ins.check_trust(pair, statement, context)
        expires_at = self._clock.now() + timedelta(seconds=read_duration(parameters, trusted.role))
        if statement.session_ends_at is not None:
            expires_at = min(expires_at, statement.session_ends_at)
        self._sign_ins.claim(statement)
        info = {
            "SubjectType": statement.subject_type,
            "Subject": statement.subject,
            "Recipient": statement.recipient,
            "Issuer": statement.issuer,
        }
        session = RoleSession(pair.role, trusted.role.id, name, expires_at, policy)
        return {**self._issue(session), "SAMLAssertionInfo": info}

    def _assume_role_with_oidc(self, parameters: Parameters, context: Context) -> Fields:
        """A registered OIDC provider vouches for the caller. An unknown role looks like one that does not trust."""
        token = read_required(parameters, "OIDCToken")
        arn = read_arn(parameters, "RoleArn", "role")
        name, policy = read_session_name(parameters), read_policy(parameters)
        try:
            provider_arn = parse_arn(read_required(parameters, "OIDCProviderArn"), "oidc-provider")
        except ValueError as error:
            raise build_fault("AuthenticationFail.NoPermission") from error
        provider = self._directory.state.find_oidc_provider(provider_arn)
        if provider is None:
            raise build_fault("AuthenticationFail.NoPermission", "No such OIDC Provider registered.")
        statement = verify_oidc_token(token, provider, self._documents, self._clock.now())
        facts = {
            **context,
            "oidc:iss": (statement.issuer,),
            "oidc:aud": statement.audiences,
            "oidc:sub": (statement.subject,),
        }
        role = self._directory.state.find_role(arn)
        names = frozenset({str(provider_arn)})
        if role is None or arn.account != provider_arn.account or not role.trust.allows("Federated", names, facts):
            raise build_fault("AuthenticationFail.NoPermission")
        expires_at = self._clock.now() + timedelta(seconds=read_duration(parameters, role))
        info = {
            "Subject": statement.subject,
            "Issuer": statement.issuer,
            "ClientIds": ",".join(statement.audiences),
            "ExpirationTime": format_utc(statement.expires_at),
            "IssuanceTime": format_utc(statement.issued_at),
            "VerificationInfo": "Success",
        }
        return {**self._issue(RoleSession(arn, role.id, name, expires_at, policy)), "OIDCTokenInfo": info}

    def _issue(self, session: RoleSession) -> Fields:
        issued = self._issued.issue(session)
        source = {"SourceIdentity": session.source_identity} if session.source_identity else {}
        return {
            "AssumedRoleUser": {
                "Arn": build_role_session_arn(session.role, session.name),
                "AssumedRoleId": session.principal_id,
            },
            "Credentials": {
                "AccessKeyId": issued.access_key_id,
                "AccessKeySecret": issued.access_key_secret,
                "SecurityToken": issued.security_token,
                "Expiration": format_utc(session.expires_at),
            },
            **source,
        }


def _list_names(caller: Caller) -> frozenset[str]:
    """Return the names in trust policies that mean this caller; ``root`` is every identity of an account."""
    arn = caller.arn
    return frozenset({str(arn), f"acs:ram::{arn.account}:root", f"acs:ram::{arn.account}:*"})


def _describe_caller(caller: Caller) -> Fields:
    if isinstance(caller, UserCaller):
        return {
            "IdentityType": "RAMUser",
            "AccountId": caller.account.id,
            "Arn": str(caller.arn),
            "PrincipalId": caller.user.id,
            "UserId": caller.user.id,
        }
    return {
        "IdentityType": "AssumedRoleUser",
        "AccountId": caller.role.account,
        "Arn": caller.principal_arn,
        "PrincipalId": caller.principal_id,
        "RoleId": caller.role_id,
    }
