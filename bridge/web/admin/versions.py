"""Versions of the rules: what is in force, what waits, what each node has; and the buttons that change it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.clock import Clock
from bridge.entitlements.rules import RuleFiles
from bridge.errors import Problem, RequestStale, SettingsError, VersionUnknown
from bridge.rollout.author import Author
from bridge.rollout.difference import Difference, compare_files
from bridge.rollout.nodes import Nodes
from bridge.rollout.roll_out import RollOut
from bridge.rollout.versions import MAX_MESSAGE, InForce
from bridge.settings import read_rule_files
from bridge.web.access import Access
from bridge.web.admin.administration import Administration
from bridge.web.origin import current_origin

CHANGES = 50
LINES = 2_000
"""How many lines of a difference a page shows."""
_KINDS = {"+": "added", "-": "removed", "@": "place", "…": "more"}


@dataclass(frozen=True)
class ShownFile:
    """The difference in one file, as the page shows it."""

    name: str
    kind: str
    added: int
    removed: int
    lines: tuple[tuple[str, str], ...]
    """What a line is, and the line without its sign."""


class Versions:
    """The pages about versions. Each change names what its page showed, and is refused if that is not so any more."""

    def __init__(  # noqa: PLR0917  the frame and its guards come first on every page
        self,
        administration: Administration,
        access: Access,
        roll_out: RollOut,
        nodes: Nodes,
        rules_folder: Path,
        clock: Clock,
        *,
        promoted: bool,
    ) -> None:
        """Take the frame, the guards, what changes rules, the nodes, and this node's folder of rules."""
        self._administration = administration
        self._access = access
        self._roll_out = roll_out
        self._nodes = nodes
        self._folder = rules_folder
        self._clock = clock
        self._promoted = promoted

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("admin_versions", __name__, url_prefix="/admin/versions")
        routes.add_url_rule("", "overview", self.overview)
        routes.add_url_rule("/draft", "draft", self.draft)
        routes.add_url_rule("/draft", "promote", self.promote, methods=["POST"])
        routes.add_url_rule("/requests/<request_id>", "request", self.show_request)
        routes.add_url_rule("/requests/<request_id>/confirm", "confirm", self.confirm, methods=["POST"])
        routes.add_url_rule("/requests/<request_id>/reject", "reject", self.reject, methods=["POST"])
        routes.add_url_rule("/<version>", "show", self.show)
        routes.add_url_rule("/<version>/rollback", "ask", self.ask)
        routes.add_url_rule("/<version>/rollback", "roll_back", self.roll_back, methods=["POST"])
        return routes

    def overview(self) -> AnyResponse:
        """Show what is in force and was, what waits for a second administrator, and what each node has."""
        now = self._clock.now()
        changes = self._roll_out.versions.changes(CHANGES)
        current = changes[0] if changes else None
        draft = self._read_draft()
        return self._administration.render(
            "admin_versions.html",
            current=current,
            changes=changes,
            waiting=self._roll_out.requests.waiting(current.version, now) if current else [],
            nodes=self._nodes.list(now),
            draft=draft is None or (current is not None and draft.version != current.version),
            promoted=self._promoted,
        )

    def draft(self) -> AnyResponse:
        """Show what the files of this node would change, and ask whether they should come into force."""
        current = self._find_current()
        draft, problems = self._read_draft(), list[Problem]()
        try:
            if draft is None:
                draft = read_rule_files(self._folder)
            self._roll_out.check(draft)
        except SettingsError as error:
            problems += error.problems
        return self._administration.render(
            "admin_version_diff.html",
            act="promote",
            current=current,
            version=draft.version if draft else "",
            before=current.version,
            files=self._show(compare_files(self._roll_out.versions.read(current.version), draft)) if draft else (),
            problems=[(problem.file.name, problem.line, problem.message, problem.fix) for problem in problems],
        )

    def promote(self) -> AnyResponse:
        """Bring the files of this node into force, if they are still those that the page showed."""
        author = self._find_author()
        files = read_rule_files(self._folder)
        if request.form.get("version") != files.version:
            raise RequestStale("the files are not those that the page showed")
        self._check_current()
        try:
            self._roll_out.promote(current_origin(), author, files, self._read_message())
        except SettingsError:
            return redirect(url_for("admin_versions.draft"), 303)  # it shows them
        return self._lead_back()

    def show(self, version: str) -> AnyResponse:
        """Show what differs between a version and the one that it replaced, or the one that ``?against=`` names."""
        versions = self._roll_out.versions
        found = versions.find(version)
        against = request.args.get("against", "")
        about = versions.last_change_to(found.version)
        before = versions.find(against).version if against else about.previous if about else None
        if before == found.version:
            before = None
        difference = compare_files(versions.read(before) if before else None, versions.read(found.version))
        return self._administration.render(
            "admin_version_diff.html",
            act="",
            found=found,
            current=self._find_current(),
            version=found.version,
            before=before,
            files=self._show(difference),
        )

    def ask(self, version: str) -> AnyResponse:
        """Show what going back to a version would change, and ask whether it should."""
        versions, current = self._roll_out.versions, self._find_current()
        found = versions.find(version)
        difference = compare_files(versions.read(current.version), versions.read(found.version))
        return self._administration.render(
            "admin_version_diff.html",
            act="rollback",
            found=found,
            current=current,
            version=found.version,
            before=current.version,
            files=self._show(difference),
        )

    def roll_back(self, version: str) -> AnyResponse:
        """Go back to a version."""
        author = self._find_author()
        found = self._roll_out.versions.find(version)
        self._check_current()
        self._roll_out.roll_back(current_origin(), author, found.version, self._read_message())
        return self._lead_back()

    def show_request(self, request_id: str) -> AnyResponse:
        """Show what a change that waits would change, and ask whether it should."""
        author, versions = self._find_author(), self._roll_out.versions
        waiting = self._roll_out.requests.read(request_id)
        difference = compare_files(versions.read(waiting.previous), versions.read(waiting.version))
        current = self._find_current()
        return self._administration.render(
            "admin_version_diff.html",
            act="confirm",
            asked=waiting,
            open=waiting.is_open(self._clock.now()) and current.version == waiting.previous,
            own=author.may_be(waiting.author),
            current=current,
            version=waiting.version,
            before=waiting.previous,
            files=self._show(difference),
        )

    def confirm(self, request_id: str) -> AnyResponse:
        """Bring a change into force that somebody else asked for."""
        self._roll_out.confirm(current_origin(), self._find_author(), request_id)
        return self._lead_back()

    def reject(self, request_id: str) -> AnyResponse:
        """Let a change wait no more."""
        self._roll_out.reject(current_origin(), self._find_author(), request_id)
        return self._lead_back()

    def _find_author(self) -> Author:
        return Author.signed_in(self._access.require_administrator().identity)

    def _find_current(self) -> InForce:
        current = self._roll_out.versions.latest()
        if current is None:
            raise VersionUnknown("nothing has come into force yet")
        return current

    def _check_current(self) -> None:
        current = self._find_current()
        if request.form.get("in_force") != current.version:
            raise RequestStale(f"in force is {current.version[:12]}, which is not what the page showed")

    def _read_draft(self) -> RuleFiles | None:
        try:
            return read_rule_files(self._folder)
        except SettingsError:
            return None

    def _read_message(self) -> str:
        return request.form.get("message", "").strip()[:MAX_MESSAGE]

    def _lead_back(self) -> AnyResponse:
        return redirect(url_for("admin_versions.overview"), 303)

    def _show(self, difference: Difference) -> list[ShownFile]:
        left = LINES
        shown = []
        for file in difference.files:
            lines = tuple(islice(_describe_lines(file.lines), left))
            left -= len(lines)
            if len(lines) < len(file.lines):
                lines += (("more", str(len(file.lines) - len(lines))),)
            shown.append(ShownFile(file.name, file.kind, file.added, file.removed, lines))
        return shown


def _describe_lines(lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for line in lines:
        kind = _KINDS.get(line[:1], "same")
        yield kind, line if kind == "place" else line[1:]
