"""Where somebody goes on after a page could not be shown: to the same page, or to where the form stood.

Both are paths of our own, by what every browser makes of them (threat WEB-10).
"""

from flask import request, url_for
from werkzeug.exceptions import HTTPException

from bridge.web.access import LEVELS
from bridge.web.return_path import local_path

START = "/?choose=1"
"""The portal; without a session the page that asks for a provider, so that nobody is sent back to one that refused."""

_BRIEF = 429
"""What may be over in a moment: too many requests, and from 500 on a part that is down."""
_OURS = 500
_ON_CARDS = frozenset({"portal.console", "portal.credentials", "portal.favourite"})


def find_retry(status: int, *, same: bool = False) -> str:
    """Return where "Try again" leads after an error of this HTTP status; ``same`` says that it may be over at any.

    That is the same page where showing it changes nothing and the fault may be over, else the start page. What
    everybody may ask for is never shown again: the answer of a provider counts once.
    """
    passing = same or status == _BRIEF or status >= _OURS
    reads = request.method in {"GET", "HEAD"} and LEVELS.get(request.endpoint or "", "public") != "public"
    path = local_path(request.full_path.rstrip("?")) if passing and reads else "/"
    return START if path == "/" else path


def find_form() -> str | None:
    """Return where the form of this request stands, for whoever sent it after the session's end; None: nowhere.

    A form may say so in ``back``; those of a card stand on the portal, where the card is marked then.
    """
    endpoint, arguments = request.endpoint, request.view_args or {}
    try:
        form = request.form
    except HTTPException:
        return None  # too large, or no form
    said = local_path(form.get("back", ""))
    if said != "/":
        return said
    if endpoint in _ON_CARDS:
        return f"/?again=1#card-{arguments['entitlement_id']}"
    if endpoint == "links.make":
        return url_for("links.ask", **arguments)
    everywhere = endpoint == "logout.end" and form.get("everywhere") == "yes"
    if everywhere or endpoint in {"own_sessions.end", "own_sessions.end_others"}:
        return url_for("own_sessions.show")
    return None
