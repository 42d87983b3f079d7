"""What every hostile case is: the number of its threat, its name, and the refusal that it must get.

A case spoils one thing in an honest message. That message, unspoiled, is its twin: it must be accepted, so that nothing
else can be what is refused. How a message is made, and where it arrives, is for the kinds of cases in ``saml/`` and
``oidc/`` to say.
"""

from dataclasses import dataclass

from bridge.errors import BridgeError


@dataclass(frozen=True)
class Case:
    """One hostile message."""

    threat: str
    """Its number in docs/threats.md."""
    name: str
    """What is wrong with it."""
    error: type[BridgeError]
    """The refusal, where only what the case spoils is wrong."""

    @property
    def id(self) -> str:
        """What names the case in reports and tests: ``T-OIDC-02[psychic signature]``."""
        return f"T-{self.threat}[{self.name}]"

    def __str__(self) -> str:
        return self.id
