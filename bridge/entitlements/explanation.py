"""Why somebody gets what they get, and why not the rest: the outcomes of the decision itself, in plain words.

:func:`explain` asks :func:`~bridge.entitlements.resolve.resolve` about every rule and puts each outcome into one
sentence that names the rule and the claim that decided. How near a condition came is worked out beside that
(``near_miss.py``, ``conjuncts.py``) and decides nothing. The sentences quote claims, so they are for administrators
alone, and never for a record. They are in the language that is spoken while they are made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from bridge.entitlements.expressions import Expression, Variables, bind_variables
from bridge.entitlements.lookalikes import make_visible, quote
from bridge.entitlements.matching import ClaimSchema, ClaimType, Finding, Texts, fold_case, has_type, read_texts
from bridge.entitlements.near_miss import Sent
from bridge.entitlements.resolve import GrantOutcome, Resolution, RuleOutcome, resolve
from bridge.entitlements.rules import Grant, Requirement, Rule, RuleSet, Target
from bridge.entitlements.spans import describe_span
from bridge.identity.verified import Claim, VerifiedIdentity
from bridge.language import Alternatives, list_texts, mark, translate

Standing: TypeAlias = Literal["grants", "denies", "withheld", "reach", "near", "missed"]
"""What became of a rule: ``withheld`` applied and gave nothing, ``reach`` lacks another sign-in, ``near`` is a near
miss."""

MAX_LISTED = 3
MAX_EXPRESSIONS = 100
"""Of how many rules the expression is taken apart; the others are said to be false as a whole."""
_SOURCES = {
    "provider": "provider",
    "strength": "acr",
    "age": "authenticated_at",
    "networks": "source_address",
    "hours": "time",
    "expires": "time",
}
"""What a condition reads that reads no claim."""


@dataclass(frozen=True)
class Reason:
    """The one thing that decided."""

    kind: str
    """What is wrong with it: a kind of :mod:`~bridge.entitlements.near_miss`, or a condition's name, ``denied``,
    ``taken`` (granted already) or ``name``; empty where everything is right."""
    claim: str
    """The claim that decided, or what else a condition reads: ``provider``, ``source_address``, ``time``…"""
    text: str
    near: bool = False
    """Whether somebody probably meant this person."""


@dataclass(frozen=True)
class Given:
    """What became of one grant of a rule that applied, or would apply after another sign-in."""

    outcome: GrantOutcome
    decided_by: str
    """The rule that decided: its own, the one that denies, or the one that granted it first."""
    reason: Reason

    @property
    def what(self) -> str:
        """Return the kind, account and name."""
        return describe_target(self.outcome.kind, self.outcome.account, self.outcome.name)


@dataclass(frozen=True)
class Verdict:
    """What became of one rule, and why."""

    rule: Rule
    outcome: RuleOutcome
    standing: Standing
    decided_by: str
    """The id of the rule that decided: of this one, or of one that took everything that it grants."""
    reason: Reason
    given: tuple[Given, ...]
    concerns: bool
    """Whether the rule could concern this person at all."""
    caution: str = ""
    """Why somebody probably meant to leave this person out, though the rule does not; empty where nothing says so."""

    @property
    def name(self) -> str:
        """Return the rule's name, without its file."""
        return self.rule.id.partition(":")[2]

    @property
    def sentence(self) -> str:
        """Return the whole of it in one sentence."""
        reason = self.reason.text
        match self.standing:
            case "grants":
                return translate("granted by `%(rule)s`: %(reason)s", rule=self.name, reason=reason)
            case "denies":
                what = describe_targets(self.rule.denials)
                return translate("`%(rule)s` denies %(what)s: %(reason)s", rule=self.name, what=what, reason=reason)
            case "withheld":
                return translate("not granted, though `%(rule)s` applies: %(reason)s", rule=self.name, reason=reason)
        if self.rule.denials:
            return translate("does not deny: `%(rule)s` %(reason)s", rule=self.name, reason=reason)
        return translate("not granted: `%(rule)s` %(reason)s", rule=self.name, reason=reason)


@dataclass(frozen=True)
class Explanation:
    """What an identity may become at one moment, and of every rule why."""

    identity: VerifiedIdentity
    at: datetime
    source_address: str | None
    resolution: Resolution
    verdicts: tuple[Verdict, ...]
    """One for each rule, in the order of the rules; none if the provider is not configured."""
    notes: tuple[str, ...]
    """What concerns many rules at once."""

    def find(self, standing: Standing) -> tuple[Verdict, ...]:
        """Return the verdicts of one kind, in the order of the rules."""
        return tuple(verdict for verdict in self.verdicts if verdict.standing == standing)

    def find_giver(self, entitlement_id: str) -> Verdict:
        """Return the verdict of the rule that grants an entitlement of the resolution."""
        return next(
            verdict
            for verdict in self.verdicts
            for given in verdict.given
            if verdict.standing == "grants"
            and given.outcome.entitlement
            and given.outcome.entitlement.id == entitlement_id
        )


def explain(
    identity: VerifiedIdentity, rules: RuleSet, now: datetime, source_address: str | None = None
) -> Explanation:
    """Return what the rules grant to this identity at this moment, and of each rule what decided.

    Args:
        identity: the person; nothing here asks who vouches for it.
        rules: the rule set that decides.
        now: the moment; UTC.
        source_address: from where, as the rules' conditions on networks see it.
    """
    resolution = resolve(identity, rules, now, source_address, every_rule=True)
    if not resolution.explanations:
        known = identity.provider in rules.groups_claims
        note = translate(
            "the provider %(provider)s is not configured, so nothing is granted", provider=quote(identity.provider)
        )
        notes = () if known else (note,)
        return Explanation(identity, now, source_address, resolution, (), notes)
    concerned = {each.rule for each in resolve(identity, rules, now, source_address).explanations}
    reasoner = _Reasoner(identity, rules, now, source_address, resolution)
    verdicts = tuple(
        reasoner.judge(rule, outcome, concerns=rule.id in concerned)
        for rule, outcome in zip(rules.rules, resolution.explanations, strict=True)
    )
    return Explanation(identity, now, source_address, resolution, verdicts, tuple(reasoner.find_notes(verdicts)))


def describe_origin(rule: Rule) -> tuple[str, ...]:
    """Return what a rule says of itself: why it is there, and who answers for it."""
    reason = translate("It is there for this reason: %(reason)s", reason=rule.reason) if rule.reason else ""
    owner = translate("Who answers for it: %(owner)s", owner=rule.owner) if rule.owner else ""
    return tuple(text for text in (reason, owner) if text)


def describe_target(kind: str, account: str | None, name: str) -> str:
    """Return a role or RAM user in words, as its kind, account and name."""
    if kind == "role":
        return translate("role %(account)s/%(name)s", account=account, name=name)
    return translate("user %(account)s/%(name)s", account=account, name=name)


def describe_targets(targets: Sequence[Target]) -> str:
    """Return what a rule denies, in words."""
    words = []
    for target in targets:
        if target.role is None and target.user is None:
            words.append(translate("everything in %(account)s", account=target.account))
        else:
            kind, name = ("role", target.role) if target.role is not None else ("user", target.user)
            words.append(describe_target(kind, target.account, name or ""))
    return list_texts(words)


class _Reasoner:
    """Finds what decided, for one identity at one moment."""

    def __init__(
        self,
        identity: VerifiedIdentity,
        rules: RuleSet,
        now: datetime,
        source_address: str | None,
        resolution: Resolution,
    ) -> None:
        self._identity = identity
        self._groups_claim = rules.groups_claims[identity.provider]
        self._groups = read_texts(identity.claims, self._groups_claim)
        self._schema = rules.schemas.get(identity.provider) or ClaimSchema()
        self._now = now
        self._source_address = source_address
        self._sent = Sent(identity.claims)
        self._claims_in_expressions = rules.claims_in_expressions
        self._variables: Variables | None = None
        self._taken_apart = 0
        self._by_id = dict(zip((rule.id for rule in rules.rules), rules.rules, strict=True))
        self._outcomes = {outcome.rule: outcome for outcome in resolution.explanations}

    def judge(self, rule: Rule, outcome: RuleOutcome, *, concerns: bool) -> Verdict:
        grants = outcome.grants or outcome.within_reach
        given = tuple(self._explain_grant(rule, number, each) for number, each in enumerate(grants))
        standing: Standing
        decided_by = rule.id
        if outcome.applied and rule.denials:
            standing, reason = "denies", self._explain_applied(outcome)
        elif outcome.applied and any(each.outcome.entitlement for each in given):
            standing, reason = "grants", self._explain_applied(outcome)
        elif outcome.applied:
            standing, reason, decided_by = "withheld", given[0].reason, given[0].decided_by
        else:
            reason = self._explain_missed(rule, outcome)
            standing = "near" if reason.near else "missed"
            if any(each.outcome.entitlement for each in given):
                standing = "reach"
        caution = self._find_caution(rule, outcome) if given else ""
        return Verdict(rule, outcome, standing, decided_by, reason, given, concerns, caution)

    def _find_caution(self, rule: Rule, outcome: RuleOutcome) -> str:
        """Return which group is spelled almost like one that the rule leaves out (threat MAP-05)."""
        if not any(finding.condition == "not_groups" and finding.holds for finding in outcome.findings):
            return ""
        miss = self._sent.explain(self._groups_claim, rule.not_groups)
        if not miss.is_near or miss.claim != self._groups_claim:
            return ""
        groups = _list_words(rule.not_groups, miss.wanted)
        if rule.ignore_case:
            return translate("but %(sent)s, and this rule leaves out %(groups)s", sent=miss.text, groups=groups)
        return translate(
            "but %(sent)s, and this rule leaves out %(groups)s; groups are compared exactly",
            sent=miss.text,
            groups=groups,
        )

    def find_notes(self, verdicts: Sequence[Verdict]) -> Iterator[str]:
        if self._identity.protocol == "saml" and self._identity.amr:
            yield translate("nobody can sign in like this: SAML states no `amr`, but an authentication context (`acr`)")
        kinds = {
            "absent": mark("the provider sent no `%(name)s`: %(number)s rules ask for groups"),
            "empty": mark("the provider sent an empty `%(name)s`: %(number)s rules ask for groups"),
            "overage": mark("the provider did not send all of `%(name)s`: %(number)s rules ask for groups"),
        }
        for kind, message in kinds.items():
            count = sum(
                verdict.reason.kind == kind and verdict.reason.claim == self._groups_claim for verdict in verdicts
            )
            if count > 1:
                yield translate(message, name=self._groups_claim, number=count)

    def _explain_applied(self, outcome: RuleOutcome) -> Reason:
        """Return why a rule applies. One that denies applies also where that cannot be ruled out."""
        undecided = next((finding for finding in outcome.findings if finding.holds is None), None)
        if undecided is not None:
            text = translate("it cannot be ruled out, since %(reason)s", reason=make_visible(str(undecided.why)))
            return Reason("undecided", self._find_source(undecided), text)
        claim = next((each for each in outcome.findings if each.claims), None) or next(iter(outcome.findings), None)
        return Reason(
            "", self._find_source(claim) if claim else "", str(outcome.why or translate("it is for everybody"))
        )

    def _explain_grant(self, rule: Rule, number: int, grant: GrantOutcome) -> Given:
        if grant.entitlement is not None:
            return Given(grant, rule.id, Reason("", "", str(grant.why or "")))
        what = describe_target(grant.kind, grant.account, grant.name)
        decided_by = self._find_rule_named(grant.reason)
        if decided_by is None:
            return Given(grant, rule.id, self._explain_text(rule.grants[number], grant))
        other = self._explain_applied(self._outcomes[decided_by])
        name = decided_by.partition(":")[2]
        if self._by_id[decided_by].denials:
            text = translate("%(what)s is denied by `%(rule)s`: %(reason)s", what=what, rule=name, reason=other.text)
            return Given(grant, decided_by, Reason("denied", other.claim, text))
        text = translate("%(what)s is granted already, by `%(rule)s`", what=what, rule=name)
        if grant.reason.startswith("held by "):
            text = translate(
                "%(what)s is granted already, by `%(rule)s`, though it gives nothing to this person",
                what=what,
                rule=name,
            )
        return Given(grant, decided_by, Reason("taken", other.claim, text))

    def _explain_text(self, written: Grant, grant: GrantOutcome) -> Reason:
        """Return why no name, or no session policy, came of the person's claims."""
        of_name = grant.name == written.name.text and not written.name.is_literal
        policy = () if written.session_policy is None else tuple(written.session_policy.iterate_expressions())
        parts = [part for part in written.name.parts if isinstance(part, Expression)] if of_name else policy
        claim = next((name for part in parts for name in part.claims), "")
        reason = make_visible(str(grant.why or ""))
        if not of_name:
            what = describe_target(grant.kind, grant.account, grant.name)
            return Reason("policy", claim, translate("%(what)s: %(reason)s", what=what, reason=reason))
        if grant.kind == "role":
            text = translate("role in %(account)s: %(reason)s", account=grant.account, reason=reason)
        else:
            text = translate("user in %(account)s: %(reason)s", account=grant.account, reason=reason)
        return Reason("name", claim, text)

    def _find_rule_named(self, reason: str) -> str | None:
        """Return the rule that a grant's reason names, if it is the work of another one."""
        for words in ("denied by ", "already granted by ", "held by "):
            if reason.startswith(words):
                return reason.removeprefix(words).partition(", whose")[0]
        return None

    def _explain_missed(self, rule: Rule, outcome: RuleOutcome) -> Reason:
        """Return why a rule does not apply: the first condition that keeps it from that."""
        decided = [each for each in outcome.findings if each.holds is False]
        open_ones = [] if rule.denials else [each for each in outcome.findings if each.holds is None]
        failed = [each for each in outcome.findings if each in decided or each in open_ones]
        reason = self._explain_condition(rule, failed[0])
        if len(failed) > 1 and failed[0].about_sign_in:
            further = self._explain_condition(rule, failed[1])
            text = translate("%(first)s, and %(second)s", first=reason.text, second=further.text)
            return Reason(reason.kind, reason.claim, text, reason.near)
        return reason

    def _explain_condition(self, rule: Rule, finding: Finding) -> Reason:  # noqa: PLR0911  one for each condition
        match finding.condition:
            case "groups":
                return self._explain_groups(rule)
            case "claims" if not has_type(self._identity.claims.get(finding.claims[0]), self._find_type(finding)):
                name, declared = finding.claims[0], self._find_type(finding)
                text = translate(
                    "needs `%(name)s` to be of the type %(type)s (`claim_types`), and the provider sent another one",
                    name=name,
                    type=declared,
                )
                return Reason("type", name, text, near=True)
            case "claims" if finding.claims[0] in dict(rule.claims):
                return self._explain_claim(finding.claims[0], dict(rule.claims)[finding.claims[0]])
            case "provider" if rule.providers:
                text = translate(
                    "is for the provider %(providers)s; this one is %(provider)s",
                    providers=_list_words(rule.providers),
                    provider=quote(self._identity.provider),
                )
                return Reason("provider", "provider", text, bool(rule.groups or rule.claims) and self._is_meant(rule))
            case "when" if rule.when is not None:
                return self._explain_expression(rule, rule.when, finding)
            case "strength" if rule.require is not None:
                return self._explain_strength(rule.require, near=self._is_meant(rule))
            case "age" if rule.require is not None:
                return self._explain_age(rule.require, near=self._is_meant(rule))
        text = translate("does not apply: %(reason)s", reason=finding.why)
        return Reason(finding.condition, self._find_source(finding), text, self._is_meant(rule))

    def _explain_groups(self, rule: Rule) -> Reason:
        if not self._groups.values.isdisjoint(rule.groups):
            sent = _list_words(self._groups.values & rule.groups)
            if self._schema.group_ids:
                text = translate(
                    "needs a group that counts; the provider sent %(sent)s, which is no ID (`groups_are`)", sent=sent
                )
            else:
                text = translate(
                    "needs a group that counts; the provider sent %(sent)s, which is an ID, and not a name "
                    "(`groups_are`)",
                    sent=sent,
                )
            return Reason("kind", self._groups_claim, text, near=True)
        miss = self._sent.explain(self._groups_claim, rule.groups)
        wanted = _list_words(rule.groups, miss.wanted)
        if len(rule.groups) == 1:
            text = translate("needs a group named %(wanted)s; %(sent)s", wanted=wanted, sent=miss.text)
        else:
            text = translate("needs one of the groups %(wanted)s; %(sent)s", wanted=wanted, sent=miss.text)
        return Reason(miss.kind, miss.claim, text, miss.is_near)

    def _explain_claim(self, name: str, values: frozenset[str]) -> Reason:
        miss = self._sent.explain(name, values)
        wanted = _list_words(values, miss.wanted)
        if len(values) == 1:
            text = translate("needs `%(name)s` to be %(wanted)s; %(sent)s", name=name, wanted=wanted, sent=miss.text)
        else:
            text = translate(
                "needs `%(name)s` to be one of %(wanted)s; %(sent)s", name=name, wanted=wanted, sent=miss.text
            )
        return Reason(miss.kind, miss.claim, text, miss.is_near)

    def _find_type(self, finding: Finding) -> ClaimType | None:
        """Return the type that the claim of a finding is declared to have; None also where it is absent."""
        name = finding.claims[0]
        return None if self._identity.claims.get(name) is None else self._schema.types.get(name)

    def _explain_expression(self, rule: Rule, when: Expression, finding: Finding) -> Reason:
        near = bool(rule.groups or rule.claims) and self._is_meant(rule)
        if self._taken_apart < MAX_EXPRESSIONS or near:
            self._taken_apart += 1
            for part in when.split():
                found = part.evaluate(self._bind())
                if found.holds is not True:
                    return self._explain_part(part, found, near=near)
        text = translate("asks for more: %(reason)s", reason=finding.why)
        return Reason("when", self._find_source(finding), text, near)

    def _explain_part(self, part: Expression, finding: Finding, *, near: bool) -> Reason:
        need = _shorten(part.text)
        for claim, texts in part.required:
            miss = self._sent.explain(claim, texts)
            if miss.kind != "value":
                text = translate("needs `%(need)s`; %(sent)s", need=need, sent=miss.text)
                return Reason(miss.kind, miss.claim, text, near or miss.is_near)
        if finding.holds is None:
            return self._explain_undecided(part, finding, need, near=near)
        source = self._find_source(finding) or _name_path(part)
        values = [
            translate("`%(name)s` is %(value)s", name=name, value=_describe(self._identity.claims[name]))
            for name in part.claims
            if name in self._sent.claims
        ]
        absent_ones = [
            translate("there is no `%(name)s`", name=name) for name in part.claims if name not in self._sent.claims
        ]
        seen = list_texts((values + absent_ones)[:MAX_LISTED])
        kind = "absent" if absent_ones and not values else "when"
        if seen:
            text = translate("needs `%(need)s`, which is false: %(seen)s", need=need, seen=seen)
        else:
            text = translate("needs `%(need)s`, which is false", need=need)
        return Reason(kind, source, text, near)

    def _explain_undecided(self, part: Expression, finding: Finding, need: str, *, near: bool) -> Reason:
        absent = next((path for path in sorted(part.paths) if not self._has(path)), None)
        if absent is None:
            reason = _reason_alone(finding)
            text = translate("needs `%(need)s`, which cannot be decided: %(reason)s", need=need, reason=reason)
            return Reason("undecided", self._find_source(finding) or _name_path(part), text, near)
        name = ".".join(absent[1:] or absent)
        if absent[0] == "claims":
            said = translate("the provider sent no `%(name)s`", name=name)
        else:
            said = translate("nothing states `%(name)s`", name=name)
        text = translate("needs `%(need)s`, which cannot be decided: %(reason)s", need=need, reason=said)
        return Reason("absent", name if absent[1:] else name.rpartition(".")[2], text, near)

    def _explain_strength(self, require: Requirement, *, near: bool) -> Reason:
        identity = self._identity
        asked = {name: values for name, values in (("amr", require.amr), ("acr", require.acr)) if values}
        shown = {"amr": tuple(identity.amr), "acr": (identity.acr,) if identity.acr else ()}
        claim = next((name for name in asked if shown[name]), next(iter(asked)))
        ways = [
            translate("%(what)s (%(detail)s)", what=_list_words(values), detail=name) for name, values in asked.items()
        ]
        wanted = Alternatives(tuple(ways))
        if not require.can_be_met_by(identity.protocol):
            text = translate(
                "needs a sign-in by %(wanted)s; SAML states no `amr`, so write `acr` as well", wanted=wanted
            )
            return Reason("strength never stated", claim, text, near)
        if not shown[claim]:
            names = Alternatives(tuple(asked))
            text = translate(
                "needs a sign-in by %(wanted)s; the provider did not state how (%(names)s)", wanted=wanted, names=names
            )
            return Reason("strength not stated", claim, text, near)
        miss = Sent({claim: list(shown[claim])}).explain(claim, (*(require.amr or ()), *(require.acr or ())))
        if miss.is_near and miss.kind in {"case", "blanks", "invisible", "look-alike"}:
            text = translate("needs a sign-in by %(wanted)s; %(sent)s", wanted=wanted, sent=miss.text)
            return Reason(miss.kind, claim, text, near)
        by = _list_words(shown[claim])
        text = translate("needs a sign-in by %(wanted)s; this one was by %(by)s", wanted=wanted, by=by)
        return Reason("strength", claim, text, near)

    def _explain_age(self, require: Requirement, *, near: bool) -> Reason:
        limit = describe_span(require.max_age_seconds or 0)
        if not self._identity.authentication_time_stated:
            text = translate(
                "needs a sign-in at most %(limit)s ago; the provider did not state when this one was", limit=limit
            )
            return Reason("age not stated", "authenticated_at", text, near)
        age = int((self._now - self._identity.authenticated_at).total_seconds())
        if age >= 0:
            text = translate(
                "needs a sign-in at most %(limit)s ago; this one was %(age)s ago", limit=limit, age=describe_span(age)
            )
        else:
            text = translate("needs a sign-in at most %(limit)s ago; this one was in the future", limit=limit)
        return Reason("age", "authenticated_at", text, near)

    def _is_meant(self, rule: Rule) -> bool:
        """Return whether the rule's groups and claims are the person's."""

        def has_one(texts: Texts, wanted: frozenset[str]) -> bool:
            return any((fold_case(value) if rule.ignore_case else value) in wanted for value in texts.values)

        claims = self._identity.claims
        return (not rule.groups or has_one(self._groups, rule.groups)) and all(
            has_one(read_texts(claims, name), values) for name, values in rule.claims
        )

    def _find_source(self, finding: Finding) -> str:
        return finding.claims[0] if finding.claims else _SOURCES.get(finding.condition, "")

    def _bind(self) -> Variables:
        if self._variables is None:
            self._variables = bind_variables(
                self._identity, self._now, self._source_address, self._claims_in_expressions, self._schema
            )
        return self._variables

    def _has(self, path: tuple[str, ...]) -> bool:
        if path == ("identity.acr",):
            return self._identity.acr is not None
        if path == ("request.source_address",):
            return self._source_address is not None
        value: Any = self._identity.claims
        for name in path[1:] if path[0] == "claims" else ():
            if not isinstance(value, Mapping):
                return True
            if name not in value:
                return False
            value = value[name]
        return True


def _list_words(values: Sequence[str] | frozenset[str], first: str = "") -> str:
    """Return some values for people, the one that matters first."""
    ordered = (
        sorted(values, key=lambda value: (value != first, value)) if isinstance(values, frozenset) else list(values)
    )
    words = list_texts(quote(value) for value in ordered[:MAX_LISTED])
    if len(ordered) <= MAX_LISTED:
        return words
    return translate("%(listed)s and %(count)s more", listed=words, count=len(ordered) - MAX_LISTED)


def _name_path(part: Expression) -> str:
    return next((path[-1].rpartition(".")[2] for path in sorted(part.paths)), "")


def _reason_alone(finding: Finding) -> str:
    return make_visible(str(dict(finding.why.values).get("reason", finding.why)))


def _describe(claim: Claim) -> str:
    match claim:
        case str():
            return quote(claim)
        case bool() | int() | float():
            return f"`{str(claim).lower()[:40]}`"
        case list():
            texts = [each for each in claim if isinstance(each, str)]
            return (
                _list_words(texts)
                if texts and len(texts) == len(claim)
                else translate("a list of %(count)s", count=len(claim))
            )
        case dict():
            return translate("an object")
    return "null"


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 120 else f"{flat[:119]}…"  # noqa: PLR2004  one line
