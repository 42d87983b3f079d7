"""The roles whose credentials should come from this bridge alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Governed:
    """Tells of each role of the cloud whether rules govern it."""

    accounts: Mapping[str, str]
    """Our names of the accounts, by their ids."""
    patterns: tuple[tuple[str, str], ...]
    """The governed ones: our name of the account and the role's, with ``*``, ``?`` and ``[ ]`` as in file names."""
    shared: tuple[tuple[str, str], ...] = ()
    """Of these, the ones that others may use as well, so that nothing can be said of them."""
    _known: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False, compare=False)

    def __contains__(self, place: tuple[str, str]) -> bool:
        """Tell whether a role, by the account's *id* and its name, is governed. Case says nothing in a role's name."""
        found = self._known.get(place)
        if found is None:
            account, role = self.accounts.get(place[0]), place[1].casefold()
            found = account is not None and _matches(account, role, self.patterns)
            found = found and not _matches(account or "", role, self.shared)
            self._known[place] = found
        return found


def split_patterns(patterns: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return ``ACCOUNT/ROLE`` patterns as pairs."""
    pairs = (pattern.partition("/") for pattern in patterns)
    return tuple((account, role) for account, _, role in pairs)


def _matches(account: str, role: str, patterns: Iterable[tuple[str, str]]) -> bool:
    return any(fnmatchcase(account, wanted) and fnmatchcase(role, name.casefold()) for wanted, name in patterns)
