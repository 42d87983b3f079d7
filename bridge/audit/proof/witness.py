"""Witnesses: places outside the database that get checkpoints, so that nobody can replace the whole log unseen.

Three kinds: a file on other storage; a witness of transparency logs (https://c2sp.org/tlog-witness), which checks that
the log only grew and signs that it saw so; and a time stamp authority (RFC 3161), which says when.
"""

import base64
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from bridge.audit.proof.bundle import SEPARATOR
from bridge.audit.proof.checkpoints import split_text
from bridge.audit.proof.merkle import consistency_path, prove
from bridge.audit.proof.notes import NoteRefused, VerifierKey, open_note
from bridge.audit.proof.proofs import Signed
from bridge.audit.proof.time_stamp import CONTENT_TYPE, build_query, check_answer
from bridge.audit.proof.tree import read_root, read_subtree
from bridge.errors import WitnessFailed
from bridge.outbound import Answer, Limits, Outbound

_LIMITS = Limits(max_bytes=100_000)
_TAIL_BYTES = 65_536
_OK, _CONFLICT = 200, 409
_SIZE = re.compile(rb"\s*[0-9]{1,19}\s*")
"""A longer number Python would refuse to read."""


class Witness(Protocol):
    """A place that gets checkpoints."""

    def show(self, connection: Connection, signed: Signed, last_size: int) -> bytes:
        """Return what it answered to a checkpoint; ``last_size``: of the last one that it was shown, 0 at first.

        Raises:
            WitnessFailed: it did not take it, or has one that the log does not agree with.
            FetchFailed: it could not be reached.
        """
        ...


@dataclass(frozen=True)
class FileWitness:
    """A file to which checkpoints are added, on storage that others look after."""

    path: Path

    def show(self, connection: Connection, signed: Signed, last_size: int) -> bytes:
        """Add the checkpoint, if the log begins with what the last one in the file says."""
        del last_size  # the file knows better
        try:
            with self.path.open("a+b") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - _TAIL_BYTES))
                notes = file.read().decode(errors="replace").split(SEPARATOR)
                if end:
                    _check_begins(connection, notes[-2] if len(notes) > 1 else "", signed)
                file.write((signed.note + SEPARATOR).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise WitnessFailed(f"{self.path}: {error.strerror or type(error).__name__}") from error
        return b""


@dataclass(frozen=True)
class CosigningWitness:
    """A witness of transparency logs, by HTTPS."""

    outbound: Outbound
    url: str
    """The prefix of its address; ``/add-checkpoint`` is added."""
    key: VerifierKey | None
    """Its public key; None: that it answered is enough."""
    ca_file: Path | None
    log_keys: tuple[VerifierKey, ...]

    def show(self, connection: Connection, signed: Signed, last_size: int) -> bytes:
        """Return the signature lines of the witness."""
        answer = self._ask(connection, signed, last_size)
        if answer.status == _CONFLICT and _SIZE.fullmatch(answer.body):
            answer = self._ask(connection, signed, int(answer.body))
        if answer.status != _OK:
            raise WitnessFailed(f"the witness answered with {answer.status}")
        if self.key is not None:
            try:
                opened = open_note(signed.note + answer.body.decode(errors="replace"), (*self.log_keys, self.key))
            except NoteRefused as error:
                raise WitnessFailed(f"the witness's signature: {error}") from error
            if self.key not in opened.timed_by:
                raise WitnessFailed("the witness did not sign with its key")
        return answer.body

    def _ask(self, connection: Connection, signed: Signed, last_size: int) -> Answer:
        size = signed.checkpoint.size
        if last_size > size:
            raise WitnessFailed(f"the witness has seen {last_size} records, and these are {size}")
        path = consistency_path(last_size, size)
        hashes = prove(path, lambda begin, end: read_subtree(connection, begin, end))
        lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in hashes)
        body = f"old {last_size}\n{lines}\n{signed.note}".encode()
        return self.outbound.post_bytes(
            f"{self.url.rstrip('/')}/add-checkpoint",
            body,
            headers={"Content-Type": "text/plain; charset=utf-8"},
            limits=_LIMITS,
            ca_file=self.ca_file,
        )


@dataclass(frozen=True)
class TimeStampAuthority:
    """Somebody who says when a checkpoint was there."""

    outbound: Outbound
    url: str
    ca_file: Path | None

    def show(self, connection: Connection, signed: Signed, last_size: int) -> bytes:
        """Return the time stamp over the note, as the authority answered it (DER, ``.tsr``)."""
        del connection, last_size
        query = build_query(signed.note.encode())
        answer = self.outbound.post_bytes(
            self.url, query.content, headers={"Content-Type": CONTENT_TYPE}, limits=_LIMITS, ca_file=self.ca_file
        )
        if answer.status != _OK:
            raise WitnessFailed(f"the authority answered with {answer.status}")
        check_answer(query, answer.body)
        return answer.body


def _check_begins(connection: Connection, note: str, signed: Signed) -> None:
    try:
        _, size, root = split_text(note.rpartition("\n\n")[0] + "\n")
    except NoteRefused as error:
        raise WitnessFailed("the file does not end with a checkpoint") from error
    if size > signed.checkpoint.size:
        raise WitnessFailed(f"the file has a checkpoint over {size} records; these are {signed.checkpoint.size}")
    if read_root(connection, size) != root:
        raise WitnessFailed(f"the log does not begin with the {size} records of the file's last checkpoint")
