"""How one key that signs checkpoints hands over to the next, on record (threat AUD-06).

Both keys sign a note that names both, and the note is a record of the log. So whoever knows the old key, from long ago,
comes to know the new one by public material alone, and nobody can bring in a key of their own.
"""

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Engine, select

from bridge.audit import tables
from bridge.audit.events import CheckpointKeyChanged, Origin
from bridge.audit.log import AuditLog
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.notes import NoteRefused, VerifierKey, open_note
from bridge.audit.sequencer import Sequencer
from bridge.database import snapshot

ORIGIN = Origin(reference="audit-checkpoints", source_address="")
"""One reference for all of these records, to find them by."""


def record_hand_over(engine: Engine, sequencer: Sequencer, audit: AuditLog, signer: Signer) -> bool:
    """Record that the key before hands over to the one of now, unless that is recorded; return whether it was.

    Two processes that start at the same moment may both record it, which does no harm.

    Raises:
        AuditUnavailable: it could not be recorded.
        sqlalchemy.exc.SQLAlchemyError: the database does not answer.
    """
    if len(signer.verifier_keys) == 1:
        return False
    new, old = signer.verifier_keys
    text = f"{signer.origin}: the key that signs checkpoints changes\nold {old}\nnew {new}\n"
    sequencer.catch_up()
    with snapshot(engine) as connection:
        if any(note.startswith(text) for note in read_hand_overs(connection)):
            return False
    note = signer.sign_text(text)
    audit.append(ORIGIN, CheckpointKeyChanged(old_key=str(old), new_key=str(new), note=tuple(note.split("\n")[:-1])))
    return True


def read_hand_overs(connection: Connection) -> list[str]:
    """Return the notes that are recorded, the oldest first. Nothing of them is believed yet."""
    query = (
        select(tables.records.c.body)
        .join(tables.index, tables.SAME_RECORD)
        .where(tables.index.c.reference == ORIGIN.reference, tables.index.c.event == CheckpointKeyChanged.name)
        .order_by(tables.index.c.position)
    )
    contents = [json.loads(body) for body in connection.scalars(query)]
    return ["".join(f"{line}\n" for line in content["note"]) for content in contents]


def believe(keys: Sequence[VerifierKey], notes: Iterable[str]) -> tuple[VerifierKey, ...]:
    """Return the keys that are believed, and those that one of them handed over to or took over from."""
    believed = tuple(keys)
    pending = [_read(note) for note in notes]
    while found := next((named for named in pending if set(named) & set(believed)), None):
        believed += tuple(key for key in found if key not in believed)
        pending = [named for named in pending if named != found]
    return believed


def _read(note: str) -> tuple[VerifierKey, ...]:
    """Return the two keys that a note names; none if it is not one that both signed."""
    try:
        lines = [line.split(" ", 1)[1] for line in note.split("\n") if line.startswith(("old ", "new "))]
        named = tuple(VerifierKey.parse(line) for line in lines)
        return named if set(open_note(note, named).signed_by) == set(named) else ()
    except NoteRefused:
        return ()
