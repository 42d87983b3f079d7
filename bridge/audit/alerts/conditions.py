"""What is wrong with the log itself, which no record says."""

from collections.abc import Iterator

from sqlalchemy import Engine, func, select

from bridge.audit.alerts.rules import Signal
from bridge.audit.sequencer import Sequencer
from bridge.audit.tables import checkpoints, index


class CheckpointLate:
    """No checkpoint was signed for longer than it may take, by whichever process."""

    def __init__(self, engine: Engine, seconds: int) -> None:
        """Take the database, and how long it may take."""
        self._engine = engine
        self._microseconds = seconds * 1_000_000

    def __call__(self, now: int) -> Iterator[Signal]:
        """Yield that it is late; nothing while the log is empty."""
        with self._engine.connect().execution_options(read_only=True) as connection:
            last = connection.execute(select(func.max(checkpoints.c.time))).scalar()
            if last is None:
                last = connection.execute(select(index.c.time).order_by(index.c.position).limit(1)).scalar()
        if last is not None and now - last > self._microseconds:
            yield Signal("checkpoint_late", "log", now, None, facts={"seconds": str((now - last) // 1_000_000)})


class VerificationFailed:
    """This process does not find in the database what was signed, or what the bridge wrote."""

    def __init__(self, sequencer: Sequencer) -> None:
        """Take what signs. It need not be the process that gives records their order."""
        self._sequencer = sequencer

    def __call__(self, now: int) -> Iterator[Signal]:
        """Yield that it fails."""
        self._sequencer.look()
        broken = self._sequencer.broken
        if broken is not None:
            facts = {"detail": broken.detail, "first_bad": str(broken.position)}
            yield Signal("verification_failed", "log", now, None, facts=facts)
