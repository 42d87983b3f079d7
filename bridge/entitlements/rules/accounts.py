"""Which accounts a grant or a denial means: one by its name or alias, or every one that has the tags."""

from collections.abc import Mapping
from typing import Protocol

from bridge.entitlements.rules.language import AccountChoice


class AccountLabels(Protocol):
    """What the settings of an account tell rules."""

    @property
    def alias(self) -> str | None:
        """Another name."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Any words that several accounts may share."""

    @property
    def roles(self) -> tuple[str, ...] | None:
        """The only roles that may be granted there; None: any."""


def find_accounts(choice: AccountChoice, accounts: Mapping[str, AccountLabels | None]) -> tuple[str, ...]:
    """Return the names of the accounts that are meant, in the order of names; a name stands for itself.

    ``accounts`` has None for one of which nothing is known: no alias and no tag is its own.
    """
    if choice.account is not None:
        return (choice.account,)
    return tuple(name for name, labels in sorted(accounts.items()) if labels is not None and _is_meant(choice, labels))


def _is_meant(choice: AccountChoice, labels: AccountLabels) -> bool:
    if choice.account_alias is not None:
        return labels.alias == choice.account_alias
    wanted = choice.account_tags or {}
    return bool(wanted) and wanted.items() <= labels.tags.items()
