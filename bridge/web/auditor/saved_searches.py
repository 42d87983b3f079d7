"""Keep a search under a name of one's own, and forget it. It is all that an auditor can change."""

from urllib.parse import parse_qsl

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit.search.query import Search
from bridge.audit.search.saved import SavedSearches
from bridge.errors import TooLarge
from bridge.web.auditor.addresses import find_records
from bridge.web.auditor.auditing import Auditing

MAX_NUMBER = 2**31 - 1


class SavedSearchForms:
    """The two forms of saved searches."""

    def __init__(self, auditing: Auditing, saved: SavedSearches) -> None:
        """Take what knows the auditor, and where searches are kept."""
        self._auditing = auditing
        self._saved = saved

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("audit_saved", __name__, url_prefix="/audit/saved")
        routes.add_url_rule("", "keep", self.keep, methods=["POST"])
        routes.add_url_rule("/<int:number>/forget", "forget", self.forget, methods=["POST"])
        return routes

    def keep(self) -> AnyResponse:
        """Keep the search of the form, and go on with it."""
        search, _ = Search.parse(dict(parse_qsl(request.form.get("query", ""))))
        name = " ".join(request.form.get("name", "").split())
        if name and not self._saved.save(self._auditing.find_owner(), name, search):
            raise TooLarge("this auditor keeps as many searches as may be kept")
        return redirect(find_records(search.to_query()), 303)

    def forget(self, number: int) -> AnyResponse:
        """Forget one of the auditor's own searches."""
        if number <= MAX_NUMBER:
            self._saved.delete(self._auditing.find_owner(), number)
        return redirect(find_records({}), 303)
