"""Console sign-in: a form with our signed response, which the person's browser posts to Alibaba Cloud.

Role-based SSO names exactly the chosen role; user-based SSO names the RAM user as ``<user>@<domain>``.
https://www.alibabacloud.com/help/en/ram/ : "SAML role-based SSO", "user-based SSO".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bridge.clock import Clock
from bridge.entitlements.choice import Choice
from bridge.errors import ConsoleNotNarrowed
from bridge.exchange.accounts import Account
from bridge.exchange.assertion import Statement, count_further, issue_response, state_role
from bridge.exchange.duration import Duration, decide_duration
from bridge.exchange.session_name import derive_session_name
from bridge.keys import KeyFolder

UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"


@dataclass(frozen=True)
class ConsoleForm:
    """What the browser posts, and where."""

    action: str
    fields: Mapping[str, str] = field(repr=False)
    form_action: tuple[str, ...]
    """CSP sources that the form may reach, redirects included."""
    assertion_id: str
    role_session_name: str
    duration: Duration


class Console:
    """Builds console sign-ins for the configured accounts."""

    def __init__(self, accounts: Mapping[str, Account], entity_id: str, keys: KeyFolder, clock: Clock) -> None:
        """Take the accounts by name, our entity ID towards the cloud, and the keys that sign."""
        self._accounts = accounts
        self._entity_id = entity_id
        self._keys = keys
        self._clock = clock

    def build_form(self, choice: Choice) -> ConsoleForm:
        """Return a signed console sign-in for the choice, valid for a few minutes.

        Raises:
            ConsoleNotNarrowed: a session policy narrows the role, and role-based SSO has no place for one.
            SessionEndsTooSoon: the provider's session is about to end.
        """
        now = self._clock.now()
        entitlement = choice.entitlement
        if not entitlement.opens_console:
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
            action = account.console.role_sso_url
            statement = state_role(
                account,
                entitlement.name,
                session_name=session_name,
                issuer=self._entity_id,
                duration_seconds=duration.seconds,
                now=now,
                proxy_count=count_further(choice.identity),
            )
        else:
            action = account.console.user_sso_url
            statement = Statement(
                issuer=self._entity_id,
                recipient=action,
                audience=account.console.user_sso_audience.format(account=account.id),
                subject=f"{entitlement.name}@{account.user_domain}",
                subject_format=UNSPECIFIED,
                attributes={},
                session_ends_at=now + timedelta(seconds=duration.seconds),
                proxy_count=count_further(choice.identity),
            )
        response = issue_response(statement, self._keys.signing("saml-issuer"), now)
        return ConsoleForm(
            action=action,
            fields={"SAMLResponse": response.encoded},
            form_action=account.console.form_action,
            assertion_id=response.assertion_id,
            role_session_name=session_name,
            duration=duration,
        )
