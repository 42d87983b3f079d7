"""In which language a request is answered: as the person chose here, else as the browser asks, else in English.

What a person chose is in a cookie of its own, SameSite=None: a provider's answer arrives by a POST of another site, and
its refusal is to be read as well. It opens nothing, and is believed only if it names a language that we have.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Flask, Response, make_response, render_template, request
from flask.globals import request_ctx
from markupsafe import escape
from werkzeug.exceptions import HTTPException

from bridge.errors import BadParameter, RequestError
from bridge.language import ENGLISH, LANGUAGES, speak, spoken, translate, translate_number, understand
from bridge.sessions.cookie import BROWSER_COOKIE_OPTIONS, LANGUAGE_COOKIE, LANGUAGE_COOKIE_SECONDS, read_single
from bridge.web.access import LEVELS, Access
from bridge.web.errors import show_again
from bridge.web.return_path import local_path

LONGEST_HEADER_CHARACTERS = 1024
"""Browsers send a tenth of that."""
_RANGE = re.compile(
    r"\s*(?P<tag>\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*[Qq]=(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?",
    re.ASCII,
)
"""One language range with its weight (RFC 9110 12.4.2, 12.5.4; RFC 4647 2.1)."""
_REFUSED = 400


def match_languages(header: str) -> str:
    """Return the language of LANGUAGES that an ``Accept-Language`` header likes best; English if it likes none.

    A range is understood by what it means, so that ``zh-Hans-CN`` and ``zh`` are ``zh-CN``; what is malformed is passed
    over. A weight of 0 rules out the languages that its range matches (RFC 4647 3.3.1), and no others.
    """
    found = [_RANGE.fullmatch(part) for part in header[:LONGEST_HEADER_CHARACTERS].split(",")]
    ranges = [(each["tag"].lower(), float(each["weight"] or 1)) for each in found if each]
    unwanted = {tag for tag, weight in ranges if weight == 0}
    named = {understand(tag) for tag, weight in ranges if weight > 0}

    def is_wanted(language: str) -> bool:
        subtags = language.lower().split("-")
        return not unwanted & {"-".join(subtags[:length]) for length in range(1, len(subtags) + 1)}

    def find(tag: str) -> str | None:
        if tag != "*":
            return understand(tag)
        others = (language for language in LANGUAGES if language not in named and is_wanted(language))
        return next(others, None)

    for tag, weight in sorted(ranges, key=lambda each: (-each[1], each[0] == "*")):
        language = find(tag) if weight > 0 else None
        if language is not None and is_wanted(language):
            return language
    return ENGLISH


def install_languages(app: Flask) -> None:
    """Let ``app`` answer each request in its language; to be called before anything else that looks at requests.

    Templates get ``_(message)`` and ``number(one, many, number)``, which take values for the places of a message; for
    ``_`` they may be markup.
    """
    app.jinja_env.globals["_"] = _translate
    app.jinja_env.globals["number"] = translate_number

    @app.before_request
    def begin() -> None:
        speak(_find_chosen() or match_languages(request.headers.get("Accept-Language", "")))

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        # The thread goes on to answer others, also where no page is asked for.
        speak(ENGLISH)

    @app.after_request
    def tell(response: Response) -> Response:
        if response.mimetype == "text/html" or (request.path.startswith("/api/") and response.status_code >= _REFUSED):
            response.content_language.add(spoken())
            response.vary.update(("Accept-Language", "Cookie"))
        return response

    @app.context_processor
    def describe() -> dict[str, Any]:
        return {
            "lang": spoken(),
            "other_languages": [(tag, name) for tag, name in LANGUAGES.items() if tag != spoken()],
            "this_page": _find_page(),
        }


class LanguageSwitch:
    """Where a person chooses a language."""

    def __init__(self, access: Access) -> None:
        """Take the guards."""
        self._access = access

    def blueprint(self) -> Blueprint:
        """Return the route."""
        routes = Blueprint("languages", __name__)
        routes.add_url_rule("/language", "choose", self.choose, methods=["POST"])
        return routes

    def choose(self) -> Response:
        """Remember a language in the browser, and lead on to where the person was, or show the same error again.

        Not by a redirect: what follows may lead to a provider, and browsers hold the redirects of a form to the policy
        of its page, which names none.
        """
        self._access.check_same_origin()
        language = request.form.get("language", "")
        if language not in LANGUAGES:
            raise BadParameter("no language has this tag")
        speak(language)
        response = make_response(self._go_on(request.form))
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=LANGUAGE_COOKIE_SECONDS, **BROWSER_COOKIE_OPTIONS)
        return response

    @staticmethod
    def _go_on(form: Mapping[str, str]) -> str:
        """Return a page that leads to where the person was, or the page of the error again that they read there."""
        page, code = form.get("page", ""), form.get("error", "")
        if code and not page:
            return show_again(
                code,
                form.get("reference", ""),
                entitlement=form.get("entitlement", ""),
                of_sign_out=form.get("of_sign_out") == "yes",
                upstream=(form.get("sts_code", ""), form.get("sts_request_id", "")),
            )
        return render_template("language.html", this_page=local_path(page) if page else "")


def _translate(message: str, **values: object) -> str:
    return escape(translate(message)) % values if values else translate(message)


def _find_chosen() -> str | None:
    try:
        chosen = read_single(request.headers.get("Cookie", ""), LANGUAGE_COOKIE)
    except RequestError:
        return None  # the views refuse such cookies, in some language
    return chosen if chosen in LANGUAGES else None


def _find_page() -> str:
    """Return the address of this page, or of the form that led to it, if it may be opened again; else nothing.

    A provider's answer may not, since it was used up: the page of its error is shown again by the code. Nothing of an
    address that anybody may make up stands in a page that anybody may ask for.
    """
    adapter = request_ctx.url_adapter
    try:
        endpoint, _ = adapter.match(method="GET") if adapter else ("", {})
    except HTTPException:
        return ""
    if LEVELS.get(endpoint, "public") == "public":
        return ""
    query = request.query_string.decode("latin-1") if request.method in {"GET", "HEAD"} else ""
    page = quote(request.path) + (f"?{query}" if query else "")
    return page if local_path(page) == page else ""
