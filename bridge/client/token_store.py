"""Where the tokens are kept: in the system's keychain where there is one, else in a file of the person's own."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bridge.client.failure import ClientError
from bridge.client.oauth import Tokens
from bridge.client.token_file import TokenFile
from bridge.language import translate

_NAME = "rambridge"
_USABLE_PRIORITY = 1
"""keyring's own mark for a backend that it recommends; the others are for tests, or files in the clear."""


class TokenStore(Protocol):
    """Keeps the tokens for one service."""

    place: str
    """Where, in words."""

    def read(self) -> Tokens | None:
        """Return the tokens, or None where there are none."""

    def write(self, tokens: Tokens) -> None:
        """Keep them, in place of those before."""

    def forget(self) -> None:
        """Delete them."""


def open_token_store(server: str, folder: Path | None = None) -> TokenStore:
    """Return what keeps the tokens for a service's origin.

    ``RAMBRIDGE_TOKEN_STORE`` can demand ``keychain`` or ``file``. Raises ClientError if a keychain is demanded and none
    can be used.
    """
    wanted = os.environ.get("RAMBRIDGE_TOKEN_STORE", "")
    if wanted not in ("", "keychain", "file"):
        raise ClientError(translate("RAMBRIDGE_TOKEN_STORE is one of: keychain, file."))
    keychain = None if wanted == "file" else _find_keychain()
    if keychain is not None:
        return Keychain(server, keychain)
    if wanted == "keychain":
        raise ClientError(
            translate(
                "No keychain can be used here. Without RAMBRIDGE_TOKEN_STORE, tokens are in a file of your own; for a "
                "keychain: pip install 'rambridge[keychain]', in a desktop session."
            )
        )
    return TokenFile(server, folder)


class Keychain:
    """The system's keychain, through the library keyring."""

    def __init__(self, server: str, backend: Any) -> None:
        """Take the service's origin, and the keychain."""
        self._server = server
        self._backend = backend
        self.place = translate("the keychain (%(name)s)", name=backend.name)

    def read(self) -> Tokens | None:
        """Return the tokens, or None. Raises ClientError if the keychain does not open."""
        text = self._ask(lambda: self._backend.get_password(_NAME, self._server))
        try:
            content = json.loads(text or "")
            return Tokens(str(content["access"]), str(content["refresh"]), float(content["expires_at"]))
        except (ValueError, KeyError, TypeError):
            return None

    def write(self, tokens: Tokens) -> None:
        """Keep them. Raises ClientError if the keychain does not open."""
        text = json.dumps({"access": tokens.access, "refresh": tokens.refresh, "expires_at": tokens.expires_at})
        self._ask(lambda: self._backend.set_password(_NAME, self._server, text))

    def forget(self) -> None:
        """Delete them. Raises ClientError if the keychain does not open."""
        if self.read() is not None:
            self._ask(lambda: self._backend.delete_password(_NAME, self._server))

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except Exception as error:
            # Each backend has errors of its own: D-Bus's, the Keychain's.
            raise ClientError(
                translate(
                    "The keychain did not open (%(why)s). Unlock it, or keep tokens in a file of your own: export "
                    "RAMBRIDGE_TOKEN_STORE=file",
                    why=type(error).__name__,
                )
            ) from error


def _find_keychain() -> Any:
    # Without a desktop's bus there is no keychain on Linux; a server does not wait for keyring to find that out.
    if sys.platform == "linux" and not (
        os.environ.get("DBUS_SESSION_BUS_ADDRESS") or os.environ.get("PYTHON_KEYRING_BACKEND")
    ):
        return None
    try:
        import keyring  # noqa: PLC0415  a tenth of a second, for those who have one
    except ImportError:
        return None
    backend = keyring.get_keyring()
    return backend if backend.priority >= _USABLE_PRIORITY else None
