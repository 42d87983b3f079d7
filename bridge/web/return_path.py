"""Where to go after signing in: a path of our own, or the start page (threats SAML-28, WEB-10)."""

from urllib.parse import urlsplit

MAX_LENGTH = 2048
"""In characters: a signed link to a page of the console is the longest."""


def local_path(text: str) -> str:
    """Return ``text`` if every browser reads it as a path of this site, else ``/``.

    A second slash, or the backslash that browsers take for one, would begin a host name; a control character is
    dropped by browsers before they look, so it can hide either.
    """
    if not text.startswith("/") or text.startswith("//") or len(text) > MAX_LENGTH:
        return "/"
    if not text.isascii() or not text.isprintable() or "\\" in text:
        return "/"
    return text


def local_target(url: str, host: str) -> str:
    """Return the path of an address of this site (``host`` with its port), else ``/``."""
    try:
        target = urlsplit(url)
    except ValueError:
        return "/"
    return local_path(target.path) if target.netloc in ("", host) else "/"
