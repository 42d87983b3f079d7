"""Where somebody goes on after a page could not be shown: to the same page, or to where the form stood.

Both are paths of our own, by what every browser makes of them (threat WEB-10).
"""

from collections.abc import Mapping
from contextlib import suppress

from flask import current_app, request, url_for
from werkzeug.exceptions import HTTPException

from bridge.web.access import LEVELS
from bridge.web.return_path import local_path

START = "/?choose=1"
"""The portal; without a session the page that asks for a provider, so that nobody is sent back to one that refused."""

_BRIEF = 429
"""What may be over in a moment: too many requests, and from 500 on a part that is down."""
_OURS = 500
_ON_CARDS = frozenset({"portal.console", "portal.credentials", "portal.favourite"})
_PAGES: Mapping[str, str] = {
    "find.answer": "find.ask",
    "links.make": "links.ask",
    "own_sessions.end": "own_sessions.show",
    "own_sessions.end_others": "own_sessions.show",
    "admin_explain.answer": "admin_explain.form",
    "admin_preview.start": "admin_preview.choose",
    "admin_versions.promote": "admin_versions.draft",
    "admin_versions.confirm": "admin_versions.request",
    "admin_versions.reject": "admin_versions.request",
    "admin_versions.roll_back": "admin_versions.ask",
    "audit_records.search": "audit_records.latest",
    "audit_records.ask": "audit_overview.show",
    "audit_people.find": "audit_people.ask",
    "audit_saved.keep": "audit_records.latest",
    "audit_saved.forget": "audit_records.latest",
}
"""On which page the form of an endpoint stands."""


def find_retry(status: int, *, same: bool = False) -> str:
    """Return where "Try again" leads after an error of this HTTP status; ``same`` says that it may be over at any.

    Where the fault may be over, that is the same page if showing it changes nothing, or the page whose form was sent;
    else it is the start page. What everybody may ask for is never shown again: the answer of a provider counts once.
    """
    path = "/"
    if same or status == _BRIEF or status >= _OURS:
        path = local_path(request.full_path.rstrip("?")) if _reads() else find_form() or "/"
    return START if path == "/" else path


def find_form() -> str | None:
    """Return where the form of this request stands; None: nowhere, or it is a form that anybody may send.

    A form may say so in ``back``: what is sent with a session has been found to come from a page of ours before
    anything else is looked at. The portal, where those of a card stand, is where errors lead anyway.
    """
    endpoint, arguments = request.endpoint or "", request.view_args or {}
    if request.method != "POST" or LEVELS.get(endpoint, "public") in {"public", "caller"}:
        return None
    form: Mapping[str, str] = {}
    with suppress(HTTPException):  # too large, or no form
        form = request.form
    said = local_path(form.get("back", ""))
    if said != "/":
        return said
    everywhere = endpoint == "logout.end" and form.get("everywhere") == "yes"
    page = "own_sessions.show" if everywhere else _PAGES.get(endpoint)
    if page is None:
        return None
    taken = {name: value for name, value in arguments.items() if current_app.url_map.is_endpoint_expecting(page, name)}
    return url_for(page, **taken)


def find_form_too_late() -> str | None:
    """Return where the form of this request stands, for whoever sent it after the session's end; None: nowhere.

    For the form of a card that is the card: the portal says then that nothing was done.
    """
    form = find_form()
    if form is None and request.endpoint in _ON_CARDS:
        return f"/?again=1#card-{(request.view_args or {})['entitlement_id']}"
    return form


def _reads() -> bool:
    return request.method in {"GET", "HEAD"} and LEVELS.get(request.endpoint or "", "public") != "public"
