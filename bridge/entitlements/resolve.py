"""From a verified identity and the rules to entitlements, and for every rule why it did or did not apply.

The explanation is not written beside the decision: an entitlement is handed out only from the outcome that
explains it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from bridge.addresses import Address, read_address
from bridge.entitlements.entitlement import Entitlement, Kind, identify
from bridge.entitlements.expressions import Variables, bind_variables
from bridge.entitlements.limits import look_at_address, look_at_expiry
from bridge.entitlements.matching import (
    ClaimSchema,
    Finding,
    Texts,
    fold_case,
    has_type,
    keep_kind,
    match_any,
    match_beginning,
    match_none,
    read_texts,
)
from bridge.entitlements.rules import Conditions, Grant, Requirement, Rule, RuleSet, Target
from bridge.entitlements.spans import Span
from bridge.entitlements.templates import TextTemplate
from bridge.identity.verified import VerifiedIdentity
from bridge.language import Alternatives, Said, chain, phrase


@dataclass(frozen=True)
class GrantOutcome:
    """What became of one grant of a rule that applied."""

    kind: Kind
    account: str
    name: str
    """The name; as written in the rule, where no name came of it."""
    entitlement: Entitlement | None
    why: Said | None
    """Why it was withheld or changed; None where it was handed out as written."""

    @property
    def reason(self) -> str:
        """Return why, as it is recorded: in English, or nothing."""
        return self.why.english if self.why else ""


@dataclass(frozen=True)
class RuleOutcome:
    """What became of one rule."""

    rule: str
    effect: Literal["grant", "deny"]
    applied: bool
    findings: tuple[Finding, ...]
    """The conditions in the order in which they were looked at; the first that fails is the last one, except that
    strength and age of the sign-in are both looked at."""
    grants: tuple[GrantOutcome, ...] = ()
    lacking: Requirement | None = None
    """Of a rule whose every condition holds but for the sign-in's strength or age: what it requires."""
    within_reach: tuple[GrantOutcome, ...] = ()
    """What would become of its grants then."""

    @property
    def reason(self) -> str:
        """Return why the rule did or did not apply, in one line, as it is recorded: in English."""
        return self.why.english if self.why else ""

    @property
    def why(self) -> Said | None:
        """Return the same, to be read in any language; None if nothing was looked at."""
        return chain(finding.why for finding in self.findings)


@dataclass(frozen=True)
class WithinReach:
    """Something that the person does not hold, and would after a stronger or more recent sign-in. It opens nothing."""

    entitlement: Entitlement
    require: Requirement
    """What that sign-in has to show."""
    too_weak: bool
    """Whether the present one lacks strength."""
    too_old: bool
    """Whether the present one is too long ago."""


@dataclass(frozen=True)
class Resolution:
    """What an identity may become at one moment, and why."""

    entitlements: tuple[Entitlement, ...]
    rules_version: str
    explanations: tuple[RuleOutcome, ...]
    """One for each rule that could concern this identity, or for each rule at all, in the order of the rules."""

    @property
    def within_reach(self) -> tuple[WithinReach, ...]:
        """Return what a stronger or more recent sign-in would add."""
        return tuple(
            WithinReach(
                outcome.entitlement,
                explanation.lacking,
                too_weak=any(
                    finding.holds is False and finding.condition == "strength" for finding in explanation.findings
                ),
                too_old=any(finding.holds is False and finding.condition == "age" for finding in explanation.findings),
            )
            for explanation in self.explanations
            if explanation.lacking is not None
            for outcome in explanation.within_reach
            if outcome.entitlement is not None
        )


def resolve(
    identity: VerifiedIdentity,
    rules: RuleSet,
    now: datetime,
    source_address: str | None = None,
    *,
    every_rule: bool = False,
) -> Resolution:
    """Return everything that the rules grant to this identity at this moment.

    With ``every_rule`` the explanations cover also the rules that could not concern it; the decision is the same.

    Rules that deny win over all rules that grant. What two rules grant is granted by the first. An identity from a
    provider that is not configured (any more) gets nothing.
    """
    if identity.provider not in rules.groups_claims:
        return Resolution((), rules.version, ())
    groups_claim, schema = rules.groups_claims[identity.provider], rules.schemas.get(identity.provider)
    claims = rules.claims_in_expressions
    person = _Person(identity, groups_claim, now, source_address, schema=schema, claims_in_expressions=claims)
    candidates = rules.rules if every_rule else rules.find_candidates(identity, person.groups, person.read)
    examined = [(rule, tuple(_examine(rule, person))) for rule in candidates]
    denials = [(rule.id, target) for rule, found in examined if _applies(rule, found) for target in rule.denials]
    desk = _Desk(rules.version, person, denials)
    explanations: list[RuleOutcome] = []
    for rule, findings in examined:
        applied = _applies(rule, findings)
        grants = tuple(desk.hand_out(grant, rule) for grant in rule.grants if applied)
        explanations.append(RuleOutcome(rule.id, rule.effect, applied, findings, grants))
    outcomes = (grant for explanation in explanations for grant in explanation.grants)
    entitlements = tuple(outcome.entitlement for outcome in outcomes if outcome.entitlement)
    # After everything that is granted: what one rule grants is not within reach by another one.
    for place, (rule, findings) in enumerate(examined):
        if _lacks_strength_alone(rule, findings, identity):
            grants = tuple(desk.hand_out(grant, rule) for grant in rule.grants)
            explanations[place] = replace(explanations[place], lacking=rule.require, within_reach=grants)
    return Resolution(entitlements, rules.version, tuple(explanations))


def look_at_all(
    rule: Rule, identity: VerifiedIdentity, rules: RuleSet, now: datetime, source_address: str | None = None
) -> tuple[Finding, ...]:
    """Return what each condition of a rule comes to, also those behind the first that fails. It decides nothing.

    The identity's provider must be configured.
    """
    groups_claim, schema = rules.groups_claims[identity.provider], rules.schemas.get(identity.provider)
    claims = rules.claims_in_expressions
    person = _Person(identity, groups_claim, now, source_address, schema=schema, claims_in_expressions=claims)
    return (*_look_at_conditions(rule, person), *(_look_at_strength(rule.require, person) if rule.require else ()))


def meets_any(
    identity: VerifiedIdentity,
    alternatives: Iterable[Conditions],
    groups_claims: Mapping[str, str],
    now: datetime,
    source_address: str | None = None,
    *,
    schemas: Mapping[str, ClaimSchema] = MappingProxyType({}),
) -> bool:
    """Return whether everything in at least one of the alternatives is known to hold of this identity now.

    ``groups_claims`` and ``schemas`` are those of the rules: an identity from a provider without a groups claim meets
    nothing.
    """
    if identity.provider not in groups_claims:
        return False
    schema = schemas.get(identity.provider)
    person = _Person(identity, groups_claims[identity.provider], now, source_address, schema=schema)
    return any(all(finding.holds is True for finding in _examine(each, person)) for each in alternatives)


class _Person:
    """One identity at one moment, with what was already read of it."""

    def __init__(
        self,
        identity: VerifiedIdentity,
        groups_claim: str,
        now: datetime,
        source_address: str | None,
        *,
        schema: ClaimSchema | None,
        claims_in_expressions: frozenset[str] | None = None,
    ) -> None:
        self.identity = identity
        self.groups_claim = groups_claim
        self.now = now
        self._source_address = source_address
        self._schema = schema or ClaimSchema()
        self._claims_in_expressions = claims_in_expressions
        self._texts: dict[str, Texts] = {}
        self._folded: dict[str, Texts] = {}

    @property
    def is_workload(self) -> bool:
        return self._schema.workload

    def read(self, claim: str, *, ignore_case: bool = False) -> Texts:
        if claim not in self._texts:
            value, declared = self.identity.claims.get(claim), self._schema.types.get(claim)
            fits = value is None or has_type(value, declared)
            if fits:
                self._texts[claim] = read_texts(self.identity.claims, claim)
            else:
                note = phrase("`%(name)s` is not of the type %(type)s", name=claim, type=declared)
                self._texts[claim] = Texts(frozenset(), readable=False, note=note)
        if not ignore_case:
            return self._texts[claim]
        if claim not in self._folded:
            self._folded[claim] = _fold(self._texts[claim])
        return self._folded[claim]

    def read_groups(self, *, ignore_case: bool) -> Texts:
        return self._folded_groups if ignore_case else self.groups

    @cached_property
    def groups(self) -> Texts:
        return keep_kind(self.read(self.groups_claim), ids=self._schema.group_ids)

    @cached_property
    def _folded_groups(self) -> Texts:
        return _fold(self.groups)

    @cached_property
    def address(self) -> Address | None:
        return read_address(self._source_address)

    @cached_property
    def variables(self) -> Variables:
        claims = self._claims_in_expressions
        return bind_variables(self.identity, self.now, self._source_address, claims, self._schema)


def _fold(texts: Texts) -> Texts:
    return replace(texts, values=frozenset(fold_case(value) for value in texts.values))


def _examine(conditions: Conditions, person: _Person) -> Iterator[Finding]:
    """Yield the finding of each condition, up to the first that does not hold."""
    for finding in _look_at_conditions(conditions, person):
        yield finding
        if finding.holds is False:
            return
    if conditions.require:
        yield from _look_at_strength(conditions.require, person)


def _look_at_conditions(conditions: Conditions, person: _Person) -> Iterator[Finding]:
    yield from _look_at_provider(conditions, person)
    if conditions.expires:
        yield look_at_expiry(conditions.expires, person.now)
    if conditions.hours:
        yield conditions.hours.look(person.now)
    if conditions.networks:
        yield look_at_address(person.address, conditions.networks)
    ignore_case, groups_claim = conditions.ignore_case, person.groups_claim
    if conditions.groups:
        yield match_any(person.read_groups(ignore_case=ignore_case), conditions.groups, groups_claim, "groups")
    if conditions.not_groups:
        yield match_none(person.read_groups(ignore_case=ignore_case), conditions.not_groups, groups_claim)
    for name, values in conditions.claims:
        yield match_any(person.read(name, ignore_case=ignore_case), values, name)
    for name, beginnings in conditions.claims_like:
        yield match_beginning(person.read(name), beginnings, name)
    if conditions.when:
        yield conditions.when.evaluate(person.variables)


def _look_at_provider(conditions: Conditions, person: _Person) -> Iterator[Finding]:
    provider = person.identity.provider
    if conditions.providers:
        if provider in conditions.providers:
            yield Finding(
                holds=True, why=phrase("the provider is %(provider)s", provider=provider), condition="provider"
            )
        else:
            why = phrase("the provider is not one of this rule: %(provider)s", provider=provider)
            yield Finding(holds=False, why=why, condition="provider")
    elif person.is_workload and not (isinstance(conditions, Rule) and conditions.denials):
        # Some issuers vouch for everybody in the world, so "everybody" never means their workloads (threat STS-10).
        why = phrase("%(provider)s vouches for workloads, and the rule does not name it", provider=provider)
        yield Finding(holds=False, why=why, condition="provider")


def _look_at_strength(require: Requirement, person: _Person) -> Iterator[Finding]:
    """The provider's own evidence must be strong and fresh enough for the role (threat OUT-04)."""
    identity = person.identity
    if require.amr or require.acr:
        enough = set(identity.amr).intersection(require.amr or ()) | {identity.acr}.intersection(require.acr or ())
        wanted = Alternatives((*(require.amr or ()), *(require.acr or ())))
        shown = tuple(filter(None, (*identity.amr, identity.acr)))
        if shown:
            why = phrase("signed in by %(shown)s (needed: %(wanted)s)", shown=shown, wanted=wanted)
        else:
            why = phrase("the provider does not state how (needed: %(wanted)s)", wanted=wanted)
        yield Finding(bool(enough), why, "strength")
    if require.max_age_seconds is not None:
        age = int((person.now - identity.authenticated_at).total_seconds())
        limit = Span(require.max_age_seconds)
        if not identity.authentication_time_stated:
            why = phrase("the provider does not state when (needed: at most %(limit)s ago)", limit=limit)
        elif age < 0:
            why = phrase("authenticated in the future (needed: at most %(limit)s ago)", limit=limit)
        else:
            why = phrase("authenticated %(age)s ago (needed: at most %(limit)s ago)", age=Span(age), limit=limit)
        holds = identity.authentication_time_stated and age <= limit.seconds
        yield Finding(holds, why, "age")


def _applies(rule: Rule, findings: Sequence[Finding]) -> bool:
    """A grant needs every condition to hold; a denial applies unless one is known not to hold."""
    if rule.denials:
        return all(finding.holds is not False for finding in findings)
    return all(finding.holds is True for finding in findings)


def _lacks_strength_alone(rule: Rule, findings: Sequence[Finding], identity: VerifiedIdentity) -> bool:
    """Every other condition of a rule that grants is known to hold, and the sign-in is too weak or too old.

    What no sign-in by the person's provider can show is not offered: the person would authenticate again for nothing.
    """
    if rule.require is None or not rule.require.can_be_met_by(identity.protocol):
        return False
    others = all(finding.holds is True for finding in findings if not finding.about_sign_in)
    return others and any(finding.holds is False and finding.about_sign_in for finding in findings)


def _may_grant(grant: Grant, role: str) -> bool:
    """What a claim made of a role's name is granted only if the account's settings list it (threat MAP-03)."""
    return grant.allowed_roles is None or role in grant.allowed_roles


def _say_unlisted(grant: Grant, role: str) -> Said:
    return phrase("the account %(account)s does not list the role %(role)s", account=grant.account, role=role)


@dataclass
class _Texts:
    """What an entitlement carries beside its name; what cannot be made is left out, and noted."""

    person: _Person
    missing: list[Said] = field(default_factory=list)

    def expand_title(self, template: TextTemplate) -> str:
        text, reason = self._expand(template)
        if reason:
            self.missing.append(phrase("without its title: %(reason)s", reason=reason))
        return text

    def expand_purpose(self, template: TextTemplate) -> str:
        text, reason = self._expand(template)
        if reason:
            self.missing.append(phrase("without its purpose: %(reason)s", reason=reason))
        return text

    def _expand(self, template: TextTemplate) -> tuple[str, Said | None]:
        return (template.text, None) if template.is_literal else template.expand(self.person.variables)

    def find_terminal_role(self, grant: Grant) -> str | None:
        template = grant.terminal_role
        if template is None:
            return None
        role, reason = (template.text, None) if template.is_literal else template.expand(self.person.variables)
        if role is not None and not _may_grant(grant, role):
            reason = _say_unlisted(grant, role)
            role = None
        if role is None:
            self.missing.append(phrase("without its terminal role: %(reason)s", reason=reason))
        return role


class _Desk:
    """Hands out the grants of the rules that apply, one after another."""

    def __init__(self, rules_version: str, person: _Person, denials: Sequence[tuple[str, Target]]) -> None:
        self._rules_version = rules_version
        self._person = person
        self._denials = denials
        self._taken: dict[str, Said] = {}

    def hand_out(self, grant: Grant, rule: Rule) -> GrantOutcome:
        name, reason = (grant.name.text, None) if grant.name.is_literal else grant.name.expand(self._person.variables)
        if name is None:
            return GrantOutcome(grant.kind, grant.account, grant.name.text, None, reason)
        id_ = grant.id or identify(grant.kind, grant.account, name)
        withheld = self._find_obstacle(id_, grant, name)
        if withheld:
            return GrantOutcome(grant.kind, grant.account, name, None, withheld)
        if grant.kind == "role" and not _may_grant(grant, name):
            return GrantOutcome(grant.kind, grant.account, name, None, _say_unlisted(grant, name))
        policy, flaw = self._fill_policy(grant)
        if flaw:
            # The place stays taken: no later rule gives the whole role to whom this one gives a part of it.
            held = phrase("held by %(rule)s, whose session policy cannot be filled", rule=rule.id)
            self._taken[id_] = held
            return GrantOutcome(grant.kind, grant.account, name, None, flaw)
        texts = _Texts(self._person)
        entitlement = Entitlement(
            id=id_,
            kind=grant.kind,
            account=grant.account,
            name=name,
            rule=rule.id,
            rules_version=self._rules_version,
            duration_seconds=grant.duration_seconds,
            title=texts.expand_title(grant.title),
            purpose=texts.expand_purpose(grant.purpose),
            owner=grant.owner,
            sensitivity=grant.sensitivity,
            session_policy=policy,
            terminal_role=texts.find_terminal_role(grant),
        )
        self._taken[entitlement.id] = phrase("already granted by %(rule)s", rule=rule.id)
        why = chain(texts.missing)
        return self._without_denied_terminal(GrantOutcome(grant.kind, grant.account, name, entitlement, why))

    def _find_obstacle(self, id_: str, grant: Grant, name: str) -> Said | None:
        denied_by = self._find_denial(grant.kind, grant.account, name)
        if denied_by:
            return phrase("denied by %(rule)s", rule=denied_by)
        return self._taken.get(id_)

    def _fill_policy(self, grant: Grant) -> tuple[str | None, Said | None]:
        """Return the session policy for this person, if the grant has one; or why it has none for this person."""
        if grant.session_policy is None or grant.session_policy.is_literal:
            return (grant.session_policy.text if grant.session_policy else None), None
        return grant.session_policy.fill(self._person.variables)

    def _without_denied_terminal(self, outcome: GrantOutcome) -> GrantOutcome:
        """A terminal assumes this role: whoever is denied the role must not get it by way of the user."""
        entitlement = outcome.entitlement
        if entitlement is None or entitlement.terminal_role is None:
            return outcome
        denied_by = self._find_denial("role", entitlement.account, entitlement.terminal_role)
        if not denied_by:
            return outcome
        without = phrase(
            "without the terminal role %(role)s, which %(rule)s denies", role=entitlement.terminal_role, rule=denied_by
        )
        why = chain(filter(None, (outcome.why, without)))
        return replace(outcome, entitlement=replace(entitlement, terminal_role=None), why=why)

    def _find_denial(self, kind: Kind, account: str, name: str) -> str | None:
        """Return the rule that denies this target, or None."""
        for rule, target in self._denials:
            everything = target.role is None and target.user is None
            denied = target.role if kind == "role" else target.user
            if target.account == account and (everything or denied == name):
                return rule
        return None
