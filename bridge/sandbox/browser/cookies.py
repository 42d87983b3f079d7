"""Which cookies are kept, and which go along with a request."""

from http.cookiejar import Cookie, DefaultCookiePolicy
from typing import Any
from urllib.request import Request as CookieRequest

from bridge.sandbox.browser.addresses import is_trustworthy


class CookiePolicy(DefaultCookiePolicy):
    """Decides like Chromium. ``cross_site`` and ``safe_method`` describe the navigation of this moment."""

    def __init__(self) -> None:
        super().__init__(netscape=True, rfc2965=False, secure_protocols=("http", "https"))
        self.cross_site = False
        self.safe_method = True

    def return_ok(self, cookie: Cookie, request: CookieRequest) -> bool:
        """Tell whether the cookie goes along (RFC 6265bis 5.8.3)."""
        if cookie.secure and not is_trustworthy(request.get_full_url()):
            return False
        same_site = _read_same_site(cookie)
        if self.cross_site and (same_site == "strict" or (same_site == "lax" and not self.safe_method)):
            return False
        return super().return_ok(cookie, request)

    def set_ok(self, cookie: Cookie, request: CookieRequest) -> bool:
        """Tell whether the cookie is kept (RFC 6265bis 5.7)."""
        if cookie.secure and not is_trustworthy(request.get_full_url()):
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
