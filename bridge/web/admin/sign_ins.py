"""The latest sign-ins, accepted and refused, and the trace behind the reference of one."""

from http import HTTPStatus

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.advice import find_advice
from bridge.audit.events import EntitlementsResolved, SignInAccepted, SignInRefused
from bridge.audit.reader import AuditReader, parse_reference
from bridge.identity.checks import explain_checks
from bridge.identity.recorded_words import read_recorded
from bridge.web.admin.administration import Administration

SHOWN = 50


class SignIns:
    """The pages about sign-ins. Looking leaves no record: see docs/decisions/0041."""

    def __init__(self, administration: Administration, records: AuditReader) -> None:
        """Take the frame and the log."""
        self._administration = administration
        self._records = records

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("admin_sign_ins", __name__, url_prefix="/admin")
        routes.add_url_rule("/", "start", self.start)
        routes.add_url_rule("/sign-ins", "latest", self.latest)
        routes.add_url_rule("/sign-ins/<reference>", "show", self.show)
        return routes

    def start(self) -> AnyResponse:
        """Lead to the first of the pages."""
        return redirect(url_for("admin_sign_ins.latest"), 303)

    def latest(self) -> AnyResponse:
        """List the latest sign-ins; with ``?reference=``, lead to the page of that one."""
        asked = request.args.get("reference", "")
        reference = parse_reference(asked)
        if reference is not None:
            return redirect(url_for("admin_sign_ins.show", reference=reference), 303)
        sign_ins = self._records.latest_sign_ins(SHOWN)
        return self._administration.render("admin_sign_ins.html", sign_ins=sign_ins, wrong_reference=bool(asked))

    def show(self, reference: str) -> AnyResponse:
        """Show what was checked of one sign-in, what was measured and what is allowed, and what to do."""
        parsed = parse_reference(reference)
        records = [] if parsed is None else self._records.find(parsed)
        refusal = next((record for record in records if record["event"] == SignInRefused.name), None)
        page = self._administration.render(
            "admin_sign_in.html",
            reference=parsed,
            refusal=refusal,
            accepted=any(record["event"] == SignInAccepted.name for record in records),
            opened=any(record["event"] == EntitlementsResolved.name for record in records),
            advice=find_advice(refusal["code"]) if refusal else None,
            lines=explain_checks(refusal["protocol"], refusal.get("checks", ())) if refusal else (),
            detail=read_recorded(refusal.get("detail") or "") if refusal else "",
            others=[record for record in records if record is not refusal],
            read=read_recorded,
        )
        if not records:
            page.status_code = HTTPStatus.NOT_FOUND
        return page
