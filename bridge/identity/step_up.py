"""A question to somebody who is signed in already: sign in again, more strongly or more recently.

What is asked for is a wish to the provider. Its answer is verified against the same wish, and the rules then decide
by what the answer shows. SAML Core 3.3.2.2.1, 3.4.1; OpenID Connect Core 3.1.2.1; threat OUT-04.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.identity.providers import OIDCProvider, Provider, SAMLProvider
from bridge.identity.verified import VerifiedIdentity


@dataclass(frozen=True)
class StepUp:
    """Who is asked, for the sake of what, and what the answer must show."""

    entitlement: str
    """The id of the entitlement that the person wants."""
    issuer: str
    subject: str
    acr: tuple[str, ...] = ()
    """The authentication contexts to ask for, any of which is enough."""
    max_age_seconds: int | None = None
    """How long ago the person may have authenticated."""

    @property
    def anew(self) -> bool:
        """Whether the person must authenticate once more, whatever session the provider has.

        Also where nothing better can be asked for: at a new sign-in the person may choose a stronger method.
        """
        return self.max_age_seconds is not None or not self.acr

    def is_for(self, identity: VerifiedIdentity) -> bool:
        """Return whether the identity is the person who was asked."""
        return (identity.issuer, identity.subject) == (self.issuer, self.subject)


def plan_step_up(
    entitlement: str,
    identity: VerifiedIdentity,
    provider: Provider,
    *,
    acr: Sequence[str],
    max_age_seconds: int | None,
) -> StepUp:
    """Return what to ask the person's own provider, of the contexts those that its settings say it knows."""
    known = tuple(context for context in acr if context in provider.step_up_contexts)
    return StepUp(entitlement, identity.issuer, identity.subject, known, max_age_seconds)


def tighten_saml(provider: SAMLProvider, step_up: StepUp | None) -> SAMLProvider:
    """Return the settings for this one question and its answer."""
    if step_up is None:
        return provider
    update: dict[str, Any] = {"requested_authn_contexts": step_up.acr} if step_up.acr else {}
    if step_up.anew:
        update["force_authn"] = True
    return provider.model_copy(update=update)


def tighten_oidc(provider: OIDCProvider, step_up: StepUp | None) -> OIDCProvider:
    """Return the settings for this one question and its answer; ``auth_time`` is required where an age is asked for."""
    if step_up is None:
        return provider
    update: dict[str, Any] = {}
    if step_up.acr:
        update["acr_values"] = step_up.acr
        update["required_acr"] = (*provider.required_acr, *step_up.acr) if provider.required_acr else ()
    if step_up.max_age_seconds is not None:
        update["max_age_seconds"] = min(step_up.max_age_seconds, provider.max_age_seconds or step_up.max_age_seconds)
    if step_up.anew:
        update["prompt"] = "login"
    return provider.model_copy(update=update)
