"""Sees to it that a process decides by the rules that are in force, from one second to the next.

A thread asks Redis each second whether there is something new, looks into the database then, and every ten seconds in
any case. Where rules come from files, it also looks at the files. New rules are compiled beside the requests and
replace the old ones by one assignment: a request has the old rules or the new ones, and none waits. What cannot be
loaded changes nothing, and is said in the log, in the audit log, and to whoever asks for the state of the nodes.

Where large changes wait for a second administrator, files that came into force nowhere decide nothing here either, not
even at a start without the database: until it is known what is in force, and it can be loaded, nobody gets anything.
"""

import logging
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from bridge.audit import events
from bridge.audit.events import BACKGROUND
from bridge.audit.log import AuditLog
from bridge.clock import Clock
from bridge.entitlements.rules import RuleFiles, RuleSet, RulesInForce, build_rule_set
from bridge.errors import AuditError, BridgeError, RolloutUnavailable, SettingsError
from bridge.rollout.announcement import Announcement
from bridge.rollout.author import Author
from bridge.rollout.nodes import Node, Nodes, name_this_process
from bridge.rollout.roll_out import RollOut
from bridge.rollout.versions import InForce
from bridge.rollout.watch import Watch
from bridge.settings import Configuration

_logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0
DATABASE_TICKS = 10
"""After so many ticks the database is asked, whatever Redis says."""
REPORT_TICKS = 20
REMEMBERED = 500
"""So many changes back a start looks for the files that it finds."""
MAX_DETAIL = 400
NOTHING = "none"
"""Stands for the version of a process that grants nothing, since it does not know what is in force."""


@dataclass(frozen=True)
class Fault:
    """Why a process does not decide by the version that it should."""

    wanted: str
    code: str
    detail: str


class Follower:
    """Follows what is in force, for one process."""

    def __init__(
        self,
        *,
        configuration: Configuration,
        rules: RulesInForce,
        roll_out: RollOut,
        nodes: Nodes,
        announcement: Announcement,
        audit: AuditLog,
        clock: Clock,
        compile_files: Callable[[RuleFiles], RuleSet],
    ) -> None:
        """Take the rules with which the process starts, which are those of the configuration."""
        self._mode = configuration.settings.rules.rollout
        self._gated = configuration.settings.rules.max_changed_share is not None
        """Whether large changes wait: then files count only once the database says that they are in force."""
        self._rules = rules
        self._roll_out = roll_out
        self._nodes = nodes
        self._announcement = announcement
        self._audit = audit
        self._clock = clock
        self._compile = compile_files
        self._watch = Watch(configuration.folder / "rules")
        self._name = name_this_process()
        self._author = Author.of_command(f"files on {self._name.partition('/')[0]}")
        self._version = configuration.rule_files.version
        """By which it decides."""
        self._files = configuration.rule_files
        """In files mode: what stands on this machine's disk, as far as it is complete."""
        self._pending = True
        """Whether the files have still to be brought into force."""
        self._obeyed: int | None = None
        """In files mode: the number of the last change that was looked at; None at the start."""
        self._failed = ""
        """The version that could not be compiled with this configuration: it would fail again."""
        self._fault: Fault | None = None
        self._known: bytes | None = None

    @property
    def version(self) -> str:
        """Return the version by which this process decides."""
        return self._version

    @property
    def fault(self) -> Fault | None:
        """Return why it does not decide by what it should; None if it does."""
        return self._fault

    def describe(self) -> dict[str, str]:
        """Return the version by which this process decides, and ``in_force`` or the code of what keeps it there."""
        return {"version": self._version, "state": self._fault.code if self._fault else "in_force"}

    def begin(self) -> None:
        """Decide by what is in force, before the first request.

        Raises:
            BridgeError: rules are promoted, and what is in force cannot be found out or be loaded. Where they come
                from files, the process begins with them and goes on trying; with none at all where large changes wait.
        """
        self._known = self._announcement.read()
        if self._mode == "promote":
            self._follow_promoted()
        else:
            self._begin_with_files()
        self._report()

    def start(self) -> None:
        """Follow from now on, in a thread that ends with this object."""
        reference, wait = weakref.ref(self), threading.Event()
        threading.Thread(target=_follow_forever, args=(reference, wait), name="rules-follower", daemon=True).start()

    def tick(self, number: int) -> None:
        """Do what is due: called each second, with the number of the call."""
        told = self._announcement.read()
        news = told is not None and told != self._known
        due = news or number % DATABASE_TICKS == 0
        before = (self._version, self._fault)
        if self._mode == "files":
            due = self._look_for_changed_files() or due
        if due and self._look() and told is not None:
            self._known = told
        if (self._version, self._fault) != before or number % REPORT_TICKS == 0:
            self._report()

    def _look(self) -> bool:
        """Follow; return whether the database said what is in force."""
        try:
            if self._mode == "promote":
                self._follow_promoted()
            else:
                self._follow_files()
                if self._gated:
                    self._keep_last()
        except RolloutUnavailable as error:
            self._note(self._version, error)
            return False
        except BridgeError as error:
            self._note(self._version, error)
            return True
        if self._fault and self._fault.code == RolloutUnavailable.code:
            self._fault = None
        return True

    def _follow_promoted(self) -> None:
        latest = self._roll_out.versions.latest()
        if latest is None:  # the first start: what stands in the folder is in force
            latest = self._roll_out.take_files(self._author, self._files).in_force
        if latest is None:
            return
        self._take_over(latest.version)

    def _look_for_changed_files(self) -> bool:
        try:
            files = self._watch.look()
        except SettingsError as error:
            self._note("", error)
            return False
        if files is None or files.version == self._files.version:
            return False
        self._files, self._pending = files, True
        return True

    def _begin_with_files(self) -> None:
        """Begin with the files as they are now: the server that starts this process may have read them long ago."""
        if self._gated:
            self._grant_nothing()
        try:
            self._files = self._watch.read_now()
        except SettingsError as error:
            self._pending = False
            self._note("", error)
        try:
            self._follow_files()
            self._keep_last()
        except RolloutUnavailable as error:
            if self._gated:
                self._note(self._version, error)
            else:
                _logger.error("what was in force cannot be found out, so the files are: %s", error.detail)  # noqa: TRY400
        if self._version == NOTHING:
            _logger.error("nobody gets anything here until what is in force can be found out and be loaded")

    def _grant_nothing(self) -> None:
        """Whoever can write to the folder must not bring rules past the gate by a start at which it cannot be asked."""
        mine = self._rules.current
        self._rules.current = build_rule_set(NOTHING, (), mine.groups_claims, mine.schemas)
        self._version = NOTHING

    def _follow_files(self) -> None:
        """Obey whoever promoted or rolled back since the files changed; otherwise have the files come into force."""
        changes = self._roll_out.versions.changes(1 if self._obeyed is not None else REMEMBERED)
        if changes and self._is_order(changes):
            self._pending = False
            self._take_over(changes[0].version)
        self._obeyed = changes[0].number if changes else 0
        if self._pending:
            self._bring_files_into_force()

    def _is_order(self, changes: Sequence[InForce]) -> bool:
        """Return whether the last change is somebody's order that is newer than the files of this machine.

        Files that are found at the start are older than the order if they were in force before it, and nothing else but
        orders came since.
        """
        latest = changes[0]
        if latest.reason == "files" or latest.number == self._obeyed:
            return False
        if self._obeyed is not None:
            return True
        orders = takewhile(lambda change: change.reason != "files", changes)
        return self._files.version in {latest.version, *(order.previous for order in orders)}

    def _bring_files_into_force(self) -> None:
        files = self._files
        try:
            outcome = self._roll_out.take_files(self._author, files)
        except SettingsError as error:
            self._pending = False  # until they change again
            self._note(files.version, error)
            return
        if outcome.in_force:
            self._pending = False
            self._take_over(files.version, files)
        elif outcome.request:
            rejected = outcome.request.state == "rejected"
            self._pending = not rejected
            state = (
                f"{outcome.request.decided_by} rejected them"
                if rejected
                else f"they wait for an administrator ({outcome.request.describe_share()})"
            )
            self._note(files.version, BridgeError(f"request {outcome.request.id}: {state}"), code="rules_held")

    def _keep_last(self) -> None:
        """Where the files cannot come into force, take what is; and so does a process that grants nothing so far."""
        fault = self._fault
        kept_out = fault is not None and fault.code != RolloutUnavailable.code
        if not kept_out and self._version != NOTHING:
            return
        latest = self._roll_out.versions.latest()
        if latest:
            self._take_over(latest.version)
            if kept_out:
                self._fault = fault

    def _take_over(self, version: str, files: RuleFiles | None = None) -> None:
        """Decide by a version from now on, or say why not."""
        if version == self._failed:
            return
        if version != self._version:
            read = files or self._roll_out.versions.read(version)
            try:
                compiled = self._compile(read)
            except BridgeError as error:
                self._failed = version
                self._note(version, error)
                return
            self._rules.current = compiled
            _logger.warning("rules %s are in force, in place of %s", version[:12], self._version[:12])
            self._version = version
        self._fault, self._failed = None, ""

    def _note(self, wanted: str, error: BridgeError, *, code: str = "") -> None:
        """Say loudly, but once, that this process goes on with what it has."""
        problems = "\n".join(str(problem) for problem in error.problems) if isinstance(error, SettingsError) else ""
        detail = (problems or error.detail)[:MAX_DETAIL]
        fault = Fault(wanted, code or error.code, detail)
        if fault == self._fault:
            return
        self._fault = fault
        _logger.error(
            "rules %s did not come into force here, %s stay: %s: %s",
            wanted[:12] or "in the folder",
            self._version[:12],
            fault.code,
            problems or error.detail,
        )
        event = events.RulesNotLoaded(
            node=self._name, version=wanted, kept=self._version, code=fault.code, detail=fault.detail
        )
        try:
            self._audit.append(BACKGROUND, event)
        except AuditError:
            _logger.error("this could not be recorded")  # noqa: TRY400  the log has said why

    def _report(self) -> None:
        fault = self._fault
        node = Node(
            node=self._name,
            version=self._version,
            wanted=fault.wanted if fault else self._version,
            fault=f"{fault.code}: {fault.detail}" if fault else "",
            seen_at=self._clock.now(),
        )
        try:
            self._nodes.report(node)
        except RolloutUnavailable as error:
            _logger.warning("the state of this node could not be reported: %s", error.detail)


def _follow_forever(reference: "weakref.ref[Follower]", wait: threading.Event) -> None:
    number = 0
    while not wait.wait(TICK_SECONDS):
        number += 1
        follower = reference()
        if follower is None:
            return
        try:
            follower.tick(number)
        except Exception as error:  # noqa: BLE001  nobody would start the thread again
            _logger.error("following the rules failed: %s", type(error).__name__)  # noqa: TRY400
        del follower
