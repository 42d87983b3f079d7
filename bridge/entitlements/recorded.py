"""Which rules decided about a person and why, in words that may stand in the audit log for years.

A record quotes of a claim only what the rule itself says: a value that matched stands in the rule, which is no secret.
Everything else that a provider sent stays out of it (docs/decisions/0087).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from bridge.entitlements.matching import Finding
from bridge.entitlements.resolve import Resolution, RuleOutcome

MAX_RULES = 20
MAX_CHARACTERS = 200
"""What is kept of one reason."""


@dataclass(frozen=True)
class Recorded:
    """The rules that applied: those that deny first, and each with the reason at the same place in ``because``."""

    rules: tuple[str, ...]
    """What the rule did, and its id: ``grants 10-platform.yaml:daily``."""
    because: tuple[str, ...]
    left_out: int
    """How many more applied."""


def summarize(resolution: Resolution) -> Recorded:
    """Return what the record of a decision says of the rules that applied."""
    applied = [outcome for outcome in resolution.explanations if outcome.applied]
    applied.sort(key=lambda outcome: outcome.effect != "deny")
    kept = applied[:MAX_RULES]
    return Recorded(
        rules=tuple(f"{_describe_effect(outcome)} {outcome.rule}" for outcome in kept),
        because=tuple(_cut("; ".join(_iterate_reasons(outcome))) for outcome in kept),
        left_out=len(applied) - len(kept),
    )


def _describe_effect(outcome: RuleOutcome) -> str:
    if outcome.effect == "deny":
        return "denies"
    return "grants" if any(grant.entitlement for grant in outcome.grants) else "withheld"


def _iterate_reasons(outcome: RuleOutcome) -> Iterator[str]:
    yield from (map(_describe, outcome.findings) if outcome.findings else ("everyone",))
    withheld = [grant for grant in outcome.grants if grant.entitlement is None]
    for grant in islice(withheld, MAX_RULES):
        by_rule = grant.reason.startswith(("denied by ", "already granted by ", "held by "))
        yield f"{grant.kind} {grant.account}: {grant.reason if by_rule else 'no name or policy for this person'}"


def _describe(finding: Finding) -> str:
    """Return a condition and what it read; the matching values are those that the rule names."""
    if finding.holds is True and finding.condition in {"groups", "claims"}:
        return finding.reason
    read = _list(finding.claims)
    return f"{finding.condition}{read}" if finding.holds is True else f"{finding.condition}{read} cannot be ruled out"


def _list(claims: Sequence[str]) -> str:
    return f" ({', '.join(claims)})" if claims else ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"
