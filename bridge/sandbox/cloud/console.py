"""The console's side of single sign-on: which role or user a SAML response signs in, and until when.

Role sign-in takes every pair that the response lists, each verified against its own provider, and lets the person
pick when there are several. User sign-in finds the RAM user by ``NameID``.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from bridge.clock import Clock
from bridge.sandbox.cloud.directory import Directory
from bridge.sandbox.cloud.entities import Account, User
from bridge.sandbox.cloud.policy import Context
from bridge.sandbox.cloud.role_statement import read_role_pairs, read_role_session_name, read_session_duration
from bridge.sandbox.cloud.saml_response import ROLE, SAMLStatement, UnverifiedResponse, parse_saml_response
from bridge.sandbox.cloud.saml_sign_in import SAMLSignIns, TrustedRole
from bridge.sandbox.store import ExpiringStore
from bridge.sts_wire.arn import ARN
from bridge.sts_wire.reply import STSFault, build_fault

LOGIN_SESSION = timedelta(hours=6)
"""The default of ``LoginSessionDuration``."""
PICK_WITHIN = timedelta(minutes=5)

_RELAY_DOMAINS = (
    "aliyun.com", "hichina.com", "yunos.com", "taobao.com", "tmall.com", "alibabacloud.com", "alipay.com",
)  # fmt: skip


@dataclass(frozen=True)
class ConsoleSession:
    """Somebody signed in to the console."""

    kind: Literal["role", "user"]
    account: Account
    arn: ARN
    title: str
    """Who they are: the role's or the user's name."""
    session_name: str | None
    """The role session's name; a RAM user has none."""
    subject: str
    issuer: str
    ends_at: datetime
    decided_by: str
    """Which limit set the end."""
    passed: tuple[str, ...]
    """The checks, in words."""
    relay_state: str
    opens_relay_state: bool
    login_url: str = ""
    """With a sign-in token: where its holder is sent when the session has ended."""
    policy: tuple[str, ...] = ()
    """The statements of the session policy, as JSON; only credentials bring one."""


@dataclass(frozen=True)
class RoleChoice:
    """A verified response that lists several roles."""

    statement: SAMLStatement
    roles: tuple[TrustedRole, ...]
    relay_state: str


class Console:
    """The sign-in service of the console."""

    def __init__(self, directory: Directory, sign_ins: SAMLSignIns, clock: Clock) -> None:
        self._directory = directory
        self._sign_ins = sign_ins
        self._clock = clock
        self._sessions: ExpiringStore[ConsoleSession] = ExpiringStore(clock)
        self._choices: ExpiringStore[RoleChoice] = ExpiringStore(clock)

    def verify_role_response(self, encoded: str, relay_state: str, context: Context) -> RoleChoice:
        """Return the roles that a response signs its bearer in to; it is used up by this.

        Raises ``STSFault`` with the console's own message.
        """
        response = parse_saml_response(encoded)
        pairs = read_role_pairs(response.read_attribute(ROLE))
        statements = {pair.provider: self._verify_with(response, pair.provider) for pair in pairs}
        roles = tuple(self._sign_ins.check_trust(pair, statements[pair.provider], context) for pair in pairs)
        statement = statements[pairs[0].provider]
        read_role_session_name(statement)
        read_session_duration(statement)
        self._sign_ins.claim(statement)
        return RoleChoice(statement, roles, relay_state)

    def store_choice(self, choice: RoleChoice) -> str:
        """Return the ticket with which the person's pick comes back within five minutes."""
        ticket = secrets.token_urlsafe(32)
        self._choices.put(ticket, choice, self._clock.now() + PICK_WITHIN)
        return ticket

    def take_choice(self, ticket: str) -> RoleChoice:
        """Return what the ticket stands for, once."""
        choice = self._choices.take(ticket)
        if choice is None:
            raise build_fault("AuthenticationFail.SAMLAssertion.Expired", "The choice of a role took too long.")
        return choice

    def sign_in_as_role(self, choice: RoleChoice, index: int) -> str:
        """Return the key of a new console session as the chosen role."""
        if not 0 <= index < len(choice.roles):
            raise build_fault("NoPermission", "The SAML response does not list this role.")
        chosen, statement = choice.roles[index], choice.statement
        if not chosen.role.allow_console_login:
            raise build_fault("NoPermission", f"The role {chosen.role.name} may not log on to the console.")
        asked = read_session_duration(statement)
        limits = [
            (timedelta(seconds=chosen.role.max_session_duration), "the role's MaxSessionDuration"),
            *([(timedelta(seconds=asked), "the assertion's SessionDuration")] if asked else []),
        ]
        return self._sign_in(
            statement,
            limits,
            kind="role",
            account=chosen.account,
            arn=chosen.arn,
            title=chosen.role.name,
            session_name=read_role_session_name(statement),
            passed=(
                *statement.passed,
                "The assertion lists the role together with the registered provider",
                "The role's trust policy allows that provider and recipient",
                "There is exactly one role session name",
                "The assertion was not used before",
            ),
            relay_state=choice.relay_state,
        )

    def sign_in_as_user(self, encoded: str, relay_state: str) -> str:
        """Return the key of a new console session as the RAM user that the response names."""
        response = parse_saml_response(encoded)
        account = self._find_account_by_audience(response)
        statement = self._sign_ins.verify_for_user(response, account)
        user = _find_user(account, statement.subject)
        self._sign_ins.claim(statement)
        return self._sign_in(
            statement,
            [],
            kind="user",
            account=account,
            arn=account.build_arn("user", user.name),
            title=user.name,
            session_name=None,
            passed=(
                *statement.passed,
                "The NameID is a RAM user of this account, in one of its domains",
                "The RAM user may log on to the console",
                "The assertion was not used before",
            ),
            relay_state=relay_state,
        )

    def open_session(self, session: ConsoleSession) -> str:
        """Return the key of a console session that ends at its own time."""
        key = secrets.token_urlsafe(32)
        self._sessions.put(key, session, session.ends_at)
        return key

    def find_session(self, key: str) -> ConsoleSession | None:
        """Return the console session with this key, if it has not ended."""
        return self._sessions.find(key)

    def sign_out(self, key: str) -> None:
        """The console session with this key is over."""
        self._sessions.take(key)

    def _verify_with(self, response: UnverifiedResponse, provider: ARN) -> SAMLStatement:
        if self._directory.state.find_saml_provider(provider) is None:
            raise build_fault("EntityNotExist.SAMLProvider", "Can not find SAML provider.")
        return self._sign_ins.verify_for_role(response, provider)

    def _find_account_by_audience(self, response: UnverifiedResponse) -> Account:
        """Return the account whose entity ID is the audience; the response is then verified for just that one."""
        audiences = response.read_audiences()
        for account in self._directory.state.accounts:
            if self._directory.state.build_user_sso_audience(account) in audiences:
                return account
        raise build_fault(
            "AuthenticationFail.SAMLAssertion.Invalid", "The audience is no account's user SSO entity ID."
        )

    def _sign_in(
        self,
        statement: SAMLStatement,
        limits: list[tuple[timedelta, str]],
        *,
        kind: Literal["role", "user"],
        account: Account,
        arn: ARN,
        title: str,
        session_name: str | None,
        passed: tuple[str, ...],
        relay_state: str,
    ) -> str:
        now = self._clock.now()
        ends = [(now + lasts, reason) for lasts, reason in limits]
        ends.append((now + LOGIN_SESSION, "the account's login session duration"))
        if statement.session_ends_at is not None:
            ends.append((statement.session_ends_at, "the assertion's SessionNotOnOrAfter"))
        ends_at, decided_by = min(ends)
        session = ConsoleSession(
            kind=kind,
            account=account,
            arn=arn,
            title=title,
            session_name=session_name,
            subject=statement.subject,
            issuer=statement.issuer,
            ends_at=ends_at,
            decided_by=decided_by,
            passed=passed,
            relay_state=relay_state,
            opens_relay_state=is_console_address(relay_state),
        )
        return self.open_session(session)


def is_console_address(relay_state: str) -> bool:
    """Whether the console would open this address: https, on one of the vendor's domains, and nothing clever.

    Without it, a sign-in link could end on anybody's page (CWE-601).
    """
    try:
        address = urlsplit(relay_state)
        host, port = address.hostname or "", address.port
    except ValueError:
        return False
    plain = address.scheme == "https" and "@" not in address.netloc and "\\" not in relay_state and port in {None, 443}
    return plain and any(host == domain or host.endswith(f".{domain}") for domain in _RELAY_DOMAINS)


def _find_user(account: Account, subject: str) -> User:
    """Return the RAM user that ``<name>@<domain>`` means in this account, or the name alone where it says so."""
    name, at, domain = subject.rpartition("@")
    with_domain = account.user_sso is None or account.user_sso.login_with_domain
    known = domain.lower() in account.domains if with_domain else not at
    name = name if with_domain else subject
    user = next((user for user in account.users if user.name.lower() == name.lower()), None)
    if not known or user is None:
        raise _refuse_user(f"There is no RAM user {subject[:128]} in this account.")
    if not user.console:
        raise _refuse_user(f"The RAM user {user.name} may not log on to the console.")
    return user


def _refuse_user(message: str) -> STSFault:
    return build_fault("NoPermission", message)
