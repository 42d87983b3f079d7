"""What browsers are told about our pages, and what they tell us about where a request comes from."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Response, request

from bridge.sandbox.idp.refusals import Refused


def find_origin(url: str) -> str:
    """Return scheme, host and port of an address, the way CSP and ``Origin`` write them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def check_same_origin(our_origin: str) -> None:
    """The form that was submitted is one of our own pages'.

    Without it another site could sign a person in as somebody else, or start an application for them. Browsers send
    ``Sec-Fetch-Site`` to trustworthy addresses, ``Origin`` to all; a request with neither is refused.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in (None, "same-origin") or (site is None and origin != our_origin):
        raise Refused("idp_cross_site", "This form was not submitted from our own page.", 403)


def set_policy(response: Response, form_targets: Iterable[str] = ()) -> Response:
    """``response`` carries the headers of a page; its forms may lead to us and to ``form_targets``.

    Chromium applies ``form-action`` to the redirects after a form as well, so whoever is redirected to after a
    sign-in must be among the targets.
    """
    targets = " ".join(("'self'", *sorted({find_origin(url) for url in form_targets})))
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        f"form-action {targets}; frame-ancestors 'none'; base-uri 'none'",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
