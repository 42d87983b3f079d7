"""Who would gain and who would lose what under other rules, before those are in force."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from bridge.clock import Clock
from bridge.entitlements.rules import RuleFiles, RuleSet, RulesInForce
from bridge.errors import NotFound, SettingsError
from bridge.history.history import History
from bridge.language import spoken
from bridge.preview.drafts import Draft
from bridge.preview.runs import Run, Runs, Task
from bridge.preview.words import describe_share, describe_unjudged
from bridge.web.admin.administration import Administration

WINDOWS = (1, 7, 14, 30, 90, 400)
"""How many days back one can choose to go, as far as sign-ins are kept."""
MOST_PROBLEMS = 30
MOST_ROWS = 200


class Preview:
    """The pages about a change that is not yet made. Looking leaves no record: see docs/decisions/0041."""

    def __init__(
        self,
        administration: Administration,
        runs: Runs,
        history: History,
        rules: RulesInForce,
        clock: Clock,
        *,
        drafts: Callable[[], Sequence[Draft]],
        compile_draft: Callable[[RuleFiles], RuleSet],
        kept_claims: Sequence[str] | None,
    ) -> None:
        """Take the frame, the runs, what there is to try and what it is compared with.

        Args:
            administration: the frame.
            runs: what replays.
            history: the kept sign-ins.
            rules: those in force.
            clock: the time.
            drafts: returns what one can choose from at this moment.
            compile_draft: makes rules of files; raises SettingsError.
            kept_claims: the setting of that name.
        """
        self._administration = administration
        self._runs = runs
        self._history = history
        self._rules = rules
        self._clock = clock
        self._drafts = drafts
        self._compile = compile_draft
        self._kept_claims = kept_claims

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("admin_preview", __name__, url_prefix="/admin")
        routes.add_url_rule("/preview", "choose", self.choose)
        routes.add_url_rule("/preview", "start", self.start, methods=["POST"])
        routes.add_url_rule("/preview/<run_id>", "show", self.show)
        routes.add_url_rule("/preview/<run_id>/progress", "progress", self.progress)
        return routes

    def choose(self) -> Response:
        """Ask what to try, and on which sign-ins."""
        return self._render_form(request.args.get("draft", ""), max(self._windows(), default=0))

    def start(self) -> AnyResponse:
        """Begin a run, and lead to its page; with a draft that has problems, show these."""
        key, days = request.form.get("draft", ""), request.form.get("days", "")
        draft = next((each for each in self._drafts() if each.key == key), None)
        if draft is None or days not in {str(each) for each in self._windows()}:
            raise NotFound("no such draft or window")
        before = self._rules.current
        try:
            after = self._compile(draft.load())
        except SettingsError as error:
            page = self._render_form(key, int(days), problems=error.problems[:MOST_PROBLEMS])
            page.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
            return page
        until = self._clock.now()
        kept = before.claims_read if self._kept_claims is None else frozenset(self._kept_claims)
        run_id = self._runs.start(Task(draft.title, before, after, until - timedelta(days=int(days)), until, kept))
        if run_id is None:
            page = self._render_form(key, int(days), busy=True)
            page.status_code = HTTPStatus.CONFLICT
            return page
        return redirect(url_for("admin_preview.show", run_id=run_id), 303)

    def show(self, run_id: str) -> Response:
        """Show how far a run is, or what it found."""
        run = self._find(run_id)
        result = run.results.get(spoken())
        if result is None:
            return self._administration.render("admin_preview_running.html", run=run)
        report = result.report
        return self._administration.render(
            "admin_preview_result.html",
            run=run,
            report=report,
            shown=MOST_ROWS,
            in_force=self._rules.current.version,
            summary=describe_share(report),
            unjudged=[(each.rule, describe_unjudged(each)) for each in report.unjudged],
            picture=Markup(result.picture),  # noqa: S704  our own code drew it, and escaped every name
            table=result.table,
        )

    def progress(self, run_id: str) -> Response:
        """Say how far a run is, for the script of its page."""
        run = self._find(run_id)
        return jsonify(state=run.state, done=run.done, total=run.total)

    def _find(self, run_id: str) -> Run:
        run = self._runs.find(run_id)
        if run is None:
            raise NotFound("no such preview, or it is more than an hour ago")
        return run

    def _windows(self) -> list[int]:
        """Return the days to choose from."""
        most = self._history.keep_days
        return sorted({days for days in WINDOWS if days < most} | {most}) if most else []

    def _render_form(self, key: str, days: int, **values: object) -> Response:
        drafts = self._drafts()
        until = self._clock.now()
        windows = [(each, self._history.count(until - timedelta(days=each), until)) for each in self._windows()]
        return self._administration.render(
            "admin_preview.html", drafts=drafts, chosen=key, windows=windows, chosen_days=days, **values
        )
