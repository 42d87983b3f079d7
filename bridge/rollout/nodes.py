"""What each process of the service decides by, as it says itself."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from bridge.rollout.tables import Tables, nodes

SILENT_AFTER = timedelta(seconds=60)
"""A process that has not said anything for so long has ended, or its machine has."""
MAX_FAULT = 2_000


@dataclass(frozen=True)
class Node:
    """One process of the service."""

    node: str
    """The machine's name and the process's number."""
    version: str
    """What it decides by."""
    wanted: str
    """What it should decide by."""
    fault: str
    """Why it does not; empty if it does."""
    seen_at: datetime


def name_this_process() -> str:
    """Return what this process is called among the nodes."""
    return f"{socket.gethostname()[:180]}/{os.getpid()}"


class Nodes:
    """The nodes in the database."""

    def __init__(self, tables: Tables) -> None:
        """Take the tables."""
        self._tables = tables

    def report(self, node: Node) -> None:
        """Say what a process decides by; forget those that are silent. Raises RolloutUnavailable."""
        silent = (node.seen_at - SILENT_AFTER).isoformat()
        values = vars(node) | {"seen_at": node.seen_at.isoformat(), "fault": node.fault[:MAX_FAULT]}
        with self._tables.writing() as connection:
            connection.execute(delete(nodes).where((nodes.c.node == node.node) | (nodes.c.seen_at < silent)))
            connection.execute(insert(nodes).values(**values))

    def list(self, now: datetime) -> list[Node]:
        """Return those that are not silent, by name. Raises RolloutUnavailable."""
        query = select(nodes).where(nodes.c.seen_at >= (now - SILENT_AFTER).isoformat()).order_by(nodes.c.node)
        with self._tables.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return [Node(**dict(row) | {"seen_at": datetime.fromisoformat(row["seen_at"])}) for row in rows]
