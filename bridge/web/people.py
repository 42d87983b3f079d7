"""A person as the pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.identity.verified import VerifiedIdentity
from bridge.web.access import Access


@dataclass(frozen=True)
class Person:
    """What a page says of who is signed in."""

    name: str
    email: str
    provider_title: str


def describe_person(identity: VerifiedIdentity, provider_titles: Mapping[str, str]) -> Person:
    """Return the person behind an identity; the subject stands in for a name that no claim gives."""
    return Person(identity.name, identity.email, provider_titles.get(identity.provider, identity.provider))


def describe_signed_in(access: Access, provider_titles: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``base.html`` shows of whoever is signed in: who they are, and the areas that would open to them.

    Raises:
        SessionError: nobody is signed in.
        StoreUnavailable: the session cannot be looked up.
    """
    session = access.require_session()
    return {
        "person": describe_person(session.identity, provider_titles),
        "csrf_token": session.csrf_token,
        "administrator": access.is_administrator(),
        "auditor": access.is_auditor(),
    }
