"""Take the name of somebody who is erased out of the list of versions. What they decided stays."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Table, select, update

from bridge.rollout.author import Author
from bridge.rollout.tables import Tables, changes, requests, versions

GONE = "somebody who was erased"
NAMING: Sequence[Table] = (versions, changes, requests)
"""The tables that say who it was."""
_NAMES = (versions.c.author, changes.c.author, changes.c.confirmed_by, requests.c.decided_by)


def forget_author(tables: Tables, issuer: str, subject: str, person: str) -> None:
    """Let nothing say any more what somebody is called; a change of theirs that waits for another is rejected.

    Names are all that most rows have, so a namesake's goes too; the audit log tells them apart.

    Raises:
        RolloutUnavailable: the database does not answer.
    """
    names = {each.partition(" <")[0].casefold() for each in (subject, person) if each}
    with tables.writing() as connection:
        for column in _NAMES:
            found = connection.execute(select(column).distinct()).scalars()
            gone = [text for text in found if _means(text, names)]
            connection.execute(update(column.table).where(column.in_(gone)).values({column.name: GONE}))
        _forget_requests(connection, issuer, subject, names)


def _forget_requests(connection: Connection, issuer: str, subject: str, names: Collection[str]) -> None:
    for identifier, text in connection.execute(select(requests.c.id, requests.c.author)).all():
        author = Author.decode(text)
        if author.person == {"issuer": issuer, "subject": subject} or _means(author.name, names):
            own = update(requests).where(requests.c.id == identifier)
            # Whoever may confirm it must be somebody else, and nobody could tell any more.
            waiting = own.where(requests.c.state == "waiting")
            connection.execute(waiting.values(state="rejected", decided_by=GONE))
            connection.execute(own.values(author=Author(GONE).encode()))


def _means(text: str, names: Collection[str]) -> bool:
    return text.partition(" <")[0].casefold() in names
