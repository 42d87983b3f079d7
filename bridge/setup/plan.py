"""The difference between what an account must have and what it has: what to create, to change, and to leave."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bridge.setup.desired import Desired, OIDCProvider, Role, SAMLProvider
from bridge.setup.existing import Existing
from bridge.setup.metadata import describe_metadata, same_metadata
from bridge.setup.trust import find_losses, show

Action = Literal["create", "change", "leave", "blocked"]
Entity: TypeAlias = SAMLProvider | OIDCProvider | Role | str
"""A text is a RAM user's name."""

SYMBOLS: dict[Action, str] = {"create": "+", "change": "~", "leave": "=", "blocked": "!"}


@dataclass(frozen=True)
class Step:
    """One entity, and what becomes of it."""

    action: Action
    kind: str
    """In words, such as ``role``."""
    name: str
    entity: Entity
    before: Entity | None = None
    """As RAM has it."""
    details: tuple[str, ...] = ()
    """What changes, line by line."""
    losses: tuple[str, ...] = ()
    """What somebody may do today and then no longer, or a condition that goes: a person must have seen it."""


@dataclass(frozen=True)
class Plan:
    """All steps of one account, in the order in which they are to be taken."""

    steps: tuple[Step, ...]

    @property
    def changes(self) -> tuple[Step, ...]:
        """Return the steps that change something."""
        return tuple(step for step in self.steps if step.action in {"create", "change"})

    @property
    def blocked(self) -> tuple[Step, ...]:
        """Return what differs and cannot be changed by us."""
        return tuple(step for step in self.steps if step.action == "blocked")

    @property
    def losses(self) -> tuple[str, ...]:
        """Return everything that a person must have seen."""
        return tuple(f"{step.kind} {step.name}: {loss}" for step in self.steps for loss in step.losses)


def compare(desired: Desired, existing: Existing) -> Plan:
    """Return the plan: providers first, since trust policies name them."""
    return Plan(tuple(_steps(desired, existing)))


def _steps(desired: Desired, existing: Existing) -> Iterator[Step]:
    if desired.saml_provider:
        yield _compare_saml_provider(desired.saml_provider, existing.saml_provider)
    if desired.oidc_provider:
        yield _compare_oidc_provider(desired.oidc_provider, existing.oidc_provider)
    for role in desired.roles:
        yield _compare_role(role, existing.roles.get(role.name))
    for user in desired.users:
        known = user in existing.users
        yield Step("leave" if known else "create", "user", user, user, user if known else None)


def _compare_saml_provider(wanted: SAMLProvider, found: SAMLProvider | None) -> Step:
    kind = "SAML provider"
    if found is None:
        return Step("create", kind, wanted.name, wanted, details=tuple(describe_metadata(wanted.metadata)))
    details = []
    if not same_metadata(wanted.metadata, found.metadata):
        details += _diff(describe_metadata(found.metadata), describe_metadata(wanted.metadata)) or [
            "the metadata document differs from ours"
        ]
    if wanted.signature_algorithm != found.signature_algorithm:
        details.append(f"signature algorithm: {found.signature_algorithm} -> {wanted.signature_algorithm}")
    return Step("change" if details else "leave", kind, wanted.name, wanted, found, tuple(details))


def _compare_oidc_provider(wanted: OIDCProvider, found: OIDCProvider | None) -> Step:
    kind = "OIDC provider"
    if found is None:
        details = [f"issuer: {wanted.issuer}", f"client IDs: {', '.join(wanted.client_ids)}"]
        details += [f"fingerprint: {each}" for each in wanted.fingerprints]
        return Step("create", kind, wanted.name, wanted, details=tuple(details))
    if found.issuer != wanted.issuer:
        details = [
            f"issuer: {found.issuer}, and ours is {wanted.issuer}",
            "RAM cannot change an issuer: delete this provider by hand, or name another one as `oidc_provider`",
        ]
        return Step("blocked", kind, wanted.name, wanted, found, tuple(details))
    missing = _missing(wanted, found)
    return Step("change" if missing else "leave", kind, wanted.name, wanted, found, missing)


def _missing(wanted: OIDCProvider, found: OIDCProvider) -> tuple[str, ...]:
    """What else RAM lists is left: nothing is ever taken away, and trust policies name the audience."""
    known = {each.lower() for each in found.fingerprints}
    client_ids = [f"+ client ID {each}" for each in wanted.client_ids if each not in found.client_ids]
    return (*client_ids, *(f"+ fingerprint {each}" for each in wanted.fingerprints if each.lower() not in known))


def _compare_role(wanted: Role, found: Role | None) -> Step:
    if found is None:
        details = [*show(wanted.trust), f"maximum session: {wanted.max_session_seconds} s", "policies: none yet"]
        return Step("create", "role", wanted.name, wanted, details=tuple(details))
    details = _diff(show(found.trust), show(wanted.trust)) if found.trust != wanted.trust else []
    if found.max_session_seconds != wanted.max_session_seconds:
        details.append(f"maximum session: {found.max_session_seconds} -> {wanted.max_session_seconds} s")
    losses = tuple(find_losses(found.trust, wanted.trust))
    return Step("change" if details else "leave", "role", wanted.name, wanted, found, tuple(details), losses)


def _diff(before: Sequence[str], after: Sequence[str]) -> list[str]:
    return list(difflib.unified_diff(before, after, "in RAM", "ours", lineterm="", n=2))
