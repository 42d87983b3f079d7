"""What is missing for an entitlement: the smallest change after which the real decision grants it.

A change is proposed from the conditions that do not hold, and believed only when :func:`~bridge.entitlements.resolve`
grants the entitlement after it, and after no part of it. It decides nothing itself.

What a person is told of it is what they can do without anybody else, under rules that name them in everything else
(:func:`list_own_changes`): whatever else is missing says which rules and groups there are, and is for the record alone.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, islice, product

from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.matching import Finding, is_group_id
from bridge.entitlements.near_miss import Sent
from bridge.entitlements.resolve import Resolution, RuleOutcome
from bridge.entitlements.rules import Requirement, Rule
from bridge.entitlements.steps import (
    FewerGroups,
    FreshSignIn,
    Group,
    LongerRule,
    Mapping,
    OtherNetwork,
    OtherTime,
    Situation,
    Step,
    StrongerSignIn,
)

OWN_CONDITIONS = frozenset({"hours", "networks", "strength", "age"})
"""What a person can meet by themself."""
_BY_CLAIMS = frozenset({"provider", "groups", "not_groups", "claims"})
"""What nothing that they do alone changes."""
MAX_RULES, MAX_STEPS = 20, 4
MAX_DECISIONS = 200
"""How often the decision is asked in one search. Who needs more than this is told to ask."""
_ORDER = (Mapping, Group, FewerGroups, LongerRule, OtherTime, OtherNetwork, StrongerSignIn, FreshSignIn)
"""In this order steps are carried out, the sign-in last: by then it may have grown old."""


@dataclass(frozen=True)
class SmallestChange:
    """Steps that together give an entitlement; none of them can be left out."""

    entitlement: Entitlement
    """What the rules grant after them."""
    steps: tuple[Step, ...]

    @property
    def own(self) -> bool:
        """Whether the person needs nobody else for it."""
        return all(step.own for step in self.steps)

    def carry_out(self, situation: Situation) -> Situation:
        """Return the situation after all steps."""
        return _carry_out(situation, self.steps)

    def describe(self) -> str:
        """Return it for a record: no claims but the names of groups that rules ask for."""
        return f"{self.entitlement.rule} would grant it after: {', '.join(map(_describe, self.steps))}"


def list_own_changes(situation: Situation) -> tuple[SmallestChange, ...]:
    """Return what the person can get without anybody else, each with the smallest change, in the order of the rules.

    Only rules of which everything else holds are looked at, so it tells nothing of what is not meant for the person.
    """
    resolution = situation.resolve()
    looked_at = _pair(resolution, situation)
    named = [rule for rule, outcome in looked_at if _is_otherwise_met(rule, outcome, situation)]
    held = frozenset(entitlement.id for entitlement in resolution.entitlements)
    search = _Search(situation, _keep(situation, _leave_out(looked_at, held)), held)
    found: dict[str, SmallestChange] = {}
    for rule in named:
        for change in search.find(_propose(rule, situation)):
            known = found.get(change.entitlement.id)
            if known is None or len(change.steps) < len(known.steps):
                found[change.entitlement.id] = change
    return tuple(found.values())


def find_smallest_change(situation: Situation, wanted: str) -> SmallestChange | None:
    """Return the smallest change that gives the entitlement with this id; None where none is known.

    What the person can do alone comes before what others have to do; then the fewest steps.
    """
    if situation.identity.provider not in situation.rules.groups_claims:
        return None
    # What else somebody holds changes nothing here, and would let the time tell whether there is such a role (WEB-15).
    about = tuple(rule for rule in situation.rules.rules if rule.denials or _may_grant(rule, wanted))
    few = _keep(situation, about)
    search = _Search(situation, few, few.list_granted())
    changes = (
        change
        for rule in islice((rule for rule in about if _may_grant(rule, wanted)), MAX_RULES)
        for change in search.find(_propose(rule, situation))
        if change.entitlement.id == wanted
    )
    return min(changes, key=lambda change: (not change.own, len(change.steps)), default=None)


def _may_grant(rule: Rule, wanted: str) -> bool:
    return any(grant.id in {None, wanted} for grant in rule.grants)


@dataclass
class _Search:
    """Asks the decision after changes; what it was asked before it knows."""

    situation: Situation
    few: Situation
    """The same with the rules that matter alone."""
    held: Container[str]
    """The ids of what is granted without any change."""
    _known: dict[frozenset[Step], dict[str, Entitlement]] = field(default_factory=dict)
    _ways: dict[Step, tuple[Step, ...]] = field(default_factory=dict)
    _asked: int = 1
    """The decision about now is the first."""

    def find(self, steps: Iterable[Step]) -> Iterator[SmallestChange]:
        """Yield what each smallest part of the steps gives."""
        ordered = _order(steps)
        if not 0 < len(ordered) <= MAX_STEPS:
            return
        given: set[str] = set()
        for size in range(1, len(ordered) + 1):
            granted = [(part, self._ask(part)) for part in combinations(ordered, size)]
            for part, entitlements in granted:
                for id_, entitlement in entitlements.items():
                    if id_ not in given:
                        yield SmallestChange(entitlement, part)
            given.update(id_ for _, entitlements in granted for id_ in entitlements)

    def _ask(self, steps: tuple[Step, ...]) -> dict[str, Entitlement]:
        """Return what the steps add, whatever address or method of several it is."""
        key = frozenset(steps)
        if key not in self._known:
            self._known[key] = self._try_each_way(steps)
        return self._known[key]

    def _try_each_way(self, steps: tuple[Step, ...]) -> dict[str, Entitlement]:
        ways = product(*map(self._list_ways, steps))
        added = self._decide(next(ways))
        for way in ways:
            if not added:  # what one way does not add, no other can make up for
                break
            other = self._decide(way)
            added = {id_: each for id_, each in added.items() if id_ in other}
        return added

    def _list_ways(self, step: Step) -> tuple[Step, ...]:
        if step not in self._ways:
            self._ways[step] = step.list_ways(self.situation)
        return self._ways[step]

    def _decide(self, steps: tuple[Step, ...]) -> dict[str, Entitlement]:
        self._asked += 1
        if self._asked > MAX_DECISIONS:
            return {}
        granted = _carry_out(self.few, steps).list_granted()
        return {id_: each for id_, each in granted.items() if id_ not in self.held}


def _carry_out(situation: Situation, steps: Iterable[Step]) -> Situation:
    for step in steps:
        situation = step.carry_out(situation)
    return situation


def _order(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(sorted(dict.fromkeys(steps), key=lambda step: _ORDER.index(type(step))))


def _pair(resolution: Resolution, situation: Situation) -> list[tuple[Rule, RuleOutcome]]:
    """Return the rules that could concern the person, each with what became of it."""
    by_id = {rule.id: rule for rule in situation.rules.rules}
    return [(by_id[outcome.rule], outcome) for outcome in resolution.explanations]


def _is_otherwise_met(rule: Rule, outcome: RuleOutcome, situation: Situation) -> bool:
    """Return whether a rule grants, and everything of it holds but what the person can change alone."""
    if outcome.applied or rule.denials or not _is_own(outcome.findings):
        return False
    return _is_own(situation.look_at(rule))


def _keep(situation: Situation, rules: tuple[Rule, ...]) -> Situation:
    return replace(situation, rules=replace(situation.rules, rules=rules), few=True)


def _leave_out(looked_at: Iterable[tuple[Rule, RuleOutcome]], held: Container[str]) -> tuple[Rule, ...]:
    """Return the rules without those that can add nothing to what is held, whatever the person does alone.

    They are most rules of somebody who holds much, and would be decided about again for each part of each change.
    """
    return tuple(
        rule
        for rule, outcome in looked_at
        if rule.denials
        or (
            not any(finding.holds is not True and finding.condition in _BY_CLAIMS for finding in outcome.findings)
            and any(grant.id not in held for grant in rule.grants)
        )
    )


def _is_own(findings: Iterable[Finding]) -> bool:
    return all(finding.holds is True or finding.condition in OWN_CONDITIONS for finding in findings)


def _propose(rule: Rule, situation: Situation) -> list[Step]:
    """Return a step for each condition that does not hold, as far as one is known: the decision says if they do."""
    steps: list[Step] = []
    for finding in situation.look_at(rule):
        if finding.holds is not True:
            steps += _propose_own(finding, rule, situation)
            steps += _propose_for_others(finding, rule, situation)
    if rule.require and rule.require.max_age_seconds and any(isinstance(step, OtherTime) for step in steps):
        steps.append(FreshSignIn(rule.require.max_age_seconds))  # by then this sign-in may be too old
    return steps


def _propose_own(finding: Finding, rule: Rule, situation: Situation) -> Iterator[Step]:
    match finding.condition:
        case "hours":
            if rule.hours and (at := rule.hours.find_next(situation.now)):
                yield OtherTime(at, rule.hours.zone.key)
        case "networks":
            yield OtherNetwork(rule.networks)
        case "strength":
            protocol = situation.identity.protocol
            if rule.require and rule.require.can_be_met_by(protocol):
                yield _strengthen(rule.require, protocol)
        case "age" if rule.require and rule.require.max_age_seconds:
            yield FreshSignIn(rule.require.max_age_seconds)


def _propose_for_others(finding: Finding, rule: Rule, situation: Situation) -> Iterator[Step]:
    groups_claim = situation.rules.groups_claims[situation.identity.provider]
    match finding.condition:
        case "expires":
            yield LongerRule(rule.id)
        case "groups":
            yield from _propose_group(finding, rule.groups, groups_claim, situation)
        case "not_groups" if finding.holds is False:
            yield FewerGroups(groups_claim, rule.not_groups, rule.ignore_case)
        case "not_groups":
            yield Mapping(groups_claim)
        case "claims":
            yield from (Mapping(name, min(values)) for name, values in rule.claims if finding.claims == (name,))
        case "when" if rule.when:
            for name, values in rule.when.required:
                yield Group(name, min(values)) if name == groups_claim else Mapping(name, min(values))


def _strengthen(require: Requirement, protocol: str) -> Step:
    """SAML states no methods, so there only contexts can be shown."""
    return StrongerSignIn((require.amr or ()) if protocol == "oidc" else (), require.acr or ())


def _propose_group(
    finding: Finding, wanted: Iterable[str], claim: str, situation: Situation
) -> Sequence[Group | Mapping]:
    identity = situation.identity
    schema = situation.rules.schemas.get(identity.provider)
    ids = schema.group_ids if schema else False
    fitting = sorted(group for group in wanted if is_group_id(group) is ids)
    if not fitting:
        return ()
    miss = Sent(identity.claims).explain(claim, fitting)
    near = miss.wanted if miss.is_near and miss.wanted in fitting else ""
    if near or finding.holds is None:
        return (Mapping(claim, near or fitting[0]),)
    return (Group(claim, fitting[0]),)


def _describe(step: Step) -> str:
    match step:
        case OtherTime(at=at):
            return f"{step.kind} {at:%Y-%m-%dT%H:%M:%SZ}"
        case Group(group=group):
            return f"{step.kind} {group}"
        case FewerGroups(groups=groups):
            return f"{step.kind} {' '.join(sorted(groups))}"
        case Mapping(claim=claim):
            return f"{step.kind} {claim}"
    return step.kind
