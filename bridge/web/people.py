"""A person as the pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.identity.verified import VerifiedIdentity


@dataclass(frozen=True)
class Person:
    """What a page says of who is signed in."""

    name: str
    email: str
    provider_title: str


def describe_person(identity: VerifiedIdentity, provider_titles: Mapping[str, str]) -> Person:
    """Return the person behind an identity; the subject stands in for a name that no claim gives."""
    return Person(identity.name, identity.email, provider_titles.get(identity.provider, identity.provider))
