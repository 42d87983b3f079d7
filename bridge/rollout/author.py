"""Who changes the rules, and whether two of them are one person."""

import json
import re
from dataclasses import dataclass
from typing import Self

from bridge.identity.verified import VerifiedIdentity

MAX_AUTHOR = 200
_MAILBOX = re.compile(r"<([^<>\s]+)>")


@dataclass(frozen=True)
class Author:
    """Somebody who asks for a change, or confirms it."""

    name: str
    """What people read."""
    identity: str = ""
    """Stands for issuer and subject of somebody who is signed in; empty for whoever gives a command."""
    known_as: frozenset[str] = frozenset()
    """Other texts that may mean the same person, in lower case."""

    @classmethod
    def of_command(cls, text: str) -> Self:
        """Return whom a command names: a name, an address, or both as Git writes them."""
        name = text.strip()[:MAX_AUTHOR]
        return cls(name, known_as=frozenset(each.casefold() for each in (name, *_MAILBOX.findall(name))))

    @classmethod
    def signed_in(cls, identity: VerifiedIdentity) -> Self:
        """Return the person behind a session."""
        texts = {identity.name, identity.email, identity.subject} - {""}
        name = identity.name if identity.name == identity.email or not identity.email else _join(identity)
        return cls(
            name[:MAX_AUTHOR],
            json.dumps([identity.issuer, identity.subject]),
            frozenset(text.casefold() for text in texts),
        )

    @property
    def person(self) -> dict[str, str]:
        """Return ``issuer`` and ``subject`` of somebody who is signed in; nothing of whoever gives a command."""
        issuer, subject = json.loads(self.identity) if self.identity else ("", "")
        return {"issuer": issuer, "subject": subject}

    @classmethod
    def decode(cls, text: str) -> Self:
        """Return what :meth:`encode` wrote."""
        name, identity, known_as = json.loads(text)
        return cls(name, identity, frozenset(known_as))

    def encode(self) -> str:
        """Return the author as one text, for the database."""
        return json.dumps([self.name, self.identity, sorted(self.known_as)])

    def may_be(self, other: Self) -> bool:
        """Return whether both may be the same person: in doubt they are, so that nobody confirms a change alone.

        Of two who signed in at the same issuer the subject decides. Between issuers it says nothing: somebody may have
        an account at each, so a shared name or address makes them one. A command has only the texts that it was given.
        """
        if self.identity and other.identity:
            (issuer, subject), (other_issuer, other_subject) = json.loads(self.identity), json.loads(other.identity)
            if issuer == other_issuer:
                return bool(subject == other_subject)
        return bool(self.known_as & other.known_as)


def _join(identity: VerifiedIdentity) -> str:
    return f"{identity.name} <{identity.email}>"
