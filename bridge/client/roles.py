"""The person's roles as the service names them, and how one is meant by what somebody types."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.client.access import Access, expect
from bridge.client.credentials import Credentials
from bridge.client.failure import Refused, WrongService, clean, plain
from bridge.client.remembered import Remembered
from bridge.language import translate

LONGEST_SECONDS = 7 * 86_400
"""Longer than any credentials last; a service may say anything."""


@dataclass(frozen=True)
class Role:
    """One role that the person may become now."""

    entitlement: str
    """The service's own name for it, stable."""
    account: str
    """The account's name in the service's configuration."""
    account_id: str
    account_title: str
    name: str
    title: str
    purpose: str
    seconds: int
    """How long credentials would last now."""
    has_credentials: bool
    has_console: bool
    owner: str = ""
    """Whom to ask about it; empty where the service does not say."""
    sensitivity: str = ""
    """``low``, ``medium`` or ``high``; empty where the service does not say."""

    @property
    def text(self) -> str:
        """Return everything that a search looks at."""
        names = f"{self.account_title} {self.account} {self.account_id} {self.title} {self.name}"
        return f"{names} {self.purpose} {self.owner}".rstrip()

    def __str__(self) -> str:
        """Return how people are told of it."""
        return translate(
            "%(role)s in %(account)s (%(number)s)", role=self.name, account=self.account_title, number=self.account_id
        )


@dataclass(frozen=True)
class Session:
    """Who is signed in, until when, and as what they may go on."""

    person: str
    provider: str
    ends_at: str
    roles: tuple[Role, ...]
    content: dict[str, Any]
    """The service's whole answer."""


def read_session(access: Access) -> Session:
    """Ask the service. Raises ClientError."""
    content = expect(access.get("/api/v1/session"))
    try:
        claims = content.get("claims") or {}
        named = next((claims[name] for name in ("name", "displayName", "email", "mail") if claims.get(name)), "")
        named = named[0] if isinstance(named, list) and named else named
        roles = tuple(_read_role(entry) for entry in content["entitlements"])
        return Session(
            person=clean(content.get("name") or content.get("person") or named or content["subject"]),
            provider=clean(content["provider"]),
            ends_at=clean(content["session_ends_at"]),
            roles=tuple(sorted(roles, key=lambda role: (role.account_title.casefold(), role.name.casefold()))),
            content=content,
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise WrongService(
            translate("The service's answer is not one that this command understands. Is the service newer?")
        ) from error


def read_credentials(access: Access, role: Role) -> Credentials:
    """Ask for new credentials. Raises ClientError; ClockWrong if they would be of no use here."""
    access.service.check_clock()
    content = expect(access.post("/api/v1/credentials", {"entitlement": role.entitlement}))
    try:
        return Credentials(
            access_key_id=plain(content["access_key_id"]),
            access_key_secret=plain(content["access_key_secret"]),
            security_token=plain(content["security_token"]),
            expires_at=datetime.fromisoformat(content["expires_at"]).astimezone(UTC),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise WrongService(translate("The service's answer has no credentials in it.")) from error


def find_role(roles: Sequence[Role], account: str, name: str) -> Role:
    """Return the one role that is meant.

    Args:
        roles: the person's.
        account: the account's number, name or title; empty where the role's name says enough.
        name: the role's name or title, or the service's own name for it; empty where the account says enough.

    Raises:
        Refused: none is meant, or several; those that there are stand in the text.
    """
    found = [
        role
        for role in roles
        if _is_one_of(account, (role.account_id, role.account, role.account_title))
        and _is_one_of(name, (role.name, role.title, role.entitlement))
    ]
    if len(found) == 1:
        return found[0]
    if not roles:
        raise Refused(translate("You have no such role: you have none at the moment."), "no_such_role")
    meant = name or account
    if name and account:
        meant = translate("%(role)s in %(account)s", role=name, account=account)
    if found:
        said = translate(
            "Several roles are meant by %(meant)s. Add --account. There are:%(roles)s",
            meant=meant,
            roles=name_each(found),
        )
        raise Refused(said, "several_roles")
    raise Refused(
        translate("You have no role %(meant)s. Yours:%(roles)s", meant=meant, roles=name_each(roles)), "no_such_role"
    )


def find_chosen(roles: Iterable[Role], chosen: Remembered) -> Role | None:
    """Return the role that ``rambridge use`` remembers; None if it is none of these."""
    return next((role for role in roles if (role.account_id, role.name) == (chosen.account, chosen.role)), None)


def search(roles: Iterable[Role], words: str) -> list[Role]:
    """Return the roles that have every word somewhere, best first.

    A word counts as a whole, or as beginnings of words in a row, as in the portal: ``prre`` finds *Production, Read
    only*. Where no role has all of them so, letters in their order do: ``pdadm`` finds *production PlatformAdmin*.
    """
    wanted = _fold(words).split()
    found = []
    for place, role in enumerate(roles):
        text, begun = _fold(role.text), _list_words(role)
        scores = [_score(word, text, begun) for word in wanted]
        if all(score is not None for score in scores):
            known = [score for score in scores if score is not None]
            found.append((max(known, default=0) >= _LOOSE, sum(known), place, role))
    loose = all(is_loose for is_loose, *_ in found)
    return [role for is_loose, _, _, role in sorted(found, key=lambda entry: entry[:3]) if is_loose == loose]


_LOOSE = 1_000
"""From this score on a word is in a text by its letters alone, which many texts have."""
_LONGEST = 32
"""More letters are no beginnings of words that somebody typed."""


def _score(word: str, text: str, begun: tuple[str, ...]) -> int | None:
    """Return how far a word is from what a text has; None if its letters are not all there."""
    whole = text.find(word)
    if whole >= 0:
        begins = whole == 0 or not text[whole - 1].isalnum()
        return 0 if begins else 1
    if len(word) <= _LONGEST and _begins(word, begun):
        return 2
    spread = _spread(word, text)
    return None if spread is None else _LOOSE + spread


def _begins(word: str, words: tuple[str, ...]) -> bool:
    """Return whether a word is made of beginnings of words, in their order; others may stand between them."""
    reached = {0}
    for each in words:
        lengths = range(1, min(len(each), len(word)) + 1)
        reached |= {at + length for at in reached for length in lengths if word.startswith(each[:length], at)}
    return len(word) in reached


def _spread(word: str, text: str) -> int | None:
    """Return how far apart the letters of a word stand in a text; None if they are not all there in their order."""
    best: int | None = None
    for start, letter in enumerate(text):
        if letter != word[0] or (start and text[start - 1].isalnum()):
            continue  # letters in their order begin where a word begins: else nearly everything is found
        at = start
        for following in word[1:]:
            at = text.find(following, at + 1)
            if at < 0:
                break
        else:
            spread = at - start - len(word) + 1
            best = spread if best is None else min(best, spread)
    return best


def _list_words(role: Role) -> tuple[str, ...]:
    """Return the words of a role's names; each part of a name such as PlatformAdmin is one."""
    names = " ".join(dict.fromkeys((role.account_title, role.title, role.name)))
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", unicodedata.normalize("NFKC", names))
    return tuple(re.findall(r"\w+", parted.casefold()))


def _is_one_of(given: str, names: tuple[str, ...]) -> bool:
    return not given or _fold(given) in {_fold(name) for name in names}


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def name_each(roles: Sequence[Role]) -> str:
    """Return each in a line of its own."""
    most = 12
    lines = [f"\n  {role}" for role in roles[:most]]
    if len(roles) > most:
        lines.append("\n  " + translate("and %(number)s more: rambridge roles", number=len(roles) - most))
    return "".join(lines)


def _read_role(entry: dict[str, Any]) -> Role:
    duration = entry.get("credentials_duration") or {}
    seconds = int(duration.get("seconds") or entry.get("max_duration_seconds") or 0)
    account = clean(entry["account"])
    return Role(
        entitlement=clean(entry["id"]),
        account=account,
        account_id=clean(entry["account_id"]),
        account_title=clean(entry.get("account_title")) or account,
        name=clean(entry["name"]),
        title=clean(entry.get("title")) or clean(entry["name"]),
        purpose=clean(entry.get("purpose")),
        seconds=min(max(0, seconds), LONGEST_SECONDS),
        has_credentials=entry.get("terminal", True) is True,
        has_console=entry.get("console", True) is True,
        owner=clean(entry.get("owner")),
        sensitivity=clean(entry.get("sensitivity")),
    )
