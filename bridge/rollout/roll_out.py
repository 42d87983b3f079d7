"""Bring another version of the rules into force: measure, ask, record, then change, in this order.

What is in force is the last row of a table, and whoever adds one holds the writer's lock from the comparison with the
row before until the end: of two changes at once, one is refused as stale. The audit log has the change before the
table has it, so nothing that is unrecorded can take effect.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bridge.audit import events
from bridge.audit.events import BACKGROUND, Origin, Person
from bridge.audit.log import AuditLog
from bridge.clock import Clock
from bridge.entitlements.rules import RuleFiles, RuleSet
from bridge.errors import BridgeError, RequestStale, RequestUnknown, RulesUnchanged, SamePerson
from bridge.rollout.announcement import Announcement
from bridge.rollout.author import Author
from bridge.rollout.change import Change, MeasureChange
from bridge.rollout.difference import Difference, compare_files
from bridge.rollout.requests import Request, Requests, add_request, decide, find_request, make_id
from bridge.rollout.tables import Tables
from bridge.rollout.versions import InForce, Reason, Versions, add_change, keep, read_latest

_logger = logging.getLogger(__name__)

RECORDED_CHARACTERS = 16_000
"""How much of a difference stands in its record."""

_EVENTS: dict[Reason, type[events.RulesChange]] = {
    "promote": events.RulesPromoted,
    "rollback": events.RulesRolledBack,
    "files": events.RulesTaken,
}


@dataclass(frozen=True)
class Outcome:
    """What became of a change: it is in force, or it waits."""

    in_force: InForce | None
    request: Request | None = None
    told: bool = False
    """Whether Redis has told the nodes; else they notice within seconds by themselves."""


@dataclass(frozen=True)
class _Wish:
    """A change that somebody wants."""

    files: RuleFiles
    reason: Reason
    author: Author
    message: str


class RollOut:
    """Changes what is in force."""

    def __init__(
        self,
        tables: Tables,
        audit: AuditLog,
        clock: Clock,
        announcement: Announcement,
        compile_files: Callable[[RuleFiles], RuleSet],
        *,
        max_changed_share: float | None = None,
        measure: MeasureChange | None = None,
    ) -> None:
        """Take what it works with.

        Args:
            tables: the database.
            audit: where every change is recorded before.
            clock: the time.
            announcement: how nodes learn of it.
            compile_files: turns files into rules, or raises SettingsError.
            max_changed_share: of people whose decision changes, 0 to 1, from which a second administrator is asked;
                None: never.
            measure: how many people a change concerns. Without it nobody knows, and a limit holds every change.
        """
        self.versions = Versions(tables)
        self.requests = Requests(tables)
        self._tables = tables
        self._audit = audit
        self._clock = clock
        self._announcement = announcement
        self._compile = compile_files
        self._share = max_changed_share
        self._measure = measure

    def promote(self, origin: Origin, author: Author, files: RuleFiles, message: str = "") -> Outcome:
        """Bring files into force, or have them wait for a second administrator.

        Raises:
            SettingsError: they have errors. Recorded.
            RulesUnchanged: they are in force.
            RequestStale: something else came into force meanwhile. Recorded.
            RolloutUnavailable: the database does not answer.
            AuditUnavailable: the change cannot be recorded, so it was not made.
        """
        return self._change(origin, _Wish(files, "promote", author, message))

    def roll_back(self, origin: Origin, author: Author, version: str, message: str = "") -> Outcome:
        """Bring back a version that is kept; as :meth:`promote`, and VersionUnknown if it is not.

        What the last change replaced comes back at once, however many people that changes: it passed the same
        question before, and a mistake must be undone by whoever sees it.
        """
        return self._change(origin, _Wish(self.versions.read(version), "rollback", author, message))

    def take_files(self, author: Author, files: RuleFiles) -> Outcome:
        """Bring the files of a machine into force; as :meth:`promote`.

        Every process of a machine calls it, and each more than once: what waits already is not asked for again, and
        what an administrator rejected stays rejected. What is in force already is no error.
        """
        latest = self.versions.latest()
        if latest and latest.version == files.version:
            return Outcome(latest)
        if latest:
            request = self.requests.find(files.version, latest.version, "files")
            if request and (request.state == "rejected" or request.is_open(self._clock.now())):
                return Outcome(None, request)
        try:
            return self._change(BACKGROUND, _Wish(files, "files", author, ""))
        except (RequestStale, RulesUnchanged):  # another process was faster
            latest = self.versions.latest()
            if latest and latest.version == files.version:
                return Outcome(latest)
            raise

    def confirm(self, origin: Origin, author: Author, request_id: str) -> Outcome:
        """Bring a waiting change into force, as the second administrator.

        Raises:
            RequestUnknown: it does not wait, or not any more.
            SamePerson: the author may be who asked for it. Recorded.
            RequestStale: something else came into force since. Recorded.
            SettingsError: with the configuration of today its rules have errors. Recorded.
            RolloutUnavailable, AuditUnavailable: as above.
        """
        request = self._find_waiting(request_id)
        if author.may_be(request.author):
            refusal = SamePerson(f"{author.name} asked for it as {request.author.name}")
            self._record_refusal(origin, author, request.version, request.previous, refusal, request.id)
            raise refusal
        files = self.versions.read(request.version)
        wish = _Wish(files, request.reason, request.author, request.message)
        self._compile_recorded(origin, wish, request.previous)
        known = None
        if request.changed is not None and request.people is not None:
            known = Change(request.changed, request.people)
        difference = compare_files(self.versions.read(request.previous), files)
        return self._enter(origin, wish, request.previous, difference, known, request, author)

    def reject(self, origin: Origin, author: Author, request_id: str) -> None:
        """Let a waiting change wait no more; whoever asked for it may do so too. Raises as :meth:`confirm` does."""
        request = self._find_waiting(request_id)
        refusal = RequestUnknown(f"rejected by {author.name}")
        self._record_refusal(origin, author, request.version, request.previous, refusal, request.id, code="rejected")
        with self._tables.writing() as connection:
            if not decide(connection, request.id, "rejected", author):
                raise RequestUnknown("somebody else decided it at the same time")

    def check(self, files: RuleFiles) -> None:
        """Raise SettingsError if files could not come into force."""
        self._compile(files)

    def _change(self, origin: Origin, wish: _Wish) -> Outcome:
        latest = self.versions.latest()
        previous = latest.version if latest else None
        if previous == wish.files.version:
            raise RulesUnchanged(f"version {wish.files.version[:12]} is in force")
        after = self._compile_recorded(origin, wish, previous)
        old_files = self.versions.read(previous) if previous else None
        difference = compare_files(old_files, wish.files)
        known: Change | None = None
        undoes = wish.reason == "rollback" and latest is not None and latest.previous == wish.files.version
        if self._share is not None and old_files is not None and previous is not None:
            known = self._find_change(old_files, after)
            if not undoes and (known is None or known.share > self._share):
                return self._hold(origin, wish, previous, difference, known)
        return self._enter(origin, wish, previous, difference, known)

    def _find_change(self, old_files: RuleFiles, after: RuleSet) -> Change | None:
        """Return how much changes; None if that cannot be found out, which a second administrator has to weigh."""
        if self._measure is None:
            return None
        try:
            change = self._measure(self._compile(old_files), after)
        except BridgeError as error:
            _logger.warning("how many people a change of the rules concerns is unknown: %s", error.detail)
            return None
        return change if change.people else None  # of nobody nobody changes, which says nothing

    def _compile_recorded(self, origin: Origin, wish: _Wish, previous: str | None) -> RuleSet:
        try:
            return self._compile(wish.files)
        except BridgeError as error:
            if wish.reason != "files":  # each process says so for itself
                self._record_refusal(origin, wish.author, wish.files.version, previous, error)
            raise

    def _hold(
        self, origin: Origin, wish: _Wish, previous: str, difference: Difference, known: Change | None
    ) -> Outcome:
        now = self._clock.now()
        request = Request(
            id=make_id(),
            version=wish.files.version,
            previous=previous,
            reason=wish.reason,
            at=now,
            author=wish.author,
            message=wish.message,
            changed=known.changed if known else None,
            people=known.people if known else None,
            state="waiting",
            decided_by="",
        )
        event = events.RulesHeld(**_describe(wish, previous, difference, known), request=request.id)
        with self._recording_stale(origin, wish, previous), self._tables.writing() as connection:
            _check_current(read_latest(connection), previous)
            other = find_request(connection, wish.files.version, previous, wish.reason)
            if other and other.is_open(now):  # somebody, or another process, was faster
                return Outcome(None, other)
            self._audit.append(origin, event)
            keep(connection, wish.files, now, wish.author.name, wish.message)
            add_request(connection, request)
        return Outcome(None, request)

    def _enter(  # noqa: PLR0917
        self,
        origin: Origin,
        wish: _Wish,
        previous: str | None,
        difference: Difference,
        known: Change | None,
        request: Request | None = None,
        second: Author | None = None,
    ) -> Outcome:
        """Bring the version into force unless another one than ``previous`` is by now."""
        now = self._clock.now()
        event = _EVENTS[wish.reason](
            **_describe(wish, previous, difference, known),
            request=request.id if request else "",
            confirmed_by=_person(second) if second else None,
        )
        with (
            self._recording_stale(origin, wish, previous, request, second),
            self._tables.writing() as connection,
        ):
            latest = read_latest(connection)
            _check_current(latest, previous)
            if request and second and not decide(connection, request.id, "confirmed", second):
                raise RequestUnknown("somebody else decided it at the same time")
            change = InForce(
                number=latest.number + 1 if latest else 1,
                version=wish.files.version,
                previous=previous,
                reason=wish.reason,
                at=now,
                author=wish.author.name,
                message=wish.message,
                confirmed_by=second.name if second else "",
                added=difference.added,
                removed=difference.removed,
            )
            self._audit.append(origin, event)
            keep(connection, wish.files, now, wish.author.name, wish.message)
            add_change(connection, change)
        return Outcome(change, request, told=self._announcement.tell(change))

    @contextmanager
    def _recording_stale(
        self,
        origin: Origin,
        wish: _Wish,
        previous: str | None,
        request: Request | None = None,
        second: Author | None = None,
    ) -> Iterator[None]:
        try:
            yield
        except RequestStale as refusal:
            if second or wish.reason != "files":  # of a machine's processes all but the first come too late
                who, name = second or wish.author, request.id if request else ""
                self._record_refusal(origin, who, wish.files.version, previous, refusal, name)
            raise

    def _find_waiting(self, request_id: str) -> Request:
        request = self.requests.read(request_id)
        if request.state != "waiting":
            raise RequestUnknown(f"it was {request.state} by {request.decided_by}")
        if self._clock.now() >= request.expires_at:
            raise RequestUnknown("it is older than a day")
        return request

    def _record_refusal(  # noqa: PLR0917
        self,
        origin: Origin,
        author: Author,
        version: str,
        previous: str | None,
        refusal: BridgeError,
        request: str = "",
        *,
        code: str = "",
    ) -> None:
        event = events.RulesRefused(
            version=version,
            previous=previous or "",
            author=author.name,
            **author.person,
            code=code or refusal.code,
            detail=refusal.detail,
            request=request,
        )
        self._audit.append(origin, event)


def _check_current(latest: InForce | None, previous: str | None) -> None:
    if (latest.version if latest else None) != previous:
        raise RequestStale(f"in force is {latest.version[:12] if latest else 'nothing'} by now")


def _person(author: Author) -> Person:
    known = author.person
    return Person(known["issuer"], known["subject"] or author.name, author.name)


def _describe(wish: _Wish, previous: str | None, difference: Difference, known: Change | None) -> dict[str, Any]:
    return {
        "version": wish.files.version,
        "previous": previous or "",
        "author": wish.author.name,
        **wish.author.person,
        "message": wish.message,
        "diff_digest": difference.digest,
        "diff": difference.bound(RECORDED_CHARACTERS),
        "changed": known.changed if known else None,
        "people": known.people if known else None,
    }
