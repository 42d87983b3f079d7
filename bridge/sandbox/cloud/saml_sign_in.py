"""SAML as STS and the console share it: whose metadata counts, what is single-use, which role trusts whom."""

from dataclasses import dataclass

from bridge.clock import Clock
from bridge.sandbox.cloud.directory import Directory
from bridge.sandbox.cloud.documents import Documents
from bridge.sandbox.cloud.entities import Account, Role, SAMLSource
from bridge.sandbox.cloud.policy import Context
from bridge.sandbox.cloud.role_statement import RolePair
from bridge.sandbox.cloud.saml_metadata import parse_idp_metadata
from bridge.sandbox.cloud.saml_response import (
    Expectation,
    SAMLStatement,
    UnverifiedResponse,
    verify_saml_response,
)
from bridge.sandbox.cloud.state import CONSOLE_AUDIENCE
from bridge.sandbox.store import ExpiringStore
from bridge.sts_wire.arn import ARN
from bridge.sts_wire.reply import STSFault, build_fault


@dataclass(frozen=True)
class TrustedRole:
    """A role whose trust policy lets the statement's subject be it."""

    account: Account
    role: Role
    arn: ARN


class SAMLSignIns:
    """Verifies SAML responses for role sign-in and user sign-in."""

    def __init__(self, directory: Directory, documents: Documents, clock: Clock) -> None:
        self._directory = directory
        self._documents = documents
        self._clock = clock
        self._used: ExpiringStore[bool] = ExpiringStore(clock)

    def verify_for_role(self, response: UnverifiedResponse, provider: ARN) -> SAMLStatement:
        """Return what the response states, verified with the metadata of this SAML provider."""
        registered = self._directory.state.find_saml_provider(provider)
        if registered is None:
            raise build_fault("EntityNotExist.SAMLProvider")
        return self._verify(response, registered, self._directory.state.role_sso_url, CONSOLE_AUDIENCE)

    def verify_for_user(self, response: UnverifiedResponse, account: Account) -> SAMLStatement:
        """Return what the response states, verified with the account's user SSO settings."""
        if account.user_sso is None or not account.user_sso.enabled:
            raise build_fault("AuthenticationFail.IDPMetadata.Invalid", "User SSO is not enabled.")
        audience = self._directory.state.build_user_sso_audience(account)
        return self._verify(response, account.user_sso, self._directory.state.user_sso_url, audience)

    def check_trust(self, pair: RolePair, statement: SAMLStatement, context: Context) -> TrustedRole:
        """Return the role of the pair; it exists and its trust policy names the provider and the recipient.

        ``context`` is what is known of the request besides.
        """
        account, role = (
            self._directory.state.find_account(pair.role.account),
            self._directory.state.find_role(pair.role),
        )
        if account is None or role is None:
            raise build_fault("EntityNotExist.RoleArn")
        facts = {**context, "saml:recipient": (statement.recipient,)}
        trusted = role.trust.allows("Federated", frozenset({str(pair.provider)}), facts)
        if pair.provider.account != pair.role.account or not trusted:
            raise build_fault("NoPermission", f"The trust policy of {pair.role} does not allow {pair.provider}.")
        return TrustedRole(account, role, pair.role)

    def claim(self, statement: SAMLStatement) -> None:
        """The assertion is used for the first time, here or at the other of STS and console.

        The live service is not known to refuse a second use; an identity provider that depends on one is wrong.
        """
        until = statement.accept_until
        if not self._used.claim(f"{statement.issuer} {statement.assertion_id}", value=True, until=until):
            raise _refuse_used()

    def _verify(self, response: UnverifiedResponse, source: SAMLSource, recipient: str, audience: str) -> SAMLStatement:
        url = source.metadata_url
        try:
            metadata = parse_idp_metadata(self._documents.load(url) if url else (source.metadata or "").encode())
        except OSError as error:
            raise build_fault("AuthenticationFail.IDPMetadata.Invalid") from error
        expectation = Expectation(metadata, recipient, audience, self._clock.now())
        return verify_saml_response(response, expectation)


def _refuse_used() -> STSFault:
    return build_fault("AuthenticationFail.SAMLAssertion.Invalid", "The SAML assertion was used already.")
