"""How one key that signs checkpoints hands over to the next, on record (threat AUD-06).

Both keys sign a note that names both, and the note is a record of the log. So whoever knows the old key, from long ago,
comes to know the new one by public material alone, and nobody can bring in a key of their own.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from bridge.audit import tables
from bridge.audit.events import CheckpointKeyChanged, Origin
from bridge.audit.log import AuditLog
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.notes import VerifierKey, open_note
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


@dataclass(frozen=True)
class Believed:
    """Whose signatures count, for somebody who knows some keys."""

    now: tuple[VerifierKey, ...]
    """Those keys and the ones that came after them: one of these signs what the log is now."""
    before: tuple[VerifierKey, ...]
    """Those that one of them took over from: they count for what was signed before, and whoever stole one of them signs
    nothing more."""

    @property
    def ever(self) -> tuple[VerifierKey, ...]:
        """All of them, for what somebody noted at whatever time."""
        return self.now + self.before


def believe(keys: Sequence[VerifierKey], notes: Iterable[str]) -> Believed:
    """Return what follows from known keys and the notes of the log."""
    hand_overs = [named for note in notes if (named := _read(note)) is not None]
    now = _reach(keys, hand_overs)
    ever = _reach(now, [*hand_overs, *((new, old) for old, new in hand_overs)])
    return Believed(now, tuple(key for key in ever if key not in now))


def leave_out_replaced(keys: Sequence[VerifierKey], notes: Iterable[str]) -> tuple[VerifierKey, ...]:
    """Return those of the keys that handed over to no other one of them on record."""
    hand_overs = [named for note in notes if (named := _read(note)) is not None]
    return tuple(key for key in keys if not any((key, other) in hand_overs for other in keys))


def _reach(keys: Sequence[VerifierKey], steps: Sequence[tuple[VerifierKey, VerifierKey]]) -> tuple[VerifierKey, ...]:
    """Return the keys, and whatever the steps lead to from them."""
    reached = dict.fromkeys(keys)
    while found := [end for begin, end in steps if begin in reached and end not in reached]:
        reached |= dict.fromkeys(found)
    return tuple(reached)


def _read(note: str) -> tuple[VerifierKey, VerifierKey] | None:
    """Return the old and the new key that a note names; None if it is not one that both signed."""
    lines = note.split("\n")
    try:
        (old,) = [VerifierKey.parse(line[4:]) for line in lines if line.startswith("old ")]
        (new,) = [VerifierKey.parse(line[4:]) for line in lines if line.startswith("new ")]
        return (old, new) if {old, new} == set(open_note(note, [old, new]).signed_by) else None
    except ValueError:  # also NoteRefused
        return None
