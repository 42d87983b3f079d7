"""The one client: our own command, a native app without a secret (RFC 8252). And the one resource: API v1."""

import re

from bridge.errors import ClientUnknown, RedirectRefused, TargetInvalid

CLIENT_ID = "rambridge-cli"

_REDIRECT_URI = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]):(?P<port>[1-9][0-9]{0,4})/callback", re.ASCII)
"""RFC 8252 7.3: loopback by its number, with any port. A name such as ``localhost`` can lead elsewhere (8.3)."""
_LARGEST_PORT = 65_535


def check_client(client_id: str) -> None:
    """Raise ClientUnknown unless this is our command."""
    if client_id != CLIENT_ID:
        raise ClientUnknown("another client ID")


def check_redirect_uri(uri: str) -> None:
    """Raise RedirectRefused unless this is our command's own address, letter for letter but the port (RFC 9700 2.1)."""
    match = _REDIRECT_URI.fullmatch(uri)
    if match is None or int(match["port"]) > _LARGEST_PORT:
        raise RedirectRefused("not the loopback address of our command")


def check_resource(resource: str, ours: str) -> None:
    """Raise TargetInvalid if a token for another resource than ours is asked for; absent means ours (RFC 8707 2)."""
    if resource not in ("", ours):
        raise TargetInvalid("another resource")
