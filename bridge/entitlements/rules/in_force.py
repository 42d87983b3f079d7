"""The rule set that decides now. It is replaced as a whole, while requests are under way."""

from bridge.entitlements.rules.rule_set import RuleSet


class RulesInForce:
    """Holds the current rule set of one process. Take it once for each decision: the next look may find another."""

    def __init__(self, current: RuleSet) -> None:
        """Take the rule set to begin with."""
        self.current = current
        """Reading and replacing a reference are atomic; a :class:`RuleSet` itself never changes."""
