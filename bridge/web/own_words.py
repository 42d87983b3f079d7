"""What a person did, told to that person."""

from collections.abc import Callable, Mapping
from typing import Any

from bridge.entitlements.spans import describe_span
from bridge.language import mark, translate

Record = Mapping[str, Any]

_SIGNED_IN: Mapping[bool | None, str] = {
    None: mark("You signed in with %(provider)s."),
    True: mark("You signed in with %(provider)s, with more than one factor."),
    False: mark("You signed in with %(provider)s, with one factor."),
}
_ENDED: Mapping[str, str] = {
    "signed_out_here": mark("You signed out."),
    "signed_out_terminal": mark("You signed out in your terminal."),
    "ended_from_list": mark("You ended this session from another one."),
    "shown_again": mark("Your session ended, since a code or token of your program was shown twice."),
}
"""Every other reason is that the person signed out at the provider."""


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

    def target(self, record: Record) -> dict[str, str]:
        """Return what was used, for the places of a sentence: its ``name`` and its ``account``."""
        account = record.get("account", "")
        name = str(record.get("entitlement") or "").partition(" ")[2]
        return {"name": name, "account": self._accounts.get(account, account)}


def _signed_in(say: OwnWords, record: Record) -> str:
    return translate(_SIGNED_IN[record.get("mfa")], provider=say.provider(record))


def _ended(say: OwnWords, record: Record) -> str:
    sentence = _ENDED.get(record.get("reason", ""))
    if sentence is not None:
        return translate(sentence)
    return translate("Your session ended, since you signed out at %(provider)s.", provider=say.provider(record))


def _console(say: OwnWords, record: Record) -> str:
    span = describe_span(record.get("duration_seconds", 0))
    return translate("You opened the console as %(name)s in %(account)s for %(span)s.", **say.target(record), span=span)


def _delivered(say: OwnWords, record: Record) -> str:
    key = record.get("access_key_id", "")
    return translate("You were given credentials for %(name)s in %(account)s: %(key)s.", **say.target(record), key=key)


def _choice_refused(_: OwnWords, record: Record) -> str:
    asked = record.get("entitlement")
    if not asked:
        return translate("You asked for something and did not get it.")
    return translate("You asked for %(asked)s and did not get it.", asked=asked)


def _exchange_refused(say: OwnWords, record: Record) -> str:
    return translate("You asked for %(name)s in %(account)s, and Alibaba Cloud issued nothing.", **say.target(record))


def _authorized(_: OwnWords, record: Record) -> str:
    return translate("You let the program %(program)s act for you.", program=record.get("client", ""))


def _refused(_: OwnWords, record: Record) -> str:
    return translate("You said that the program %(program)s is not yours.", program=record.get("client", ""))


def _terminal(_: OwnWords, record: Record) -> str:
    return translate("The program %(program)s began to act for you.", program=record.get("client", ""))


_WORDS: Mapping[str, Callable[[OwnWords, Record], str]] = {
    "sign_in.accepted": _signed_in,
    "session.ended": _ended,
    "exchange.refused": _exchange_refused,
    "delivery.credentials": _delivered,
    "delivery.console": _console,
    "choice.refused": _choice_refused,
    "device.authorized": _authorized,
    "device.refused": _refused,
    "authorization.granted": _authorized,
    "authorization.refused": _refused,
    "terminal.opened": _terminal,
}
