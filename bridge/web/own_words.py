"""What a person did, told to that person."""

from collections.abc import Callable, Mapping
from typing import Any

from bridge.entitlements.spans import describe_span
from bridge.language import translate
from bridge.web.auditor.strength import describe_strength

Record = Mapping[str, Any]


class OwnWords:
    """Says to somebody what the records say of them. What only an auditor needs stays out of it."""

    def __init__(self, provider_titles: Mapping[str, str], account_titles: Mapping[str, str]) -> None:
        """Take titles by name."""
        self._providers = provider_titles
        self._accounts = account_titles

    def tell(self, record: Record) -> str | None:
        """Return the sentence, None for what is nothing to tell."""
        write = _WORDS.get(record["event"])
        return write(self, record) if write else None

    def provider(self, record: Record) -> str:
        """Return what the provider is called."""
        name = record.get("provider", "")
        return self._providers.get(name, name)

    def target(self, record: Record) -> str:
        """Return what was used: ``Admin in Acme Production``."""
        account = record.get("account", "")
        name = str(record.get("entitlement") or "").partition(" ")[2]
        return f"{name} in {self._accounts.get(account, account)}"


def _signed_in(say: OwnWords, record: Record) -> str:
    several = record.get("mfa")
    factors = "" if several is None else f", {describe_strength(several_factors=several)}"
    return f"You signed in with {say.provider(record)}{factors}."


def _ended(say: OwnWords, record: Record) -> str:
    if record.get("reason") == "signed_out_here":
        return "You signed out."
    if record.get("reason") == "ended_from_list":
        return translate("You ended one of your sessions from another one.")
    if record.get("reason") == "signed_out_terminal":
        return translate("You signed out in a terminal.")
    return f"Your session ended, since you signed out at {say.provider(record)}."


def _console(say: OwnWords, record: Record) -> str:
    return f"You opened the console as {say.target(record)} for {describe_span(record.get('duration_seconds', 0))}."


def _delivered(say: OwnWords, record: Record) -> str:
    return f"You were given credentials for {say.target(record)}: {record.get('access_key_id', '')}."


def _choice_refused(_: OwnWords, record: Record) -> str:
    return f"You asked for {record.get('entitlement') or 'something'} and did not get it."


def _exchange_refused(say: OwnWords, record: Record) -> str:
    return f"You asked for {say.target(record)}, and Alibaba Cloud issued nothing."


def _authorized(_: OwnWords, record: Record) -> str:
    return f"You let the program {record.get('client', '')} act for you."


def _refused(_: OwnWords, record: Record) -> str:
    return f"You said that the program {record.get('client', '')} is not yours."


def _terminal(_: OwnWords, record: Record) -> str:
    return f"The program {record.get('client', '')} began to act for you."


_WORDS: Mapping[str, Callable[[OwnWords, Record], str]] = {
    "sign_in.accepted": _signed_in,
    "session.ended": _ended,
    "exchange.refused": _exchange_refused,
    "delivery.credentials": _delivered,
    "delivery.console": _console,
    "choice.refused": _choice_refused,
    "device.authorized": _authorized,
    "device.refused": _refused,
    "terminal.opened": _terminal,
}
