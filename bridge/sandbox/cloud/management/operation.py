"""One management action: a function from an account to what becomes of it, and whose right it takes to call it."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from bridge.sandbox.cloud.callers import Caller
from bridge.sandbox.cloud.documents import Documents
from bridge.sandbox.cloud.entities import Account, SAMLSource
from bridge.sts_wire.reply import Fields


@dataclass(frozen=True)
class Request:
    """A call that is signed, known, and allowed."""

    account: Account
    """The caller's account, as it is now."""
    parameters: Mapping[str, str]
    now: datetime
    caller: Caller
    documents: Documents
    """For what the sandbox's file declares by an address."""

    def load_metadata(self, source: SAMLSource) -> bytes:
        """Return an identity provider's metadata; nothing where the address that is declared does not answer."""
        if source.metadata_url is None:
            return (source.metadata or "").encode()
        try:
            return self.documents.load(source.metadata_url)
        except OSError:
            return b""


Result: TypeAlias = tuple[Account, Fields]
"""The account as it is afterwards (the same object where nothing changed), and the fields of the answer."""


@dataclass(frozen=True)
class Operation:
    """An action of a management service."""

    run: Callable[[Request], Result]
    parameters: frozenset[str]
    resource: str
    """What policies must allow it on, such as ``user/{UserName}``; a parameter that is absent counts as ``*``."""

    def build_resource(self, account_id: str, parameters: Mapping[str, str]) -> str:
        """Return the resource's name for this call."""
        named = defaultdict(lambda: "*", parameters)
        return f"acs:ram::{account_id}:{self.resource.format_map(named)}"


def declare(run: Callable[[Request], Result], resource: str, *parameters: str) -> Operation:
    """Return the operation with these parameters."""
    return Operation(run, frozenset(parameters), resource)
