"""The message to an owner that somebody who was refused may send: written for them, sent by themself.

It says who, what, when and the reference. Claims and secrets never go into it. Whatever came from outside stands in it
as one line of what can be printed, and the link to it is encoded throughout: no header of a mail can be added.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from bridge.clock import format_utc
from bridge.language import translate
from bridge.web.people import Person

MAX_CHARACTERS = 100


@dataclass(frozen=True)
class Letter:
    """A message, as text to copy and as a link that opens it in a mail program."""

    subject: str
    text: str
    address: str | None
    """The owner's; None: the person knows whom to send it to."""

    @property
    def link(self) -> str | None:
        """Return the ``mailto:`` address (RFC 6068), None without an address."""
        if self.address is None:
            return None
        body = self.text.replace("\n", "\r\n")
        return (
            f"mailto:{quote(self.address, safe='@')}?subject={quote(self.subject, safe='')}&body={quote(body, safe='')}"
        )


def write_letter(
    person: Person, *, role: str, account: str, at: datetime, reference: str, address: str | None
) -> Letter:
    """Return the message in the language that is spoken.

    Args:
        person: who was refused.
        role: its title or name; empty: not known, or any.
        account: its title and number, or what was typed; empty: not known.
        at: when; UTC.
        reference: under which our records have it.
        address: the owner's, if one is known.
    """
    role, account = one_line(role), one_line(account)
    who = one_line(person.name) + (f" <{one_line(person.email)}>" if person.email not in {"", person.name} else "")
    when = format_utc(at)
    if not account:
        subject = translate("Access to Alibaba Cloud")
        text = translate(
            "Hello,\n\nI was refused a role in Alibaba Cloud, and I need it for my work. Please give it to me, or tell "
            "me whom to ask.\n\nPerson: %(who)s\nSigned in through: %(provider)s\nWhen: %(when)s\nReference: "
            "%(reference)s\n\nThe role, and what I need it for:\n",
            who=who,
            provider=one_line(person.provider_title),
            when=when,
            reference=reference,
        )
        return Letter(subject, text, address)
    subject = translate("Access to %(account)s", account=account)
    text = translate(
        "Hello,\n\nI was refused a role in an Alibaba Cloud account, and I need it for my work. Please give it to "
        "me, or tell me whom to ask.\n\nAccount: %(account)s\nRole: %(role)s\nPerson: %(who)s\nSigned in through: "
        "%(provider)s\nWhen: %(when)s\nReference: %(reference)s\n\nWhat I need it for:\n",
        account=account,
        role=role or translate("any"),
        who=who,
        provider=one_line(person.provider_title),
        when=when,
        reference=reference,
    )
    return Letter(subject, text, address)


def one_line(text: str) -> str:
    """Return what can be printed of a text, as one line that is not too long: no break, no sign that turns it round."""
    return "".join(letter for letter in text if letter.isprintable())[:MAX_CHARACTERS]
