"""What ties credentials in the trail to what this bridge recorded.

Ways, best first:

- ``issued``: the AccessKeyId is one that we recorded when STS gave it to us
- ``request``: STS's RequestId of the exchange is; for a trail that leaves the AccessKeyId out
- ``step``: they asked STS for credentials that we issued, so they are those by which the bridge itself goes into an
  account ``via`` another. What else they ask for is not ours
- ``console``: a console sign-in by SAML leaves before there is an AccessKeyId. Account, role, session name and time are
  the same, and STS says that our own identity provider vouched for it, or nothing. A sign-in explains one answer of
  STS: a second one was got by somebody who sent the response again, or who can make such responses
- ``chained``: asked for with credentials that any of these but ``step`` explains

AccessKeyIds need no clock. Where times are compared, theirs and ours may differ by ``tolerance``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

SECOND = 1_000_000
RESPONSE_LIFE = 300 * SECOND
"""How long after it left a signed response can be used, at most, in microseconds."""
_WITH_SAML = "AssumeRoleWithSAML"
HANDING_ON = frozenset({"issued", "request", "console", "chained"})


@dataclass(slots=True)
class Credentials:
    """What the trail says of one set of credentials, or of one console session without a key of its own."""

    name: str
    """The AccessKeyId, or ``session/`` and a digest."""
    account: str
    """The account's id."""
    role: str
    session: str
    """The keyed digest of the session name."""
    first: int
    """The first event, by their clock; microseconds since 1970, as all times here."""
    last: int
    created: int | None = None
    """When STS gave them out, by their clock; None: the trail has not said so."""
    action: str = ""
    """By which action of STS; empty: the trail has not said so."""
    provider: str = ""
    """The RAM identity provider that vouched for it."""
    caller: str = ""
    """What kind of identity asked STS: ``ram-user``, ``assumed-role`` and so on."""
    parent: str = ""
    """The AccessKeyId with which it was asked, if it was one of STS's."""
    request_id: str = ""
    """STS's RequestId, where the trail has it."""
    way: str = ""
    position: int | None = None
    """The place in the log of the record that explains them."""
    subject: str | None = None
    """The keyed digest of the person, as in records."""
    calls: int = 0
    number: int = 0
    """The number of their row; 0: there is none yet."""
    sealed: str | None = None
    """What is sealed of them."""

    @property
    def born(self) -> int:
        """Return when they began, as well as it is known."""
        return self.first if self.created is None else min(self.created, self.first)


class Issue(NamedTuple):
    """A record of ours by which credentials left, or a console sign-in did."""

    position: int
    subject: str | None
    opened: int
    """When it was recorded, by our clock."""
    closes: int
    """The end of the session; of use for console sign-ins alone."""


class Log(Protocol):
    """What is asked of our own log."""

    def find_keys(self, names: Collection[str]) -> Mapping[str, Issue]:
        """Return by AccessKeyId the record by which it was issued."""
        ...

    def find_requests(self, request_ids: Collection[str]) -> Mapping[str, Issue]:
        """Return by STS's RequestId the record of the exchange."""
        ...

    def find_console_sign_ins(
        self, places: Collection[tuple[str, str, str]]
    ) -> Mapping[tuple[str, str, str], Sequence[Issue]]:
        """Return by account id, role (lower case) and session name's digest the console sign-ins by SAML, by time."""
        ...


class Parents(Protocol):
    """What is asked of credentials that are not among those in hand."""

    def find_ways(self, names: Collection[str]) -> Mapping[str, tuple[str, int | None, str | None]]:
        """Return way, position and subject of those of the named credentials that are explained."""
        ...

    def find_steps(self, names: Collection[str]) -> Collection[str]:
        """Return those of the names with which credentials were asked for that are ``issued`` or ``request``."""
        ...

    def find_used(self, positions: Collection[int]) -> Collection[int]:
        """Return those of the positions whose console sign-in explains an answer of STS already."""
        ...


@dataclass(frozen=True)
class Join:
    """Explains credentials; holds what does not change between two runs."""

    log: Log
    parents: Parents
    our_providers: Collection[tuple[str, str, str]]
    """The RAM identity providers that stand for us: account id, action of STS, name."""
    tolerance: int
    """How far their clock and ours may be apart, in microseconds."""

    def explain(self, credentials: Iterable[Credentials], *, settled: bool = True) -> list[Credentials]:
        """Set ``way``, ``position`` and ``subject`` of those that can be explained now, and return these.

        Unless ``settled``, more is to come at once, and what depends on the order of events is left for then.
        """
        left = {each.name: each for each in credentials if not each.way}
        explained: list[Credentials] = []
        steps = [self._by_key, self._by_request, self._by_step, self._by_console, self._by_parent]
        if not settled:
            steps.remove(self._by_console)
        for step in steps:
            found = step(left, explained)
            explained += found
            for each in found:
                del left[each.name]
        return explained

    def _by_key(self, left: Mapping[str, Credentials], _: Sequence[Credentials]) -> list[Credentials]:
        found = self.log.find_keys(left.keys())
        return [_explain(left[name], "issued", issue) for name, issue in found.items()]

    def _by_request(self, left: Mapping[str, Credentials], _: Sequence[Credentials]) -> list[Credentials]:
        by_request = {each.request_id: each for each in left.values() if each.request_id}
        found = self.log.find_requests(by_request.keys())
        return [_explain(by_request[request_id], "request", issue) for request_id, issue in found.items()]

    def _by_step(self, left: Mapping[str, Credentials], explained: Sequence[Credentials]) -> list[Credentials]:
        names = {each.parent for each in explained} | set(self.parents.find_steps(left.keys()))
        steps = [left[name] for name in names if name in left]
        for each in steps:
            each.way = "step"
        return steps

    def _by_console(self, left: Mapping[str, Credentials], _: Sequence[Credentials]) -> list[Credentials]:
        by_place: dict[tuple[str, str, str], list[Credentials]] = defaultdict(list)
        for each in left.values():
            vouched = each.action == _WITH_SAML and (each.account, each.action, each.provider) in self.our_providers
            if vouched or not each.action:
                by_place[_place(each)].append(each)
        found = self.log.find_console_sign_ins(by_place.keys())
        used = set(self.parents.find_used([each.position for sign_ins in found.values() for each in sign_ins]))
        explained: list[Credentials] = []
        for place, sign_ins in found.items():
            explained += self._match(sorted(by_place[place], key=lambda each: each.born), sign_ins, used)
        return explained

    def _match(
        self, credentials: Sequence[Credentials], sign_ins: Sequence[Issue], used: set[int]
    ) -> list[Credentials]:
        explained = []
        for each in credentials:
            # For answers of STS the first that is left, in the order of both: no other choice explains more.
            for sign_in in sign_ins if each.action else reversed(sign_ins):
                end = sign_in.opened + RESPONSE_LIFE if each.action else sign_in.closes
                fits = sign_in.opened - self.tolerance <= each.born <= end + self.tolerance
                if fits and not (each.action and sign_in.position in used):
                    if each.action:
                        used.add(sign_in.position)
                    explained.append(_explain(each, "console", sign_in))
                    break
        return explained

    def _by_parent(self, left: Mapping[str, Credentials], explained: Sequence[Credentials]) -> list[Credentials]:
        children: dict[str, list[Credentials]] = defaultdict(list)
        for each in left.values():
            if each.parent:
                children[each.parent].append(each)
        ways = dict(self.parents.find_ways(children.keys()))
        ways |= {each.name: (each.way, each.position, each.subject) for each in explained}
        found: list[Credentials] = []
        waiting = [name for name in children if name in ways]
        while waiting:
            name = waiting.pop()
            way, position, subject = ways[name]
            for child in children.pop(name, ()) if way in HANDING_ON else ():
                child.way, child.position, child.subject = "chained", position, subject
                ways[child.name] = ("chained", position, subject)
                found.append(child)
                waiting.append(child.name)
        return found


def _place(credentials: Credentials) -> tuple[str, str, str]:
    return credentials.account, credentials.role.casefold(), credentials.session


def _explain(credentials: Credentials, way: str, issue: Issue) -> Credentials:
    credentials.way, credentials.position, credentials.subject = way, issue.position, issue.subject
    return credentials
