"""Write records to a file: first the file, then the record of it, and only then does the file appear.

Who takes records away is itself something that an auditor asks for (threat AUD-07). If that cannot be recorded, no file
appears.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sqlalchemy import Engine, func, select

from bridge.audit.events import AuditExported, Origin
from bridge.audit.export.forms import find_form
from bridge.audit.export.json_lines import encode_line
from bridge.audit.export.whole_file import write_whole
from bridge.audit.feed import Feed
from bridge.audit.log import AuditLog
from bridge.audit.proof.bundle import Selection, write_bundle
from bridge.audit.proof.notes import VerifierKey
from bridge.audit.reader import database_errors
from bridge.audit.record import to_microseconds
from bridge.audit.secrets import AuditSecrets
from bridge.audit.tables import index

BUNDLE = "bundle"
OPENED = "opened.jsonl"
"""In a bundle that was asked to be opened: what its records say, people included."""
FORMATS = ("jsonl", "csv", "ocsf", BUNDLE)
_AT_ONCE = 1_000
_READ_BYTES = 1 << 20


class Sequences(Protocol):
    """What gives records their place, and signs."""

    def sign_now(self) -> None:
        """Return when everything that was committed has its place, under a checkpoint of now."""


@dataclass(frozen=True)
class Span:
    """Which records: those at the positions from ``first`` up to, and without, ``end``, made within a time."""

    first: int
    end: int
    since: int | None = None
    """Microseconds since 1970; records before it are left out."""
    until: int | None = None
    """Records from then on are left out."""

    def holds(self, time: str) -> bool:
        """Tell whether a record's time is within."""
        moment = to_microseconds(time)
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class Request:
    """What somebody wants to have."""

    format: str
    """One of :data:`FORMATS`."""
    opened: bool
    """Whether the file says what records say of people; else that stays sealed."""
    author: str
    """Who asks: a person, or what runs by schedule."""
    origin: Origin
    export: str = ""
    """The name of the scheduled export."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    records: int
    digest: str
    """SHA-256 (hexadecimal) of the file."""
    bytes: int


class Exporter:
    """Writes the records of one log to files."""

    def __init__(
        self,
        engine: Engine,
        secrets: AuditSecrets,
        sequencer: Sequences,
        audit: AuditLog,
        *,
        log_name: str,
        keys: Sequence[VerifierKey] = (),
    ) -> None:
        """Take what exports are made with.

        Args:
            engine: the audit database.
            secrets: the log's keys.
            sequencer: what signs a checkpoint for each export.
            audit: where exports are recorded.
            log_name: which log it is.
            keys: the public keys that sign its checkpoints now, for bundles.
        """
        self._engine = engine
        self._secrets = secrets
        self._sequencer = sequencer
        self._audit = audit
        self._log_name = log_name
        self._keys = keys

    def find_span(self, since: datetime | None = None, until: datetime | None = None, *, first: int = 0) -> Span:
        """Return where the records of a time are, after everything that is committed has got its place.

        Args:
            since: records before it are left out.
            until: records from then on are left out.
            first: positions before it are left out.

        Raises:
            AuditUnavailable: the database does not answer.
        """
        bounds = tuple(int(each.timestamp() * 1_000_000) if each else None for each in (since, until))
        query = select(func.min(index.c.position), func.max(index.c.position)).where(index.c.position >= first)
        if bounds[0] is not None:
            query = query.where(index.c.time >= bounds[0])
        if bounds[1] is not None:
            query = query.where(index.c.time < bounds[1])
        with database_errors():
            self._sequencer.sign_now()
            with self._engine.connect().execution_options(read_only=True) as connection:
                lowest, highest = connection.execute(query).one()
        return Span(first, first, *bounds) if lowest is None else Span(lowest, highest + 1, *bounds)

    def write(self, place: Path, span: Span, request: Request) -> Exported:
        """Write a file, record that, and let the file appear.

        Raises:
            ExportFailed: it cannot be written.
            ChainBroken: the records are not those that were signed, so a bundle of them would not verify.
            AuditUnavailable: the database does not answer, or that cannot be recorded; then there is no file either.
        """
        with write_whole(place) as file:
            with database_errors():
                records = self._write_content(file.content, span, request)
            exported = Exported(records, *_measure(file.content))
            self._audit.append(
                request.origin,
                AuditExported(
                    author=request.author,
                    export=request.export,
                    form=request.format,
                    contents="opened" if request.opened else "sealed",
                    first=span.first,
                    end=span.end,
                    records=exported.records,
                    file_digest=exported.digest,
                ),
            )
            file.appear()
        return exported

    def suffix(self, format_: str) -> str:
        """Return what the name of a file in this format ends with."""
        return ".zip" if format_ == BUNDLE else find_form(format_, self._log_name).suffix

    def _write_content(self, content: BinaryIO, span: Span, request: Request) -> int:
        if request.format != BUNDLE:
            return self._write_lines(content, span, request)
        selection = Selection(span.first, span.end, span.since, span.until)
        count = write_bundle(self._engine, content, selection, self._keys)
        if request.opened:
            self._add_opened(content, span)
        return count

    def _add_opened(self, content: BinaryIO, span: Span) -> None:
        """Put what the records say of people beside them; the proof is over the records as they were recorded."""
        with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive, archive.open(OPENED, "w") as file:
            for record in self._read(span, opened=True):
                file.write(encode_line(record).encode())

    def _write_lines(self, content: BinaryIO, span: Span, request: Request) -> int:
        form = find_form(request.format, self._log_name)
        content.write(form.head.encode())
        count = 0
        for record in self._read(span, opened=request.opened):
            content.write(form.encode(record).encode())
            count += 1
        return count

    def _read(self, span: Span, *, opened: bool) -> Iterator[Mapping[str, Any]]:
        feed = Feed(self._engine, self._secrets.open_all if opened else None)
        first = span.first
        while records := feed.read(first, span.end, _AT_ONCE):
            yield from (record for record in records if span.holds(record["time"]))
            first = records[-1]["position"] + 1


def _measure(content: BinaryIO) -> tuple[str, int]:
    """Return a file's digest and its length in bytes."""
    content.flush()
    content.seek(0)
    digest, length = hashlib.sha256(), 0
    while part := content.read(_READ_BYTES):
        digest.update(part)
        length += len(part)
    return digest.hexdigest(), length
