"""``role_policies/ACCOUNT.json``: the policies of an account's roles, as they were read from RAM at one moment.

An operator's command writes it, somebody reviews it as any other configuration, and nothing asks RAM afterwards.
"""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, TypeAdapter, model_validator

from bridge.described import Described
from bridge.exchange.accounts import Name, RAMName

STALE_DAYS = 30
"""After so many days, whoever is told what a role may do is told as well when that was read."""

PolicyName = Annotated[str, Field(pattern=r"^(?:System|Custom)/[A-Za-z0-9._-]{1,128}$")]


class PolicyContent(Described):
    """The default version of one policy."""

    version: str = Field(pattern=r"^v[0-9]{1,6}$")
    """Which version it is."""
    document: dict[str, Any]
    """What it says, in RAM's words."""


class AttachedInGroup(Described):
    """A policy that is attached within a resource group."""

    policy: PolicyName
    resource_group: str = Field(pattern=r"^rg-[A-Za-z0-9]{1,32}$")


class RolePolicies(Described):
    """The policies of an account's roles, at one moment. Written by `rambridge setup policies`."""

    account: Name
    """The account's name, which is the file's name too."""
    account_id: Annotated[str, Field(pattern=r"^[0-9]{6,20}$")]
    """Its UID."""
    read_at: AwareDatetime
    """When RAM was asked."""
    policies: dict[PolicyName, PolicyContent]
    """Each policy that is attached to a role, as `System/NAME` or `Custom/NAME`."""
    roles: dict[RAMName, tuple[PolicyName | AttachedInGroup, ...]]
    """What is attached to each role; a role that is not here is unknown, and one with an empty list may do nothing."""

    @model_validator(mode="after")
    def _check_names(self) -> "RolePolicies":
        """Every policy that a role names is there."""
        missing = sorted(
            {name_policy(each) for attached in self.roles.values() for each in attached} - self.policies.keys()
        )
        if missing:
            raise ValueError(f"`policies` lacks {', '.join(missing)}")
        return self


def name_policy(attached: str | AttachedInGroup) -> str:
    """Return the key of an attached policy in ``policies``."""
    return attached if isinstance(attached, str) else attached.policy


ROLE_POLICIES: TypeAdapter[RolePolicies] = TypeAdapter(RolePolicies)


def write_snapshot(snapshot: RolePolicies) -> str:
    """Return the file, in an order that makes two of them easy to compare."""
    found: dict[str, Any] = snapshot.model_dump(mode="json")
    for name in ("policies", "roles"):
        found[name] = dict(sorted(found[name].items()))
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def is_stale(read_at: datetime, now: datetime) -> bool:
    """Tell whether so much may have changed since that people should hear how old it is."""
    return (now - read_at).days >= STALE_DAYS
