"""Changes that concern so many people that they wait for a second administrator."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from sqlalchemy import Connection, Row, insert, select, update

from bridge.errors import RequestUnknown
from bridge.rollout.author import Author
from bridge.rollout.tables import Tables, requests
from bridge.rollout.versions import MAX_MESSAGE, Reason

VALID_FOR = timedelta(hours=24)
_ID = re.compile(r"[0-9a-f]{12}", re.ASCII)

State: TypeAlias = Literal["waiting", "confirmed", "rejected"]


@dataclass(frozen=True)
class Request:
    """A change that waits: of exactly one version, in place of exactly one other."""

    id: str
    version: str
    previous: str
    """What was in force when it was asked for."""
    reason: Reason
    at: datetime
    author: Author
    message: str
    changed: int | None
    """How many people would change; None if that could not be found out."""
    people: int | None
    state: State
    decided_by: str

    @property
    def expires_at(self) -> datetime:
        """Return the moment from which nobody can confirm it any more."""
        return self.at + VALID_FOR

    def is_open(self, now: datetime) -> bool:
        """Return whether it can be confirmed still, if nothing else came into force."""
        return self.state == "waiting" and now < self.expires_at

    def describe_share(self) -> str:
        """Return in words how much it changes."""
        if self.changed is None or self.people is None:
            return "how many people it changes could not be found out"
        return f"it changes what {self.changed} of {self.people} people may become"


def make_id() -> str:
    """Return a name for a request."""
    return secrets.token_hex(6)


class Requests:
    """The requests in the database."""

    def __init__(self, tables: Tables) -> None:
        """Take the tables."""
        self._tables = tables

    def read(self, request_id: str) -> Request:
        """Return a request, whatever became of it.

        Raises:
            RequestUnknown: there is none of this name.
            RolloutUnavailable: the database does not answer.
        """
        if not _ID.fullmatch(request_id):
            raise RequestUnknown("a request is named by twelve digits of 0-9 and a-f")
        with self._tables.reading() as connection:
            row = connection.execute(select(requests).where(requests.c.id == request_id)).first()
        if row is None:
            raise RequestUnknown(f"no request is named {request_id}")
        return _read(row)

    def waiting(self, previous: str | None, now: datetime) -> list[Request]:
        """Return what can be confirmed while ``previous`` is in force, newest first. Raises RolloutUnavailable."""
        query = select(requests).where(requests.c.state == "waiting", requests.c.previous == previous)
        with self._tables.reading() as connection:
            found = [_read(row) for row in connection.execute(query.order_by(requests.c.at.desc()))]
        return [request for request in found if request.is_open(now)]

    def find(self, version: str, previous: str, reason: Reason) -> Request | None:
        """Return the last request for this change. Raises RolloutUnavailable."""
        with self._tables.reading() as connection:
            return find_request(connection, version, previous, reason)


def find_request(connection: Connection, version: str, previous: str, reason: Reason) -> Request | None:
    """Return the last request for this change, within a transaction."""
    query = select(requests).where(
        requests.c.version == version, requests.c.previous == previous, requests.c.reason == reason
    )
    row = connection.execute(query.order_by(requests.c.at.desc()).limit(1)).first()
    return None if row is None else _read(row)


def add_request(connection: Connection, request: Request) -> None:
    """Add a request."""
    values = vars(request) | {
        "at": request.at.isoformat(),
        "author": request.author.encode(),
        "message": request.message[:MAX_MESSAGE],
    }
    connection.execute(insert(requests).values(**values))


def decide(connection: Connection, request_id: str, state: State, author: Author) -> bool:
    """Note what became of a request; False if somebody was faster."""
    statement = update(requests).where(requests.c.id == request_id, requests.c.state == "waiting")
    return connection.execute(statement.values(state=state, decided_by=author.name)).rowcount == 1


def _read(row: Row[tuple[object, ...]]) -> Request:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
    return Request(**values | {"at": datetime.fromisoformat(row.at), "author": Author.decode(row.author)})
