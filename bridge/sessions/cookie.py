"""Our cookies: one names a session, one recognises a browser during a sign-in, two remember a provider and a language.

``__Host-`` makes the browser insist on Secure, on Path=/ and on no Domain, so no neighbouring host can plant either
(RFC 6265bis 4.1.3). The session's is SameSite=Lax. A SAML response arrives as a POST from another site, and no
browser sends a Lax cookie with it; so the sign-in has a second cookie, SameSite=None, which lives ten minutes and
opens nothing by itself. The third holds the name of the provider that somebody last signed in with, so that the next
sign-in goes straight there; it is only believed if a provider has that name. So is the fourth, with the language that
somebody chose, and like the second it is SameSite=None: a refused SAML response is to be read in it as well.
"""

import hashlib
import secrets
from typing import Literal, TypedDict

from bridge.errors import BadParameter, TooLarge

SESSION_COOKIE = "__Host-rambridge"
BROWSER_COOKIE = "__Host-rambridge-signin"
PROVIDER_COOKIE = "__Host-rambridge-provider"
PROVIDER_COOKIE_SECONDS = 365 * 86_400
LANGUAGE_COOKIE = "__Host-rambridge-language"
LANGUAGE_COOKIE_SECONDS = 365 * 86_400
LARGEST_HEADER_CHARACTERS = 16_384


class CookieOptions(TypedDict):
    """What Flask's ``set_cookie`` takes."""

    path: str
    secure: bool
    httponly: bool
    samesite: Literal["Lax", "None"]


SESSION_COOKIE_OPTIONS: CookieOptions = {"path": "/", "secure": True, "httponly": True, "samesite": "Lax"}
"""Without an end of its own: gone with the browser, and the store knows its real end."""
BROWSER_COOKIE_OPTIONS: CookieOptions = {"path": "/", "secure": True, "httponly": True, "samesite": "None"}
"""To be set with a ``max_age``: of a sign-in in flight its lifetime."""


def read_single(cookie_header: str, name: str) -> str | None:
    """Return the value of the one cookie of this name, or None if there is none.

    Takes the raw ``Cookie`` header, since frameworks silently pick one of two. Raises BadParameter for two cookies of
    one name: one of them was planted, and which one cannot be known (cookie tossing). Raises TooLarge for a header
    that no honest browser sends us.
    """
    if len(cookie_header) > LARGEST_HEADER_CHARACTERS:
        raise TooLarge("the Cookie header")
    # NOTE: blanks and tabs only (RFC 6265 5.2). Python strips more, such as NBSP, and to the browser a name with that
    # in front does not begin with ``__Host-``: a neighbouring host may plant it.
    pairs = (pair.partition("=") for pair in cookie_header.split(";"))
    values = [value.strip(" \t") for found, _, value in pairs if found.strip(" \t") == name]
    if len(values) > 1:
        raise BadParameter(f"{len(values)} cookies are called {name}")
    return values[0] if values else None


def new_browser_cookie() -> str:
    """Return 256 fresh random bits, base64url, for the sign-in cookie."""
    return secrets.token_urlsafe(32)


def browser_digest(value: str) -> str:
    """Return the SHA-256 (hex) of a sign-in cookie: what a sign-in in flight remembers of its browser."""
    return hashlib.sha256(value.encode()).hexdigest()
