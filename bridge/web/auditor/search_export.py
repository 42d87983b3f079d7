"""What a search finds as a file: recorded before it leaves, as every export is.

The newest records only: a whole log is for ``rambridge audit export``, which also writes bundles with proofs.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from bridge.audit.events import AuditExported
from bridge.audit.export.forms import Form, find_form
from bridge.audit.log import AuditLog
from bridge.audit.search.query import Search
from bridge.audit.search.search import AuditSearch
from bridge.errors import NotFound
from bridge.web.access import Access
from bridge.web.auditor.addresses import find_records
from bridge.web.origin import current_origin

MAX_EXPORTED = 10_000
FORMS = (("JSON Lines", "jsonl"), ("CSV", "csv"), ("OCSF", "ocsf"))
"""What the page offers, by the names of :func:`find_form`."""
_AT_ONCE = 500


class SearchExport:
    """Gives a search's records away, to auditors."""

    def __init__(self, access: Access, search: AuditSearch, audit: AuditLog, log_name: str) -> None:
        """Take the guards, what finds records, the log, and its name."""
        self._access = access
        self._search = search
        self._audit = audit
        self._log_name = log_name

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("audit_export", __name__, url_prefix="/audit/records")
        routes.add_url_rule("/export", "download", self.download)
        return routes

    def download(self) -> AnyResponse:
        """Return the newest records that the address asks for, as ``?format=``."""
        self._access.check_same_origin()  # it is recorded in the auditor's name, so no link elsewhere may ask for it
        search, problems = Search.parse(request.args)
        if problems:  # without that filter it would be a file of more than was asked for
            return redirect(find_records(request.args), 303)
        name = request.args.get("format", "")
        try:
            form = find_form(name, self._log_name)
        except KeyError:
            raise NotFound(f"there is no form {name}") from None
        records = list(self._read(search))
        content = _encode(form, records)
        self._record(name, records, content)
        answer = Response(content, content_type=form.media_type)
        answer.headers["Content-Disposition"] = f"attachment; filename=records{form.suffix}"
        return answer

    def _read(self, search: Search) -> Iterator[dict[str, Any]]:
        before, left = None, MAX_EXPORTED
        while left > 0:
            page = self._search.find(search, before=before, count=min(left, _AT_ONCE))
            yield from page.records
            left -= len(page.records)
            if page.older is None:
                return
            before = page.older

    def _record(self, name: str, records: list[dict[str, Any]], content: bytes) -> None:
        who = self._access.require_auditor().identity
        positions = [each["position"] for each in records]
        event = AuditExported(
            author=who.name,
            form=name,
            contents="opened",
            first=min(positions, default=0),
            end=max(positions, default=-1) + 1,
            records=len(records),
            file_digest=hashlib.sha256(content).hexdigest(),
            issuer=who.issuer,
            subject=who.subject,
        )
        self._audit.append(current_origin(), event)


def _encode(form: Form, records: list[dict[str, Any]]) -> bytes:
    return "".join((form.head, *map(form.encode, records))).encode()
