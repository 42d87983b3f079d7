"""One entitlement picked, checked against the rules of this moment.

A page may be old and a form may be forged: what they send is only an id. To check again before the exchange, choose
again, with the rules that are in force then (threat MAP-08).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.reading import READS_ALL, Reading, find_reading
from bridge.entitlements.resolve import Resolution, resolve
from bridge.entitlements.rules import RuleSet
from bridge.entitlements.smallest_change import find_smallest_change
from bridge.entitlements.steps import Situation
from bridge.errors import NotEntitled, Wanted
from bridge.identity.verified import VerifiedIdentity

MAX_REASONS = 5
"""How many rules a refusal explains."""


@dataclass(frozen=True)
class Choice:
    """Who wants to become what, for how long."""

    identity: VerifiedIdentity
    entitlement: Entitlement
    requested_duration_seconds: int | None = None
    """None: as long as the limits allow. Only ever shortens."""
    session_name: str | None = None
    """The role session name that a caller of the STS endpoint asked for; None: derived from the identity."""
    narrowed_by_caller: bool = False
    """Whether the session policy is the caller's, not the rule's: what holds the credentials is to do no more."""
    reading: Reading = READS_ALL
    """What the rules of this moment read: whoever has the same of it may share the credentials."""

    @cached_property
    def statement(self) -> str:
        """Return what is read of the identity, as a digest (see :meth:`Reading.digest`)."""
        return self.reading.digest(self.identity)


def choose(  # noqa: PLR0917 - the order of the sentence: who chooses what, by which rules, when, from where
    identity: VerifiedIdentity,
    entitlement_id: str,
    rules: RuleSet,
    now: datetime,
    source_address: str | None,
    requested_duration_seconds: int | None = None,
) -> Choice:
    """Return the choice of an entitlement that the rules grant to this identity at this moment.

    Raises:
        NotEntitled: they do not grant it, or no longer.
    """
    resolution = resolve(identity, rules, now, source_address)
    for entitlement in resolution.entitlements:
        if entitlement.id == entitlement_id:
            return Choice(identity, entitlement, requested_duration_seconds, reading=find_reading(rules))
    change = find_smallest_change(Situation(identity, rules, now, source_address), entitlement_id)
    raise NotEntitled(
        f"the rules {resolution.rules_version[:12]} grant this identity {len(resolution.entitlements)} entitlements, "
        f"and the chosen one is not among them{f'; {change.describe()}' if change else ''}",
        Wanted(entitlement_id),
    )


def find_role(  # noqa: PLR0917 - as above
    resolution: Resolution,
    identity: VerifiedIdentity,
    account: str | None,
    role: str,
    rules: RuleSet,
    now: datetime,
    source_address: str | None,
) -> Entitlement:
    """Return a role of a resolution; None is an account that we do not have.

    The rest is what was resolved, by which rules, when and from where.

    Raises:
        NotEntitled: they do not grant it. The detail says of each rule that could why it does not apply.
    """
    for entitlement in resolution.entitlements:
        if (entitlement.kind, entitlement.account, entitlement.name) == ("role", account, role):
            return entitlement
    reasons = "; ".join(_find_reasons(identity, account, role, rules, now, source_address))
    raise NotEntitled(reasons or "no rule grants this role to anybody of this provider")


def _find_reasons(  # noqa: PLR0917 - as above
    identity: VerifiedIdentity,
    account: str | None,
    role: str,
    rules: RuleSet,
    now: datetime,
    source_address: str | None,
) -> Iterator[str]:
    """Yield why each of the first few rules with this role that are for the provider gives nothing."""
    with_role = [
        rule
        for rule in rules.rules
        if any((grant.kind, grant.account, grant.name.text) == ("role", account, role) for grant in rule.grants)
        and identity.provider in (rule.providers or {identity.provider})
    ]
    denying = [rule for rule in rules.rules if any(target.account == account for target in rule.denials)]
    with_role.sort(key=lambda rule: not rule.providers)  # those that name the provider say most
    asked = replace(rules, rules=(*with_role[:MAX_REASONS], *denying[:MAX_REASONS]))
    for outcome in resolve(identity, asked, now, source_address, every_rule=True).explanations:
        withheld = "; ".join(grant.reason for grant in outcome.grants if grant.name == role and grant.reason)
        if outcome.effect == "grant":
            yield f"{outcome.rule}: {withheld or outcome.reason}"
