"""A person found among the kept sign-ins by what people call them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bridge.history.kept_sign_in import KeptSignIn

Names = Mapping[tuple[str, str], str]
"""How people call somebody, by issuer and subject: the history keeps no name that no rule reads."""


def find_people(sign_ins: Iterable[KeptSignIn], text: str, names: Names) -> tuple[KeptSignIn, ...]:
    """Return the latest sign-in of each person whom ``text`` may mean, the latest of all first.

    Args:
        sign_ins: oldest first, as the history reads them.
        text: a name, an e-mail address or a subject, or a part of one; case does not matter. Whoever it fits as a
            whole hides those whom it fits in part.
        names: from the audit log.
    """
    wanted = text.strip().casefold()
    latest: dict[str, tuple[bool, KeptSignIn]] = {}
    for kept in sign_ins:
        name = names.get((kept.identity.issuer, kept.identity.subject), kept.label)
        called = {each.casefold() for each in (name, kept.label, kept.identity.subject, kept.identity.email) if each}
        if wanted and any(wanted in each for each in called):
            latest.pop(kept.person, None)
            latest[kept.person] = (wanted in called, replace(kept, label=name))
    whole = any(fits for fits, _ in latest.values())
    return tuple(kept for fits, kept in reversed(latest.values()) if fits or not whole)


def find_sign_in(sign_ins: Iterable[KeptSignIn], issuer: str, subject: str) -> KeptSignIn | None:
    """Return the last of the sign-ins that is of a person, None without one."""
    found = None
    for kept in sign_ins:
        if (kept.identity.issuer, kept.identity.subject) == (issuer, subject):
            found = kept
    return found
