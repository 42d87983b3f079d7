"""The cloud's state as it is now: what the file declares, and what has been changed by API since.

A change makes a new state and replaces the old one as a whole, so a reader sees all of it or nothing. Changes are
written to a file of their own before they count, and a restart takes them up again, unless the declaring file has been
edited meanwhile: then the file is right, and the changes are forgotten.
"""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError

from bridge.sandbox.cloud.entities import Account
from bridge.sandbox.cloud.state import CloudState

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


class Directory:
    """Holds the state; ``state`` may be read at any time, and a change is one step for all threads."""

    def __init__(self, declared: CloudState, saved: Path | None = None) -> None:
        """Take the declared state, and the file that keeps changes; without one they end with the process."""
        self._declared = hashlib.sha256(_write(declared).encode()).hexdigest()
        self._saved = saved
        self._lock = Lock()
        self.state = (_load(saved, self._declared) if saved else None) or declared

    def change(self, account_id: str, action: Callable[[Account], tuple[Account, Answer]]) -> Answer:
        """Run an action on an account that exists; what it returns takes the account's place.

        Whatever the action raises leaves everything as it was.
        """
        with self._lock:
            account = self.state.find_account(account_id)
            if account is None:
                raise KeyError(account_id)
            changed, answer = action(account)
            if changed is not account:
                accounts = tuple(changed if each.id == account_id else each for each in self.state.accounts)
                state = self.state.model_copy(update={"accounts": accounts})
                self._save(state)
                self.state = state
            return answer

    def _save(self, state: CloudState) -> None:
        """Write the state, mode 0600 since it holds secrets of keys, in one step."""
        if self._saved is None:
            return
        self._saved.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=self._saved.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"declared": self._declared, "state": json.loads(_write(state))}, file)
        Path(draft).replace(self._saved)


def _load(saved: Path, declared: str) -> CloudState | None:
    """Return the saved state if it goes on from this declaration."""
    try:
        document = json.loads(saved.read_text(encoding="utf-8"))
        if document["declared"] == declared:
            return CloudState.model_validate(document["state"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, ValidationError):
        _log.warning("%s cannot be read; the cloud starts as declared", saved)
        return None
    _log.warning("The cloud's file has changed; what %s keeps is forgotten", saved)
    return None


def _write(state: CloudState) -> str:
    return json.dumps(state.model_dump(by_alias=True), default=_write_value, sort_keys=True)


def _write_value(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
