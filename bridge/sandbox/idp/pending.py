"""A verified question of a relying party that waits for the person to sign in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from bridge.clock import Clock
from bridge.sandbox.idp.memory import Memory
from bridge.sandbox.idp.oidc.authorization import AuthorizationRequest
from bridge.sandbox.idp.saml.authn_request import AuthnRequest
from bridge.sandbox.idp.sessions import Session

LIFETIME = timedelta(minutes=10)

Question: TypeAlias = AuthnRequest | AuthorizationRequest


@dataclass(frozen=True)
class Pending:
    """What was asked, and what the person must be told meanwhile."""

    question: Question
    application: str
    """What the sign-in page calls the one who asks."""
    login_hint: str
    asked_at: datetime

    @property
    def protocol(self) -> Literal["saml", "oidc"]:
        """Which side asked: the name of the blueprint that answers."""
        return "saml" if isinstance(self.question, AuthnRequest) else "oidc"

    def is_answered_by(self, session: Session | None, now: datetime) -> bool:
        """Return whether the session is as fresh as the question demands (``ForceAuthn``, ``prompt``, ``max_age``)."""
        if session is None:
            return False
        if self.question.demands_fresh_sign_in:
            return session.authenticated_at >= self.asked_at
        maximum_age = self.question.maximum_age
        return maximum_age is None or now - session.authenticated_at <= maximum_age


class PendingQuestions(Memory[Pending]):
    """All questions that wait."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        super().__init__(clock, LIFETIME)
