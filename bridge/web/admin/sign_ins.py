"""The latest sign-ins, accepted and refused."""

from flask import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit.reader import AuditReader
from bridge.web.admin.administration import Administration

SHOWN = 50


class SignIns:
    """The pages about sign-ins."""

    def __init__(self, administration: Administration, records: AuditReader) -> None:
        """Take the frame and the log."""
        self._administration = administration
        self._records = records

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("admin_sign_ins", __name__, url_prefix="/admin")
        routes.add_url_rule("/", "start", self.start)
        routes.add_url_rule("/sign-ins", "latest", self.latest)
        return routes

    def start(self) -> AnyResponse:
        """Lead to the first of the pages."""
        return redirect(url_for("admin_sign_ins.latest"), 303)

    def latest(self) -> Response:
        """List the latest sign-ins."""
        return self._administration.render("admin_sign_ins.html", sign_ins=self._records.latest_sign_ins(SHOWN))
