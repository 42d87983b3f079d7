"""One browser: what a person does with it, and what goes over the wire for that."""

import time
from dataclasses import dataclass
from urllib.parse import urldefrag, urlencode

import requests
from requests.cookies import RequestsCookieJar

from bridge.sandbox.browser.addresses import extract_site, hide_query
from bridge.sandbox.browser.cookies import CookiePolicy
from bridge.sandbox.browser.forms import Control, Form
from bridge.sandbox.browser.navigation import Navigation
from bridge.sandbox.browser.page import Page

_MAXIMUM_REDIRECTS = 20
_DEFAULT_REFERRER_POLICY = "strict-origin-when-cross-origin"


@dataclass(frozen=True)
class Step:
    """One request that was made. ``url`` has no values in its query: they may be secrets."""

    method: str
    url: str
    status: int
    milliseconds: float


class Browser:
    """One browser with an empty profile."""

    def __init__(self, language: str = "en", timeout_seconds: float = 60.0) -> None:
        """Ask for pages in ``language``; no answer may take longer than ``timeout_seconds``."""
        self.trace: list[Step] = []
        self._page: Page | None = None
        self._language = language
        self._timeout_seconds = timeout_seconds
        self._policy = CookiePolicy()
        self._session = requests.Session()
        self._session.cookies = RequestsCookieJar(policy=self._policy)
        self._session.trust_env = False

    @property
    def page(self) -> Page:
        """Where the browser is."""
        if self._page is None:
            raise LookupError("no page was opened yet")
        return self._page

    @property
    def cookies(self) -> RequestsCookieJar:
        """The cookies of this profile."""
        return self._session.cookies

    def open(self, url: str) -> Page:
        """Return the page at an address that somebody typed: no other site takes part."""
        return self._navigate("GET", url, None, initiator=None)

    def click(self, text: str) -> Page:
        """Return the page behind the link or the button of this text."""
        links = [link for link in self.page.links if link.text == text]
        if links:
            return self._navigate("GET", links[0].url, None, initiator=self.page.url)
        return self.submit(text)

    def submit(self, which: str | None = None, **fields: str) -> Page:
        """Return the page that follows a form, with ``fields`` filled in.

        ``which`` is the text of a button, the ``id`` of a form, or the path of its address; None means the only form.
        Raises ``LookupError`` for a form or field that is not there, since nobody could fill it in.
        """
        form, button = self.page.find_form(which)
        return self._submit(form, button, fields, user_activated=True)

    def auto_submit(self) -> Page:
        """Return the page that follows a form which the page's script would submit."""
        form = self.page.find_auto_submit_form()
        button = form.buttons[0] if form.buttons else None
        return self._submit(form, button, {}, user_activated=False)

    def _submit(self, form: Form, button: Control | None, fields: dict[str, str], *, user_activated: bool) -> Page:
        values = form.fields
        for name, value in fields.items():
            form.check_fillable(name, value)
            values[name] = value
        if button is not None and button.name:
            values[button.name] = button.value
        address = (button.action if button else None) or form.action
        if form.method == "POST":
            body: str | None = urlencode(values)
        else:
            address, body = f"{address.partition('?')[0]}?{urlencode(values)}", None
        return self._navigate(form.method, address, body, initiator=self.page.url, user_activated=user_activated)

    def _navigate(
        self, method: str, url: str, body: str | None, *, initiator: str | None, user_activated: bool = True
    ) -> Page:
        url = urldefrag(url).url
        policy = self._page.headers.get("Referrer-Policy") if self._page and initiator else None
        navigation = Navigation(method, url, body, initiator, policy or _DEFAULT_REFERRER_POLICY, user_activated)
        for _ in range(_MAXIMUM_REDIRECTS + 1):
            response = self._send(navigation)
            if not response.is_redirect:
                self._page = Page(response.status_code, navigation.url, response.headers, response.text)
                return self._page
            navigation.follow(response)
        raise requests.TooManyRedirects(f"more than {_MAXIMUM_REDIRECTS} redirects", response=response)

    def _send(self, navigation: Navigation) -> requests.Response:
        initiator = navigation.initiator
        self._policy.cross_site = initiator is not None and extract_site(initiator) != extract_site(navigation.url)
        self._policy.safe_method = navigation.method == "GET"
        headers = navigation.build_headers() | {"Accept-Language": self._language}
        # Prepared without the session, which would copy the cookies into a jar that does not know our policy.
        request = requests.Request(
            navigation.method, navigation.url, headers, data=navigation.body, cookies=self._session.cookies
        ).prepare()
        started = time.perf_counter()
        response = self._session.send(request, allow_redirects=False, timeout=self._timeout_seconds)
        milliseconds = (time.perf_counter() - started) * 1000
        shown = hide_query(navigation.url)
        self.trace.append(Step(navigation.method, shown, response.status_code, milliseconds))
        if "charset" not in response.headers.get("Content-Type", ""):
            response.encoding = "utf-8"
        return response
