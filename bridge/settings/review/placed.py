"""A compiled rule together with the place where it is written."""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.entitlements.rules import Rule, RuleDocument, RuleSet
from bridge.errors import Problem
from bridge.yaml_documents import Loc, Positions


@dataclass(frozen=True)
class PlacedRule:
    """One rule, its place, and its number in the order of all rules."""

    number: int
    rule: Rule
    positions: Positions
    loc: Loc

    def locate_grant(self, number: int) -> Loc:
        """Return where the compiled grant of this number is written: one entry may stand for several grants."""
        return (*self.loc, "grant", self.rule.grants[number].entry)

    def warn(self, loc: Loc, message: str, fix: str, kind: str, *, at_key: bool = False) -> Problem:
        """Build a warning about this rule; ``loc`` is a place in its file."""
        return self.positions.problem(loc, message, fix, severity="warning", at_key=at_key, kind=kind)

    @property
    def title(self) -> str:
        """What other findings call this rule: where it stands, and its name."""
        return f"`{self.rule.id}` (line {self.rule.line})"


def place_rules(documents: Iterable[RuleDocument], compiled: RuleSet) -> tuple[PlacedRule, ...]:
    """Return each compiled rule with its place in the documents that it was compiled from."""
    ordered = sorted(documents, key=lambda document: document.positions.file.name)
    written = [(document.positions, number) for document in ordered for number, _ in document.entries]
    return tuple(
        PlacedRule(place, rule, positions, ("rules", number))
        for place, (rule, (positions, number)) in enumerate(zip(compiled.rules, written, strict=True))
    )
