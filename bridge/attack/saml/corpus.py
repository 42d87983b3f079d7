"""How a hostile SAML case is written down: one function that spoils one thing in a valid message.

``policy`` is what a case needs of the provider's settings: a case about an assertion that must be encrypted says
nothing where the settings do not ask for that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.attack.case import Case
from bridge.attack.saml.messages import PASSWORD, Draft, make_provider
from bridge.errors import IdentityError
from bridge.identity.providers import SAMLProvider

CASES: list["ResponseCase"] = []

Spoil = Callable[[Draft], Any]

_OF_A_THREAT: dict[str, dict[str, Any]] = {
    "SAML-20": {"clock_skew_seconds": 60, "max_authentication_age_seconds": 43_200}
}
"""What decides whether the messages of a threat are hostile at all: here, what is too late."""


@dataclass(frozen=True)
class ResponseCase(Case):
    """One hostile response."""

    spoil: Spoil
    settings: Mapping[str, Any]
    """What the valid message is, where it is not the usual; what can be called is called for each message."""
    policy: Mapping[str, Any]
    """Settings of the provider without which the message would not be hostile, or its twin not acceptable."""

    def needs(self, configured: SAMLProvider) -> Mapping[str, Any]:
        """Return the settings with which the case is tried, where those that are configured say nothing about it."""
        encrypted = self.settings.get("encryption") is not None
        if configured.encryption == ("refuse" if encrypted else "require"):
            return {"encryption": "allow", **self.policy}
        return self.policy

    def draft(self, configured: SAMLProvider | None = None) -> Draft:
        """Return the valid message that this case spoils, as it is under these settings."""
        settings = {name: value() if callable(value) else value for name, value in self.settings.items()}
        if configured is None:
            provider = make_provider(**self.policy)
            return Draft(**{"provider": provider, **settings})
        provider = make_provider(configured, **self.needs(configured))
        draft = Draft(**_adapt(settings, provider))
        if provider.name_id_format is not None:
            draft.find("//saml:NameID").set("Format", provider.name_id_format)
        return draft


def _adapt(settings: dict[str, Any], provider: SAMLProvider) -> dict[str, Any]:
    """Let the valid message have what this provider's settings ask of every message."""
    signed = settings.get("signed", "assertion")
    if provider.signed not in {"any", signed}:
        signed = "both"
    contexts = provider.requested_authn_contexts
    context = settings.get("context", PASSWORD)
    if contexts and context not in contexts:
        context = contexts[0]
    our_name = next((ours for ours, theirs in provider.claims.items() if theirs == "groups"), "groups")
    groups = {"groups": ("platform",)} if our_name in provider.single_valued else {}
    return {**groups, **settings, "provider": provider, "signed": signed, "context": context}


def hostile(
    threat: str, error: type[IdentityError], *, policy: Mapping[str, Any] | None = None, **settings: Any
) -> Callable[[Spoil], Spoil]:
    """Register a function as a hostile case."""

    def register(spoil: Spoil) -> Spoil:
        CASES.append(ResponseCase(threat, spoil.__name__, error, spoil, settings, _find_policy(threat, policy)))
        return spoil

    return register


def hostile_table(
    threat: str,
    error: type[IdentityError],
    rows: Mapping[str, Any],
    *,
    policy: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Callable[[Any], Any]:
    """Register one case for each named row: near misses that one function spoils with different values."""

    def register(spoil: Any) -> Any:
        for name, value in rows.items():

            def spoil_with(draft: Draft, value: Any = value) -> None:
                spoil(draft, value)

            name_of_row = f"{spoil.__name__}:{name}"
            CASES.append(ResponseCase(threat, name_of_row, error, spoil_with, settings, _find_policy(threat, policy)))
        return spoil

    return register


def _find_policy(threat: str, policy: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {**_OF_A_THREAT.get(threat, {}), **(policy or {})}
