"""One navigation: the headers that a request carries, and what a redirect changes about them."""

from dataclasses import dataclass, field
from urllib.parse import urljoin

import requests

from bridge.sandbox.browser.addresses import extract_origin, extract_site, is_trustworthy

_USER_AGENT = "Mozilla/5.0 (compatible; scripted browser)"
_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@dataclass
class Navigation:
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
        if is_trustworthy(self.url):
            headers |= {"Sec-Fetch-Site": self._relate(), "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
            if self.user_activated:
                headers["Sec-Fetch-User"] = "?1"
        if self.method == "POST":
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._choose_origin_header()}
        if self.referrer is not None:
            headers["Referer"] = self.referrer
        return headers

    def _relate(self) -> str:
        """Return ``Sec-Fetch-Site``: the most distant relation on the whole way (Fetch Metadata 2.3)."""
        if self.initiator is None:
            return "none"
        origins = {extract_origin(url) for url in self.chain}
        sites = {extract_site(url) for url in self.chain}
        if sites != {extract_site(self.initiator)}:
            return "cross-site"
        return "same-origin" if origins == {extract_origin(self.initiator)} else "same-site"

    def _choose_origin_header(self) -> str:
        """Return ``Origin``: ``null`` if a redirect led to another origin, or if the referrer policy hides it."""
        if self.initiator is None or len({extract_origin(url) for url in self.chain}) > 1:
            return "null"
        hidden = {
            "no-referrer": True,
            "same-origin": self._is_cross_origin(),
            "origin": False,
            "origin-when-cross-origin": False,
            "unsafe-url": False,
        }.get(self.referrer_policy, self._is_downgrade())
        return "null" if hidden else extract_origin(self.initiator)

    def _reduce_referrer(self) -> str | None:
        """Return what is left of the referrer on the way to ``url`` (Referrer Policy 8.3)."""
        if self.referrer is None:
            return None
        origin = extract_origin(self.referrer) + "/"
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
        return extract_origin(self.initiator or self.url) != extract_origin(self.url)

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
