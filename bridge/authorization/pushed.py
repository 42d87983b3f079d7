"""Pushed authorization requests (RFC 9126): the program tells us what it asks before the browser carries a reference.

=============================================  ======================================================================
``rambridge:pushed:<digest of the reference>``  the parameters, which were checked, sealed
=============================================  ======================================================================

A reference is good for one decision within ten minutes, since the person may have to sign in first.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta

from bridge.errors import BadParameter, Unsealable
from bridge.sealing import Sealer
from bridge.store_connection import RedisClient, build_key, store_errors

LIFETIME_SECONDS = 600
_PREFIX = "urn:ietf:params:oauth:request_uri:"


class PushedRequests:
    """The requests that wait for a browser."""

    def __init__(self, redis: RedisClient, sealer: Sealer) -> None:
        """Take the store and the sealer."""
        self._redis = redis
        self._sealer = sealer

    def keep(self, parameters: Mapping[str, str]) -> str:
        """Return the reference to a request that was checked."""
        reference = f"{_PREFIX}{secrets.token_urlsafe(32)}"
        key = build_key("pushed", reference)
        with store_errors():
            self._redis.set(key, self._sealer.seal_json(key, dict(parameters)), px=timedelta(seconds=LIFETIME_SECONDS))
        return reference

    def find(self, reference: str) -> dict[str, str]:
        """Return the request behind a reference. Raises BadParameter if there is none any more."""
        key = build_key("pushed", reference)
        with store_errors():
            sealed = self._redis.get(key)
        try:
            found = self._sealer.open_json(key, sealed or b"")
        except Unsealable as error:
            raise BadParameter("no request waits under this reference") from error
        return {str(name): str(value) for name, value in found.items()}

    def use_up(self, reference: str) -> None:
        """Let a reference count once. Raises BadParameter to all but the first."""
        with store_errors():
            is_first = self._redis.delete(build_key("pushed", reference)) == 1
        if not is_first:
            raise BadParameter("the reference was used already")
