"""A scripted browser over HTTP: what ``rambridge demo --once`` and tests click with.

It keeps to what Chromium does where federation depends on it: which cookies go along (SameSite, Secure, prefixes),
what ``Origin``, ``Referer`` and ``Sec-Fetch-*`` say, and how redirects change all of that. It runs no script; a page
that submits itself has a form, and :meth:`Browser.auto_submit` does what the script would do.

It differs from Chromium in three ways. A site is scheme and host without a list of public suffixes, so that two hosts
of one domain are two sites. A cookie without SameSite is Lax from its first second. Nothing of a page's
Content-Security-Policy is enforced.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from http.cookiejar import Cookie, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit
from urllib.request import Request as CookieRequest

import requests
from requests.cookies import RequestsCookieJar

_MAXIMUM_REDIRECTS = 20
_USER_AGENT = "Mozilla/5.0 (compatible; scripted browser)"
_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_DEFAULT_REFERRER_POLICY = "strict-origin-when-cross-origin"


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Control:
    """One field or button of a form."""

    kind: str
    """``hidden``, ``text``, ``password``, ``radio``, ``checkbox``, ``select``, ``submit`` …."""
    name: str
    value: str
    chosen: bool
    """Whether it is sent unless somebody changes it."""
    text: str = ""
    """The visible text, or the accessible name, of a button."""
    action: str | None = None
    """``formaction`` of a button."""


@dataclass
class Form:
    """One form of a page."""

    id: str
    method: str
    action: str
    """Absolute."""
    auto_submit: bool
    controls: list[Control] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, str]:
        """What would be sent if it were submitted as it stands, without a button: one value for each name."""
        sent = (each for each in self.controls if each.chosen and each.name and each.kind != "submit")
        return {each.name: each.value for each in sent}

    @property
    def buttons(self) -> list[Control]:
        """Its submit buttons, in the order of the page."""
        return [each for each in self.controls if each.kind == "submit"]


@dataclass(frozen=True)
class Link:
    """One link of a page."""

    text: str
    """The visible text, or the accessible name."""
    url: str
    """Absolute."""


@dataclass(frozen=True)
class Page:
    """What the last navigation ended at."""

    status: int
    url: str
    headers: Mapping[str, str]
    html: str

    @cached_property
    def _parsed(self) -> "_PageParser":
        parser = _PageParser(self.url)
        parser.feed(self.html)
        parser.close()
        return parser

    @property
    def title(self) -> str:
        """The text of ``title``."""
        return _squeeze(self._parsed.title)

    @property
    def forms(self) -> list[Form]:
        """Every form, in the order of the page."""
        return self._parsed.forms

    @property
    def links(self) -> list[Link]:
        """Every link, in the order of the page."""
        return self._parsed.links

    def text(self) -> str:
        """Return what can be read on the page, with single blanks."""
        return _squeeze(self._parsed.text)

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.html)


class _PageParser(HTMLParser):
    """Collects title, text, links and forms; lenient about everything else."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.text = ""
        self.forms: list[Form] = []
        self.links: list[Link] = []
        self._url = url
        self._silent = 0
        self._form: Form | None = None
        self._select: Control | None = None
        # What is being collected: where its text began, its accessible name, and what to do at its end.
        self._open: dict[str, tuple[int, str, Callable[[str], None]]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.text += " " if tag not in ("a", "b", "strong", "em", "code", "span") else ""
        if tag in ("script", "style", "template", "title"):
            self._silent += 1
        starter = getattr(self, f"_start_{tag}", None)
        if starter is not None:
            starter(attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "template", "title"):
            self._silent -= 1
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag in self._open:
            start, name, finish = self._open.pop(tag)
            finish(_squeeze(name or self.text[start:]))
        self.text += " " if tag not in ("a", "b", "strong", "em", "code", "span") else ""

    def handle_data(self, data: str) -> None:
        if self.lasttag == "title" and self._silent:
            self.title += data
        elif not self._silent:
            self.text += data

    def _collect(self, tag: str, attributes: dict[str, str], finish: Callable[[str], None]) -> None:
        self._open[tag] = (len(self.text), attributes.get("aria-label", ""), finish)

    def _start_a(self, attributes: dict[str, str]) -> None:
        if "href" in attributes:
            url = urljoin(self._url, attributes["href"])
            self._collect("a", attributes, lambda text: self.links.append(Link(text, url)))

    def _start_form(self, attributes: dict[str, str]) -> None:
        self._form = Form(
            id=attributes.get("id", ""),
            method=attributes.get("method", "get").upper(),
            action=urljoin(self._url, attributes.get("action") or self._url),
            auto_submit="data-auto-submit" in attributes,
        )
        self.forms.append(self._form)

    def _start_input(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "text").lower()
        checkable = kind in ("radio", "checkbox")
        value = attributes.get("value", "on" if checkable else "")
        control = self._add(kind, attributes, value, chosen=not checkable or "checked" in attributes)
        control.text = attributes.get("aria-label", value)

    def _start_button(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "submit").lower()
        control = self._add(kind, attributes, attributes.get("value", ""), chosen=False)
        if "formaction" in attributes:
            control.action = urljoin(self._url, attributes["formaction"])
        self._collect("button", attributes, lambda text: setattr(control, "text", text))

    def _start_textarea(self, attributes: dict[str, str]) -> None:
        control = self._add("textarea", attributes, "", chosen=True)
        self._collect("textarea", {}, lambda text: setattr(control, "value", text))

    def _start_select(self, attributes: dict[str, str]) -> None:
        self._select = self._add("select", attributes, "", chosen=False)

    def _start_option(self, attributes: dict[str, str]) -> None:
        # The first option is chosen until one says that it is.
        if self._select is not None and (not self._select.chosen or "selected" in attributes):
            self._select.value, self._select.chosen = attributes.get("value", ""), True

    def _add(self, kind: str, attributes: dict[str, str], value: str, *, chosen: bool) -> Control:
        chosen = chosen and "disabled" not in attributes and kind not in ("button", "reset")
        control = Control(kind, attributes.get("name", ""), value, chosen)
        owner = self._form
        if "form" in attributes:
            owner = next((form for form in self.forms if form.id == attributes["form"]), None)
        if owner is not None and "disabled" not in attributes:
            owner.controls.append(control)
        return control


def _squeeze(text: str) -> str:
    return " ".join(text.split())


# ── Sites, origins, cookies ──────────────────────────────────────────────────────────────────────────────────


def _find_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _find_site(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or ""


def _is_trustworthy(url: str) -> bool:
    """Whether the browser treats the address like https: it is, or it is this machine (Secure Contexts 3.1)."""
    scheme, host = _find_site(url)
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    return scheme == "https" or loopback


class _CookiePolicy(DefaultCookiePolicy):
    """Decides like Chromium. ``cross_site`` and ``safe_method`` describe the navigation of this moment."""

    def __init__(self) -> None:
        super().__init__(netscape=True, rfc2965=False, secure_protocols=("http", "https"))
        self.cross_site = False
        self.safe_method = True

    def return_ok(self, cookie: Cookie, request: CookieRequest) -> bool:
        if cookie.secure and not _is_trustworthy(request.get_full_url()):
            return False
        same_site = _read_same_site(cookie)
        if self.cross_site and (same_site == "strict" or (same_site == "lax" and not self.safe_method)):
            return False
        return super().return_ok(cookie, request)

    def set_ok(self, cookie: Cookie, request: CookieRequest) -> bool:
        if cookie.secure and not _is_trustworthy(request.get_full_url()):
            return False
        if _read_same_site(cookie) == "none" and not cookie.secure:
            return False
        if cookie.name.startswith(("__Host-", "__Secure-")) and not cookie.secure:
            return False
        if cookie.name.startswith("__Host-") and (cookie.path != "/" or cookie.domain_specified):
            return False
        return super().set_ok(cookie, request)


def _read_same_site(cookie: Cookie) -> str:
    rest: dict[str, Any] = {name.lower(): value for name, value in vars(cookie)["_rest"].items()}
    value = str(rest.get("samesite", "lax")).lower()
    return value if value in ("strict", "none") else "lax"


# ── The browser ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Step:
    """One request that was made. ``url`` has no values in its query: they may be secrets."""

    method: str
    url: str
    status: int
    milliseconds: float


@dataclass
class _Navigation:
    """A navigation on its way, perhaps through redirects."""

    method: str
    url: str
    body: str | None
    initiator: str | None
    """The address of the page that asked for it; None: somebody typed it."""
    referrer_policy: str
    user_activated: bool
    chain: list[str] = field(init=False)
    """Every address so far, this one included."""
    referrer: str | None = field(init=False)
    """What is still told of the initiator: a redirect can only take away from it."""

    def __post_init__(self) -> None:
        self.chain = [self.url]
        self.referrer = self.initiator
        self.referrer = self._reduce_referrer()

    def build_headers(self) -> dict[str, str]:
        """Return what Chromium sends along with a navigation."""
        headers = {"Upgrade-Insecure-Requests": "1", "User-Agent": _USER_AGENT, "Accept": _ACCEPT}
        if _is_trustworthy(self.url):
            headers |= {"Sec-Fetch-Site": self._relate(), "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
            if self.user_activated:
                headers["Sec-Fetch-User"] = "?1"
        if self.method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._find_origin_header()}
        if self.referrer is not None:
            headers["Referer"] = self.referrer
        return headers

    def _relate(self) -> str:
        """Return ``Sec-Fetch-Site``: the most distant relation on the whole way (Fetch Metadata 2.3)."""
        if self.initiator is None:
            return "none"
        origins = {_find_origin(url) for url in self.chain}
        sites = {_find_site(url) for url in self.chain}
        if sites != {_find_site(self.initiator)}:
            return "cross-site"
        return "same-origin" if origins == {_find_origin(self.initiator)} else "same-site"

    def _find_origin_header(self) -> str:
        """Return ``Origin``: ``null`` if a redirect led to another origin, or if the referrer policy hides it."""
        if self.initiator is None or len({_find_origin(url) for url in self.chain}) > 1:
            return "null"
        hidden = {
            "no-referrer": True,
            "same-origin": self._is_cross_origin(),
            "origin": False,
            "origin-when-cross-origin": False,
            "unsafe-url": False,
        }.get(self.referrer_policy, self._is_downgrade())
        return "null" if hidden else _find_origin(self.initiator)

    def _reduce_referrer(self) -> str | None:
        """Return what is left of the referrer on the way to ``url`` (Referrer Policy 8.3)."""
        if self.referrer is None:
            return None
        origin = _find_origin(self.referrer) + "/"
        cross, downgrade = self._is_cross_origin(), self._is_downgrade()
        return {
            "no-referrer": None,
            "same-origin": None if cross else self.referrer,
            "origin": origin,
            "strict-origin": None if downgrade else origin,
            "origin-when-cross-origin": origin if cross else self.referrer,
            "no-referrer-when-downgrade": None if downgrade else self.referrer,
            "unsafe-url": self.referrer,
        }.get(self.referrer_policy, None if downgrade else origin if cross else self.referrer)

    def _is_cross_origin(self) -> bool:
        return _find_origin(self.initiator or self.url) != _find_origin(self.url)

    def _is_downgrade(self) -> bool:
        return (self.initiator or "").startswith("https:") and not self.url.startswith("https:")

    def follow(self, response: requests.Response) -> None:
        """Go on to where the response redirects (Fetch 4.4)."""
        url = urljoin(self.url, response.headers["Location"])
        if response.status_code == 303 or (response.status_code in (301, 302) and self.method == "POST"):  # noqa: PLR2004
            self.method, self.body = "GET", None
        self.referrer_policy = response.headers.get("Referrer-Policy") or self.referrer_policy
        self.url = url
        self.chain.append(url)
        self.referrer = self._reduce_referrer()


class Browser:
    """One browser with an empty profile."""

    def __init__(self, language: str = "en", timeout_seconds: float = 10.0) -> None:
        """Ask for pages in ``language``; no answer may take longer than ``timeout_seconds``."""
        self.trace: list[Step] = []
        self._page: Page | None = None
        self._language = language
        self._timeout_seconds = timeout_seconds
        self._policy = _CookiePolicy()
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
        form, button = _find_form(self.page, which)
        return self._submit(form, button, fields, user_activated=True)

    def auto_submit(self) -> Page:
        """Return the page that follows a form which the page's script would submit."""
        form = _find_auto_submit_form(self.page)
        button = form.buttons[0] if form.buttons else None
        return self._submit(form, button, {}, user_activated=False)

    def _submit(self, form: Form, button: Control | None, fields: dict[str, str], *, user_activated: bool) -> Page:
        values = form.fields
        for name, value in fields.items():
            _check_fillable(form, name, value)
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
        navigation = _Navigation(method, url, body, initiator, policy or _DEFAULT_REFERRER_POLICY, user_activated)
        for _ in range(_MAXIMUM_REDIRECTS + 1):
            response = self._send(navigation)
            if not response.is_redirect:
                self._page = Page(response.status_code, navigation.url, response.headers, response.text)
                return self._page
            navigation.follow(response)
        raise requests.TooManyRedirects(f"more than {_MAXIMUM_REDIRECTS} redirects", response=response)

    def _send(self, navigation: _Navigation) -> requests.Response:
        initiator = navigation.initiator
        self._policy.cross_site = initiator is not None and _find_site(initiator) != _find_site(navigation.url)
        self._policy.safe_method = navigation.method == "GET"
        headers = navigation.build_headers() | {"Accept-Language": self._language}
        # Prepared without the session, which would copy the cookies into a jar that does not know our policy.
        request = requests.Request(
            navigation.method, navigation.url, headers, data=navigation.body, cookies=self._session.cookies
        ).prepare()
        started = time.perf_counter()
        response = self._session.send(request, allow_redirects=False, timeout=self._timeout_seconds)
        milliseconds = (time.perf_counter() - started) * 1000
        shown = _hide_query(navigation.url)
        self.trace.append(Step(navigation.method, shown, response.status_code, milliseconds))
        if "charset" not in response.headers.get("Content-Type", ""):
            response.encoding = "utf-8"
        return response


def _find_form(page: Page, which: str | None) -> tuple[Form, Control | None]:
    if which is None:
        if len(page.forms) != 1:
            raise LookupError(f"there are {len(page.forms)} forms at {page.url}")
        form = page.forms[0]
        return form, form.buttons[0] if form.buttons else None
    for form in page.forms:
        for button in form.buttons:
            if button.text == which:
                return form, button
    for form in page.forms:
        if which in (form.id, urlsplit(form.action).path):
            return form, form.buttons[0] if form.buttons else None
    offered = [button.text for form in page.forms for button in form.buttons] + [link.text for link in page.links]
    raise LookupError(f"there is no {which!r} at {page.url} ({page.status}), only {offered}")


def _find_auto_submit_form(page: Page) -> Form:
    marked = [form for form in page.forms if form.auto_submit]
    messages = [form for form in page.forms if {"SAMLResponse", "SAMLRequest"} & form.fields.keys()]
    hidden = [
        form
        for form in page.forms
        if form.controls and all(control.kind in ("hidden", "submit") for control in form.controls)
    ]
    for candidates in (marked, messages, hidden):
        if len(candidates) == 1:
            return candidates[0]
    raise LookupError(f"no form at {page.url} ({page.status}) submits itself: {page.title}")


def _check_fillable(form: Form, name: str, value: str) -> None:
    controls = [each for each in form.controls if each.name == name and each.kind != "submit"]
    if not controls:
        raise LookupError(f"the form has no field {name!r}, only {sorted(form.fields)}")
    if controls[0].kind == "radio" and value not in [each.value for each in controls]:
        raise LookupError(f"{name!r} offers {[each.value for each in controls]}, not {value!r}")


def _hide_query(url: str) -> str:
    base, mark, query = url.partition("?")
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    return base + mark + "&".join(f"{name}=…" for name in names)
