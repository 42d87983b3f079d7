"""One thing that could be otherwise about a request: what somebody does, or is given, so that the rules grant more.

Each step is carried out on a copy of what the decision reads, as the real sign-in, clock or provider would have it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Literal, Self, TypeAlias

from bridge.addresses import Network, read_address
from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.matching import Finding, fold_case
from bridge.entitlements.resolve import Resolution, look_at_all, resolve
from bridge.entitlements.rules import Rule, RuleSet
from bridge.identity.verified import Claim, VerifiedIdentity

Kind: TypeAlias = Literal[
    "other_time",
    "other_network",
    "stronger_sign_in",
    "fresh_sign_in",
    "group",
    "fewer_groups",
    "mapping",
    "longer_rule",
]


@dataclass(frozen=True)
class Situation:
    """Everything that a decision reads."""

    identity: VerifiedIdentity
    rules: RuleSet
    now: datetime
    source_address: str | None = None
    few: bool = False
    """Whether the rules are a choice of few, of which each is tried: an index of them would cost more than it saves."""

    def resolve(self) -> Resolution:
        """Return the decision."""
        return resolve(self.identity, self.rules, self.now, self.source_address, every_rule=self.few)

    def look_at(self, rule: Rule) -> tuple[Finding, ...]:
        """Return what each condition of a rule comes to. The identity's provider must be configured."""
        return look_at_all(rule, self.identity, self.rules, self.now, self.source_address)

    def list_granted(self) -> dict[str, Entitlement]:
        """Return what the rules grant, by id."""
        return {entitlement.id: entitlement for entitlement in self.resolve().entitlements}


@dataclass(frozen=True)
class Step:
    """One change; ``own`` is what the person can do without anybody else."""

    kind: ClassVar[Kind]
    own: ClassVar[bool] = False

    def carry_out(self, situation: Situation) -> Situation:
        """Return the situation after it."""
        raise NotImplementedError

    def list_ways(self, situation: Situation) -> tuple[Self, ...]:
        """Return each way of doing it that the rules may tell apart from the others: any one must do."""
        del situation
        return (self,)


@dataclass(frozen=True)
class OtherTime(Step):
    """Ask again later. Nothing else is renewed by that: the sign-in is older then."""

    kind = "other_time"
    own = True
    at: datetime
    """The first moment; UTC."""
    zone: str = "UTC"
    """The time zone in whose hours it was meant."""

    def carry_out(self, situation: Situation) -> Situation:
        """Wait."""
        return replace(situation, now=self.at)


@dataclass(frozen=True)
class OtherNetwork(Step):
    """Ask from one of these networks, at any address of it."""

    kind = "other_network"
    own = True
    networks: tuple[Network, ...]
    address: str = field(default="", compare=False)
    """From exactly here; empty: from the first address of the first network."""

    def carry_out(self, situation: Situation) -> Situation:
        """Go there."""
        return replace(situation, source_address=self.address or str(self.networks[0].network_address))

    def list_ways(self, situation: Situation) -> tuple[Self, ...]:
        """Return it from the first address of each network, and of each part of one that a rule denies something."""
        denied = {network for rule in situation.rules.rules if rule.denials for network in rule.networks}
        inside = [each for each in denied if any(read_address(str(each[0])) in network for network in self.networks)]
        return tuple(replace(self, address=str(network[0])) for network in (*self.networks, *inside))


@dataclass(frozen=True)
class StrongerSignIn(Step):
    """Sign in again by one of these methods or contexts, any of which is enough."""

    kind = "stronger_sign_in"
    own = True
    amr: tuple[str, ...] = ()
    acr: tuple[str, ...] = ()

    def carry_out(self, situation: Situation) -> Situation:
        """Sign in by the first context, or else by the first method besides those of now."""
        identity = situation.identity
        if self.acr:
            return replace(situation, identity=replace(identity, acr=self.acr[0]))
        return replace(situation, identity=replace(identity, amr=(*identity.amr, self.amr[0])))

    def list_ways(self, situation: Situation) -> tuple[Self, ...]:
        """Return it by each context and each method alone."""
        del situation
        by_context = [replace(self, amr=(), acr=(context,)) for context in self.acr]
        return (*by_context, *(replace(self, amr=(method,), acr=()) for method in self.amr))


@dataclass(frozen=True)
class FreshSignIn(Step):
    """Sign in again, so that the provider states that it was now."""

    kind = "fresh_sign_in"
    own = True
    max_age_seconds: int = 0
    """How long ago it may be."""

    def carry_out(self, situation: Situation) -> Situation:
        """Sign in."""
        again = replace(situation.identity, authenticated_at=situation.now, authentication_time_stated=True)
        return replace(situation, identity=again)


@dataclass(frozen=True)
class Mapping(Step):
    """The provider, or what we make of its answer, is corrected: it states this claim, with this value if any."""

    kind = "mapping"
    claim: str
    value: str = ""

    def carry_out(self, situation: Situation) -> Situation:
        """State it."""
        stated = situation.identity.claims.get(self.claim)
        texts = stated if isinstance(stated, list) and all(isinstance(text, str) for text in stated) else []
        value: Claim = [*texts, *[self.value] * bool(self.value)]
        return _state(situation, self.claim, value)


@dataclass(frozen=True)
class Group(Step):
    """Somebody puts the person into this group."""

    kind = "group"
    claim: str
    group: str

    def carry_out(self, situation: Situation) -> Situation:
        """Put them in."""
        return _state(situation, self.claim, [*_list_texts(situation.identity.claims.get(self.claim)), self.group])


@dataclass(frozen=True)
class FewerGroups(Step):
    """Somebody takes the person out of these groups, in either case of letters if ``ignore_case``."""

    kind = "fewer_groups"
    claim: str
    groups: frozenset[str]
    ignore_case: bool = False

    def carry_out(self, situation: Situation) -> Situation:
        """Take them out."""
        kept: list[Claim] = [
            text
            for text in _list_texts(situation.identity.claims.get(self.claim))
            if not isinstance(text, str) or (fold_case(text) if self.ignore_case else text) not in self.groups
        ]
        return _state(situation, self.claim, kept)


@dataclass(frozen=True)
class LongerRule(Step):
    """IT lets a rule that has expired go on."""

    kind = "longer_rule"
    rule: str

    def carry_out(self, situation: Situation) -> Situation:
        """Let it go on."""
        rules = situation.rules
        longer = tuple(replace(rule, expires=None) if rule.id == self.rule else rule for rule in rules.rules)
        return replace(situation, rules=replace(rules, rules=longer))


def _list_texts(claim: Claim) -> list[Claim]:
    return list(claim) if isinstance(claim, list) else [claim] if isinstance(claim, str) else []


def _state(situation: Situation, claim: str, value: Claim) -> Situation:
    claims = {**situation.identity.claims, claim: value}
    return replace(situation, identity=replace(situation.identity, claims=claims))
