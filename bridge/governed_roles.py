"""What an import of ActionTrail events goes by: which roles are ours to give, and how the accounts know us."""

from collections.abc import Iterator, Mapping

from bridge.audit.trail.governed import Governed, split_patterns
from bridge.audit.trail.strays import Scope
from bridge.entitlements.rules import RuleSet
from bridge.exchange.accounts import Account
from bridge.settings.audit_trail import TrailSettings


def find_scope(rules: RuleSet, accounts: Mapping[str, Account], settings: TrailSettings) -> Scope:
    """Return the roles that the rules can grant, and those that the settings name, with the providers that are us."""
    patterns = {*_find_grantable(rules), *split_patterns(settings.governed)}
    return Scope(
        Governed(
            accounts={account.id: name for name, account in accounts.items()},
            patterns=tuple(sorted(patterns)),
            shared=split_patterns(settings.shared),
        ),
        frozenset(_find_providers(accounts)),
        tolerance_seconds=settings.clock_tolerance_seconds,
        settling_seconds=settings.settling_seconds,
    )


def _find_grantable(rules: RuleSet) -> Iterator[tuple[str, str]]:
    for rule in rules.rules:
        for grant in rule.grants:
            template = grant.name if grant.kind == "role" else grant.terminal_role
            if template is None:
                continue
            # Where a claim is part of the name: any of the account's roles, and where it lists none, any at all.
            names = (template.text,) if template.is_literal else grant.allowed_roles or ("*",)
            yield from ((grant.account, name) for name in names)


def _find_providers(accounts: Mapping[str, Account]) -> Iterator[tuple[str, str, str]]:
    for account in accounts.values():
        yield account.id, "AssumeRoleWithSAML", account.saml_provider
        if account.trust == "oidc":
            yield account.id, "AssumeRoleWithOIDC", account.oidc_provider
