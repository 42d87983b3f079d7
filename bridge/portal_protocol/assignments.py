"""What a person may become, in the protocol's words: accounts, and access configurations in each of them.

An access configuration is an entitlement that has credentials. It is called by the entitlement's id; the name of the
role, which people can read and type, is taken as well where no other entitlement of the account has it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from bridge.entitlements.entitlement import Entitlement
from bridge.errors import BadParameter
from bridge.exchange.accounts import Account

MAX_RESULTS = 100

Item = TypeVar("Item")


def describe_accounts(entitlements: Sequence[Entitlement], accounts: Mapping[str, Account]) -> list[dict[str, str]]:
    """Return each account in which there is something for a terminal, in the order of the portal."""
    titles: dict[str, str] = {}
    for entitlement in entitlements:
        if entitlement.opens_terminal:
            account = accounts[entitlement.account]
            titles.setdefault(account.id, account.title)
    return [{"AccountId": number, "DisplayName": title} for number, title in titles.items()]


def describe_configurations(
    entitlements: Sequence[Entitlement], accounts: Mapping[str, Account], account_id: str
) -> list[dict[str, str]]:
    """Return what a terminal may become in one account."""
    return [
        {
            "AccessConfigurationId": entitlement.id,
            "AccessConfigurationName": entitlement.name,
            "AccessConfigurationDescription": entitlement.purpose or entitlement.title,
        }
        for entitlement in _within(entitlements, accounts, account_id)
    ]


def find_entitlement(
    entitlements: Sequence[Entitlement], accounts: Mapping[str, Account], account_id: str, configuration: str
) -> Entitlement | None:
    """Return the entitlement of this id in this account, or the only one of this name."""
    here = _within(entitlements, accounts, account_id)
    by_id = [entitlement for entitlement in here if entitlement.id == configuration]
    by_name = [entitlement for entitlement in here if entitlement.name == configuration]
    found = by_id or by_name
    return found[0] if len(found) == 1 else None


def cut_page(items: Sequence[Item], next_token: str, max_results: str) -> tuple[Sequence[Item], dict[str, Any]]:
    """Return the page that is asked for, and what leads to the next one. Raises BadParameter for other than numbers."""
    if not all(
        len(text) <= len("99999") and (not text or (text.isascii() and text.isdigit()))
        for text in (next_token, max_results)
    ):
        raise BadParameter("NextToken or MaxResults is not a number that we have given or that we take")
    start = int(next_token or 0)
    size = max(1, min(int(max_results or MAX_RESULTS), MAX_RESULTS))
    end = start + size
    is_truncated = end < len(items)
    return items[start:end], {"IsTruncated": is_truncated, "NextToken": str(end) if is_truncated else ""}


def _within(entitlements: Sequence[Entitlement], accounts: Mapping[str, Account], account_id: str) -> list[Entitlement]:
    return [
        entitlement
        for entitlement in entitlements
        if entitlement.opens_terminal and accounts[entitlement.account].id == account_id
    ]
