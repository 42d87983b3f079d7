"""Console sign-in: a form that the person's browser sends to Alibaba Cloud.

- With our signed response. Role-based SSO names exactly the chosen role; user-based SSO names the RAM user as
  ``<user>@<domain>``. https://www.alibabacloud.com/help/en/ram/ : "SAML role-based SSO", "user-based SSO".
- With a sign-in token for temporary credentials of the role. Their session policy and their end are the console's.
  https://help.aliyun.com/document_detail/91914.html : "Login".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from bridge.clock import Clock
from bridge.delivery.sign_in_token import SignInTokens
from bridge.entitlements.choice import Choice
from bridge.entitlements.entitlement import Entitlement
from bridge.errors import ConsoleNotNarrowed
from bridge.exchange.accounts import Account
from bridge.exchange.assertion import Statement, count_further, issue_response, state_role
from bridge.exchange.credentials import TemporaryCredentials
from bridge.exchange.duration import Duration, decide_duration
from bridge.exchange.session_name import derive_session_name
from bridge.keys import KeyFolder

UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

Way = Literal["saml", "token"]


def find_way(entitlement: Entitlement, account: Account) -> Way | None:
    """Return how the console is opened for an entitlement; None: not at all.

    A signed response has no place for a session policy, so what is narrowed is opened by a token or not at all. A RAM
    user is no role session: there is no token for one.
    """
    narrowed = entitlement.session_policy is not None
    if entitlement.kind == "role" and (account.console == "token" or (account.console == "mixed" and narrowed)):
        return "token"
    return None if narrowed else "saml"


@dataclass(frozen=True)
class ConsoleForm:
    """What the browser sends, and where."""

    way: Way
    action: str
    fields: Mapping[str, str] = field(repr=False)
    form_action: tuple[str, ...]
    """CSP sources that the form may reach, redirects included."""
    assertion_id: str
    """Of the signed response; empty with a token."""
    role_session_name: str
    duration: Duration

    @property
    def method(self) -> str:
        """Return the form's method: Alibaba Cloud takes sign-in tokens by GET alone."""
        return "get" if self.way == "token" else "post"


class Console:
    """Builds console sign-ins for the configured accounts."""

    def __init__(  # noqa: PLR0917
        self,
        accounts: Mapping[str, Account],
        entity_id: str,
        start_url: str,
        keys: KeyFolder,
        tokens: SignInTokens,
        clock: Clock,
    ) -> None:
        """Take the accounts by name, our entity ID towards the cloud, and the keys that sign.

        ``start_url`` is our own page, to which the console sends a person whose session by token has ended.
        """
        self._accounts = accounts
        self._entity_id = entity_id
        self._start_url = start_url
        self._keys = keys
        self._tokens = tokens
        self._clock = clock

    def find_way(self, entitlement: Entitlement) -> Way | None:
        """Return how the console is opened for an entitlement; None: not at all."""
        return find_way(entitlement, self._accounts[entitlement.account])

    def build_token_form(self, choice: Choice, credentials: TemporaryCredentials, destination: str = "") -> ConsoleForm:
        """Return a console sign-in by a token for the choice's credentials, to be used within 30 seconds.

        It ends on the page of ``destination`` (:func:`bridge.delivery.links.check_destination`), else on the home page.
        The browser sends it by GET, so the token, and nothing else that is secret, becomes part of an address of
        Alibaba Cloud's.

        Raises:
            ConsoleTokenRefused: the console's federation endpoint says no.
            ConsoleTokenUnavailable: it cannot be reached in time.
        """
        account = self._accounts[choice.entitlement.account]
        addresses = account.console_addresses
        token = self._tokens.get(account, credentials)
        return ConsoleForm(
            way="token",
            action=addresses.federation_url or "",
            fields={
                "Action": "Login",
                "LoginUrl": self._start_url,
                "Destination": destination or addresses.home_url or "",
                "SigninToken": token,
            },
            form_action=addresses.form_action,
            assertion_id="",
            role_session_name=credentials.role_session_name,
            duration=Duration(credentials.duration_seconds, credentials.decided_by),
        )

    def build_form(self, choice: Choice, destination: str = "") -> ConsoleForm:
        """Return a signed console sign-in for the choice, valid for a few minutes.

        It ends on the page of ``destination`` (:func:`bridge.delivery.links.check_destination`), else on the home page.

        Raises:
            ConsoleNotNarrowed: a session policy narrows it, and a signed response has no place for one.
            SessionEndsTooSoon: the provider's session is about to end.
        """
        now = self._clock.now()
        entitlement = choice.entitlement
        if entitlement.session_policy is not None:
            raise ConsoleNotNarrowed(f"the rule {entitlement.rule} narrows {entitlement.name} by a session policy")
        account = self._accounts[entitlement.account]
        session_name = derive_session_name(choice.identity, account.session_name_claim)
        duration = decide_duration(
            entitlement,
            account,
            entitlement.name,
            asked_seconds=choice.requested_duration_seconds,
            valid_until=choice.identity.valid_until,
            now=now,
        )
        if entitlement.kind == "role":
            action = account.console_addresses.role_sso_url
            statement = state_role(
                account,
                entitlement.name,
                session_name=session_name,
                issuer=self._entity_id,
                duration_seconds=duration.seconds,
                now=now,
                authenticated_at=choice.identity.authenticated_at,
                proxy_count=count_further(choice.identity),
            )
        else:
            action = account.console_addresses.user_sso_url
            statement = Statement(
                issuer=self._entity_id,
                recipient=action,
                audience=account.console_addresses.user_sso_audience.format(account=account.id),
                subject=f"{entitlement.name}@{account.user_domain}",
                subject_format=UNSPECIFIED,
                attributes={},
                authenticated_at=choice.identity.authenticated_at,
                session_ends_at=now + timedelta(seconds=duration.seconds),
                proxy_count=count_further(choice.identity),
            )
        response = issue_response(statement, self._keys.signing("saml-issuer"), now)
        return ConsoleForm(
            way="saml",
            action=action,
            fields={"SAMLResponse": response.encoded} | ({"RelayState": destination} if destination else {}),
            form_action=account.console_addresses.form_action,
            assertion_id=response.assertion_id,
            role_session_name=session_name,
            duration=duration,
        )
