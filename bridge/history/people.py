"""What stands for a person: a digest with a key of our own, so that nobody can try names on it.

The key is made once and lies in the database, sealed by the ``store`` key. It must not change with each rotation, or
one person would become several; so each start of the service seals it again with the key that is current then. Only
where that was not done between two rotations does a new one have to be made, and the log says so.
"""

import hmac
import logging
import secrets
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bridge.errors import Unsealable
from bridge.history.tables import person_keys
from bridge.sealing import Sealer

_logger = logging.getLogger(__name__)

_KEY_BYTES = 32
_DIGEST_BYTES = 16
_NAME = "history:person-key:{}"
_ALL = select(person_keys).order_by(person_keys.c.id)


class People:
    """Makes the digests, of every key that can be opened: the first one counts."""

    def __init__(self, sealer: Sealer) -> None:
        """Take what seals the keys."""
        self._sealer = sealer
        self._keys: list[bytes] = []

    def load(self, engine: Engine) -> None:
        """Open the keys; make one where none can be opened, and seal those that can with the current key.

        Processes that start at once agree: whoever comes second takes what the first has made.
        """
        while not self._read(engine):
            with engine.begin() as connection:
                last = max((row.id for row in connection.execute(_ALL)), default=0)
                if last:
                    _logger.warning("people of kept sign-ins are counted anew: the key that hid them is gone")
                self._put(connection, last + 1, secrets.token_bytes(_KEY_BYTES))

    def digest(self, issuer: str, subject: str) -> str:
        """Return what stands for a person: 32 hex digits. :meth:`load` must have been called."""
        return _digest(self._keys[0], issuer, subject)

    def find_digests(self, engine: Engine, issuer: str, subject: str) -> list[str]:
        """Return everything that ever stood for a person, as far as its key can be opened. Changes nothing."""
        with engine.connect().execution_options(read_only=True) as connection:
            return [_digest(key, issuer, subject) for _, key in self._open(connection)]

    def _read(self, engine: Engine) -> bool:
        with engine.begin() as connection:
            opened = list(self._open(connection))
            for number, key in opened:
                sealed = self._sealer.seal(_NAME.format(number), key)
                connection.execute(update(person_keys).where(person_keys.c.id == number).values(sealed=sealed))
        self._keys = [key for _, key in opened]
        return bool(opened)

    def _open(self, connection: Connection) -> Iterator[tuple[int, bytes]]:
        for row in connection.execute(_ALL).all():
            try:
                yield row.id, self._sealer.open(_NAME.format(row.id), row.sealed)
            except Unsealable:
                continue

    def _put(self, connection: Connection, number: int, key: bytes) -> None:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        row = {"id": number, "sealed": self._sealer.seal(_NAME.format(number), key)}
        connection.execute(insert(person_keys).values(row).on_conflict_do_nothing())


def _digest(key: bytes, issuer: str, subject: str) -> str:
    who = f"{len(issuer)}:{issuer}{subject}".encode()
    return hmac.digest(key, who, "sha256")[:_DIGEST_BYTES].hex()
