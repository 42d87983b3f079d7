"""What RAM must have in one account, as the configuration says it. A pure function; nothing is read or asked.

An account has our SAML provider wherever people open the console or credentials come by SAML, and our OIDC provider
with ``trust: oidc``. A role's trust policy admits exactly the ways by which the rules hand it out, and nobody else:

- the console by SAML, and credentials with ``trust: saml``: our SAML provider, for responses to the site's ACS
- credentials with ``trust: oidc``: our OIDC provider, our issuer, our audience, and as subject (``PROVIDER:SUBJECT``)
  the people, or workloads, of the providers whose rules grant the role
- credentials with ``trust: access_key``: the RAM user that holds the key, with the account's ``external_id``
- credentials with ``via``: the role of the other account, with the ``external_id``; that role admits us by the
  ``trust`` of its own account
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.entitlements.rules import Grant, Rule, RuleSet
from bridge.exchange.accounts import Account
from bridge.exchange.duration import DEFAULT_SECONDS, MAXIMUM_SECONDS, MINIMUM_SECONDS
from bridge.setup.trust import Document, admit_oidc, admit_ram, admit_saml, write_trust

SIGNATURE_ALGORITHM = "rsa-sha256"
"""How the console signs its own requests to us; RAM's default is SHA-1."""


@dataclass(frozen=True)
class SAMLProvider:
    """A SAML identity provider in RAM."""

    name: str
    metadata: bytes = field(repr=False)
    signature_algorithm: str = SIGNATURE_ALGORITHM


@dataclass(frozen=True)
class OIDCProvider:
    """An OIDC identity provider in RAM."""

    name: str
    issuer: str
    client_ids: tuple[str, ...]
    fingerprints: tuple[str, ...]
    """SHA-1 (hex) of the top certificate of the chain that our address serves; none for an http address."""


@dataclass(frozen=True)
class Role:
    """A RAM role."""

    name: str
    trust: Document
    max_session_seconds: int
    statements: tuple[dict[str, Any], ...] = ()
    """Ours, one for each way in: what ``trust`` was written from."""
    rule_seconds: int = 0
    """The longest session that a rule grants."""
    rules: tuple[str, ...] = ()
    """The rules that grant it."""
    policies: tuple[str, ...] = ()
    """What is attached in RAM (``NAME (System)``); set-up leaves it alone."""


@dataclass(frozen=True)
class Desired:
    """What one account must have."""

    account: Account
    saml_provider: SAMLProvider | None
    oidc_provider: OIDCProvider | None
    roles: tuple[Role, ...]
    users: tuple[str, ...]
    """The RAM users that rules name."""
    decided_at_sign_in: tuple[str, ...]
    """Names that a claim completes, as the rules write them: what exists of them, nobody here knows."""
    notes: tuple[str, ...] = ()
    """What set-up leaves to people."""


def find_desired(
    account: Account,
    accounts: Mapping[str, Account],
    rules: RuleSet,
    *,
    people: Collection[str],
    issuer: str,
    metadata: bytes,
    fingerprints: Sequence[str] = (),
    bridge_user: str | None = None,
) -> Desired:
    """Return what RAM must have in an account.

    Args:
        account: with its way of trust, names of providers, and limits of roles.
        accounts: all of them by name, since one may lead into another (``via``).
        rules: whose grants count.
        people: the identity providers of people; a rule that names none is for all of theirs, and for no workload.
        issuer: our ``public_url``.
        metadata: our SAML metadata.
        fingerprints: of the TLS chain that the issuer serves (SHA-1, hex).
        bridge_user: with ``trust: access_key``, the name of the RAM user that holds the key.
    """
    uses = list(_find_uses(account, accounts, rules, people))
    names = sorted({use.role for use in uses})
    trust = None if account.via else account.trust
    # Without its name the policies would shut the bridge out, so no role is touched; a note says so.
    unknown_user = trust == "access_key" and not bridge_user
    roles = tuple(
        _describe_role(account, accounts, name, [use for use in uses if use.role == name], issuer, bridge_user)
        for name in names
        if "${" not in name and not unknown_user
    )
    grants = [grant for _, grant in _grants(account, rules)]
    users = sorted({grant.name.text for grant in grants if grant.kind == "user" and grant.name.is_literal})
    open_users = sorted({grant.name.text for grant in grants if grant.kind == "user" and not grant.name.is_literal})
    open_names = [f"role {name}" for name in names if "${" in name] + [f"user {name}" for name in open_users]
    by_saml = trust == "saml" or any(use.console for use in uses) or bool(users or open_users)
    client_ids = (account.oidc_audience,)
    notes = _find_notes(account, issuer, fingerprints, unknown_user=unknown_user, has_users=bool(users or open_users))
    return Desired(
        account=account,
        saml_provider=SAMLProvider(account.saml_provider, metadata) if by_saml else None,
        oidc_provider=OIDCProvider(account.oidc_provider, issuer, client_ids, tuple(fingerprints))
        if trust == "oidc"
        else None,
        roles=roles,
        users=tuple(users),
        decided_at_sign_in=tuple(open_names),
        notes=tuple(notes),
    )


def find_granted_roles(account: Account, rules: RuleSet, people: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the roles that rules hand out in an account by their own names, each with whose people get it."""
    granted: dict[str, set[str]] = {}
    for use in _find_own_uses(account, rules, people):
        if "${" not in use.role:
            granted.setdefault(use.role, set()).update(use.providers)
    return {name: tuple(sorted(providers)) for name, providers in granted.items()}


@dataclass(frozen=True)
class _Use:
    """One way in which a rule hands out a role."""

    role: str
    rule: str
    providers: frozenset[str]
    """The identity providers, or issuers of workloads, whose people or workloads get it."""
    seconds: int
    console: bool
    """Whether it opens the console by SAML."""


def _grants(account: Account, rules: RuleSet) -> Iterator[tuple[Rule, Grant]]:
    for rule in rules.rules:
        yield from ((rule, grant) for grant in rule.grants if grant.account == account.name)


def _find_uses(
    account: Account, accounts: Mapping[str, Account], rules: RuleSet, people: Collection[str]
) -> Iterator[_Use]:
    yield from _find_own_uses(account, rules, people)
    for other in accounts.values():
        if other.via and other.via.account == account.name:
            for use in _find_own_uses(other, rules, people):
                yield _Use(other.via.role, f"via of {other.name}", use.providers, MINIMUM_SECONDS, console=False)


def _find_own_uses(account: Account, rules: RuleSet, people: Collection[str]) -> Iterator[_Use]:
    everybody = frozenset(people)
    for rule, grant in _grants(account, rules):
        providers = rule.providers or everybody
        # A sign-in token is got for credentials, a session policy has no place in a signed response, and a workload has
        # no browser: those need no console by SAML.
        template = grant.name if grant.kind == "role" else grant.terminal_role
        by_saml = account.console != "token" and grant.session_policy is None
        console = grant.kind == "role" and by_saml and bool(providers & everybody)
        if template is not None:
            yield _Use(template.text, rule.id, providers, grant.duration_seconds, console)


def _describe_role(  # noqa: PLR0917
    account: Account,
    accounts: Mapping[str, Account],
    name: str,
    uses: list[_Use],
    issuer: str,
    bridge_user: str | None,
) -> Role:
    statements = []
    if account.via:
        hub = accounts[account.via.account]
        statements.append(admit_ram(hub.role_arn(account.via.role), account.external_id))
    elif account.trust == "oidc":
        subjects = [f"{provider}:*" for provider in sorted({each for use in uses for each in use.providers})]
        statements.append(admit_oidc(account.oidc_provider_arn, issuer, account.oidc_audience, subjects))
    elif account.trust == "access_key":
        statements.append(admit_ram(f"acs:ram::{account.id}:user/{bridge_user}", account.external_id))
    if (account.trust == "saml" and not account.via) or any(use.console for use in uses):
        statements.append(admit_saml(account.saml_provider_arn, account.console_addresses.role_sso_url))
    configured = account.role_max_duration_seconds.get(name, DEFAULT_SECONDS)
    return Role(
        name=name,
        trust=write_trust(statements),
        max_session_seconds=min(max(configured, DEFAULT_SECONDS), MAXIMUM_SECONDS),
        statements=tuple(statements),
        rule_seconds=max(use.seconds for use in uses),
        rules=tuple(dict.fromkeys(use.rule for use in uses)),
    )


def _find_notes(
    account: Account, issuer: str, fingerprints: Sequence[str], *, unknown_user: bool, has_users: bool
) -> Iterator[str]:
    if unknown_user:
        yield "Roles are left out: say with --bridge-user which RAM user holds the bridge's AccessKey."
    if account.via:
        yield f"{account.via.account}/{account.via.role} needs a policy that allows sts:AssumeRole on these roles."
    elif account.trust == "oidc" and not fingerprints and issuer.startswith("https:"):
        yield "The fingerprint of our TLS chain is not known here. Say it with --fingerprint."
    if has_users:
        yield "RAM users open the console by user-based SSO: give it the same metadata, by hand (docs/operating.md)."
