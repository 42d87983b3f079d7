"""Every version of the rules that was in force or asked for, and what came into force when."""

import io
import re
import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from sqlalchemy import Connection, Row, insert, select

from bridge.entitlements.rules import RuleFiles
from bridge.errors import RolloutUnavailable, VersionUnknown
from bridge.rollout.tables import Tables, changes, versions

Reason: TypeAlias = Literal["promote", "rollback", "files"]

SHORTEST_PREFIX = 7
MAX_MESSAGE = 500
_PREFIX = re.compile(rf"[0-9a-f]{{{SHORTEST_PREFIX},64}}", re.ASCII)


@dataclass(frozen=True)
class Version:
    """A version, without its files."""

    version: str
    kept_at: datetime
    author: str
    message: str


@dataclass(frozen=True)
class InForce:
    """A version that came into force."""

    number: int
    """Counts from 1; the highest one is in force."""
    version: str
    previous: str | None
    """The version that it replaced; None for the first."""
    reason: Reason
    at: datetime
    author: str
    message: str
    confirmed_by: str
    """The second administrator, if one was asked."""
    added: int
    """Lines, against the version that it replaced."""
    removed: int


class Versions:
    """The versions in the database."""

    def __init__(self, tables: Tables) -> None:
        """Take the tables."""
        self._tables = tables

    def latest(self) -> InForce | None:
        """Return what is in force; None if nothing ever came into force here. Raises RolloutUnavailable."""
        with self._tables.reading() as connection:
            return read_latest(connection)

    def changes(self, count: int) -> list[InForce]:
        """Return the last ``count`` changes, newest first. Raises RolloutUnavailable."""
        query = select(changes).order_by(changes.c.number.desc()).limit(count)
        with self._tables.reading() as connection:
            return [_read_change(row) for row in connection.execute(query)]

    def last_change_to(self, version: str) -> InForce | None:
        """Return the last change that brought a version into force. Raises RolloutUnavailable."""
        query = select(changes).where(changes.c.version == version).order_by(changes.c.number.desc()).limit(1)
        with self._tables.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _read_change(row)

    def find(self, text: str) -> Version:
        """Return the version whose digest begins with the text, of at least seven digits.

        Raises:
            VersionUnknown: there is none, or more than one.
            RolloutUnavailable: the database does not answer.
        """
        if not _PREFIX.fullmatch(text):
            raise VersionUnknown(f"a version is written with {SHORTEST_PREFIX} to 64 digits of 0-9 and a-f")
        columns = (versions.c.version, versions.c.kept_at, versions.c.author, versions.c.message)
        query = select(*columns).where(versions.c.version.like(f"{text}%")).limit(2)
        with self._tables.reading() as connection:
            rows = connection.execute(query).all()
        if len(rows) != 1:
            raise VersionUnknown(f"several versions begin with {text}" if rows else f"no version begins with {text}")
        row = rows[0]
        return Version(row.version, datetime.fromisoformat(row.kept_at), row.author, row.message)

    def read(self, version: str) -> RuleFiles:
        """Return the files of a version, given by its whole digest.

        Raises:
            VersionUnknown: it is not kept.
            RolloutUnavailable: the database does not answer, or does not hold what it was given.
        """
        with self._tables.reading() as connection:
            archive = connection.execute(
                select(versions.c.archive).where(versions.c.version == version)
            ).scalar_one_or_none()
        if archive is None:
            raise VersionUnknown(f"no version is {version[:12]}")
        files = _unpack(version, bytes(archive))
        if files.version != version:  # whoever changed the row would have brought other rules under a known name
            raise RolloutUnavailable(f"what is kept as version {version[:12]} has another digest")
        return files


def read_latest(connection: Connection) -> InForce | None:
    """Return what is in force, within a transaction."""
    row = connection.execute(select(changes).order_by(changes.c.number.desc()).limit(1)).first()
    return None if row is None else _read_change(row)


def keep(connection: Connection, files: RuleFiles, at: datetime, author: str, message: str) -> None:
    """Keep the files, unless they are kept already."""
    known = connection.execute(select(versions.c.version).where(versions.c.version == files.version)).first()
    if known is None:
        values = {"kept_at": at.isoformat(), "author": author, "message": message[:MAX_MESSAGE]}
        connection.execute(insert(versions).values(version=files.version, archive=_pack(files), **values))


def add_change(connection: Connection, change: InForce) -> None:
    """Bring a version into force when the transaction ends."""
    values = vars(change) | {"at": change.at.isoformat(), "message": change.message[:MAX_MESSAGE]}
    connection.execute(insert(changes).values(**values))


def _read_change(row: Row[tuple[object, ...]]) -> InForce:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
    return InForce(**values | {"at": datetime.fromisoformat(row.at)})


def _pack(files: RuleFiles) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.texts.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return memory.getvalue()


def _unpack(version: str, content: bytes) -> RuleFiles:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            texts = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, KeyError) as error:
        raise RolloutUnavailable(f"what is kept as version {version[:12]} cannot be read") from error
    return RuleFiles(Path(f"rules@{version[:12]}"), texts)
