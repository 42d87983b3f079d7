"""Which credentials are strays: of a governed role, and nothing that we recorded explains them.

Whoever is called one has to be explained by somebody, so nothing is called one too early. Events come late: what began
less than ``settling`` before the newest event that was imported is waiting. And the log says nothing of what was before
it: what began earlier, or can have, is older than the log. A session lasts twelve hours at most.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bridge.audit.trail.governed import Governed
from bridge.audit.trail.join import SECOND, Credentials
from bridge.language import mark, translate

LONGEST_SESSION = 43_200 * SECOND

Reason = Literal["asked_with_key", "our_provider", "other_provider", "chained_from_unknown", "unknown"]


REASONS: Mapping[Reason, str] = {
    "asked_with_key": mark("%(caller)s called AssumeRole"),
    "chained_from_unknown": mark("asked for with %(parent)s, which is not ours either"),
    "our_provider": mark(
        "our provider %(provider)s vouched for it, says STS: our key, a lost record, a response sent twice"
    ),
    "other_provider": mark("%(action)s by the identity provider %(provider)s"),
    "unknown": mark("the trail does not say where it came from"),
}


_CALLERS: Mapping[str, str] = {
    "ram-user": mark("a RAM user"),
    "root-account": mark("the account itself"),
    "assumed-role": mark("a role"),
    "system": mark("a service"),
    "": mark("somebody"),
}


class Stray(NamedTuple):
    """Credentials that this bridge never issued, and how they came about as far as the trail says."""

    credentials: Credentials
    reason: Reason
    """``asked_with_key``: a RAM user, a root account or a service called AssumeRole.
    ``chained_from_unknown``: the same with a role's credentials that are not ours either.
    ``our_provider``: STS says that our identity provider vouched for it. Whoever holds our key can do that, or somebody
    sent the response of one console sign-in twice.
    ``other_provider``: another identity provider did. ``unknown``: the trail does not say."""


def describe_reason(stray: Stray) -> str:
    """Return in words how the credentials came about."""
    each = stray.credentials
    return translate(
        REASONS[stray.reason],
        caller=translate(_CALLERS[each.caller]) if each.caller in _CALLERS else each.caller,
        parent=each.parent,
        provider=each.provider,
        action=each.action,
    )


@dataclass(frozen=True)
class Scope:
    """What an import, and the search for strays, go by."""

    governed: Governed
    our_providers: frozenset[tuple[str, str, str]]
    """See :class:`bridge.audit.trail.join.Join`."""
    tolerance_seconds: int = 600
    """How far the cloud's clock and ours may be apart."""
    settling_seconds: int = 3_600
    """How late an event may come."""


@dataclass(frozen=True)
class Horizon:
    """Of when something can be said."""

    begins: int
    """The first record of the log that is kept, by our clock; microseconds since 1970."""
    newest: int
    """The newest event that was imported, by their clock."""
    tolerance: int
    """How far the clocks may be apart, in microseconds."""
    settling: int
    """How late an event may come, in microseconds."""

    def is_older(self, credentials: Credentials) -> bool:
        """Tell whether they can have begun before the log did."""
        born = credentials.born
        if credentials.created is None and not credentials.action:
            born -= LONGEST_SESSION
        return born < self.begins + self.tolerance

    def is_waiting(self, credentials: Credentials) -> bool:
        """Tell whether something that explains them may still come."""
        return credentials.first + self.settling > self.newest


def find_strays(
    credentials: Iterable[Credentials],
    governed: Governed,
    horizon: Horizon,
    our_providers: Collection[tuple[str, str, str]],
) -> Iterator[Stray]:
    """Yield each stray among credentials that nothing explains (see :class:`bridge.audit.trail.join.Join`)."""
    for each in credentials:
        if each.way or (each.account, each.role) not in governed:
            continue
        if not horizon.is_older(each) and not horizon.is_waiting(each):
            yield Stray(each, _find_reason(each, our_providers))


def _find_reason(credentials: Credentials, our_providers: Collection[tuple[str, str, str]]) -> Reason:
    if not credentials.action:
        return "unknown"
    if credentials.action == "AssumeRole":
        return "chained_from_unknown" if credentials.parent else "asked_with_key"
    ours = (credentials.account, credentials.action, credentials.provider) in our_providers
    return "our_provider" if ours else "other_provider"
