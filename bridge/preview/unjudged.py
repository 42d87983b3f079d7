"""Which rules a preview cannot judge, since what they read was not kept."""

from dataclasses import dataclass

from bridge.entitlements.rules import RuleSet, build_rule_set


@dataclass(frozen=True)
class Unjudged:
    """A rule that looked at less than it would at a sign-in."""

    rule: str
    claims: tuple[str, ...]
    """What it reads and what is not kept; empty: it may read any claim."""


def find_unjudged(before: RuleSet, after: RuleSet, kept_claims: frozenset[str] | None) -> tuple[Unjudged, ...]:
    """Return the rules of both sets that read more than ``kept_claims`` (None: every claim is kept).

    A rule that stays the same counts as well: whether a new denial takes something from somebody depends on it.
    """
    if kept_claims is None:
        return ()
    found: dict[str, Unjudged] = {}
    for rules in (before, after):
        for rule in rules.rules:
            read = build_rule_set("", [rule], rules.groups_claims, rules.schemas).claims_read
            if read is None:
                found[rule.id] = Unjudged(rule.id, ())
            elif read - kept_claims:
                found[rule.id] = Unjudged(rule.id, tuple(sorted(read - kept_claims)))
    return tuple(found[name] for name in sorted(found))
