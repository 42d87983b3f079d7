"""Security headers of every answer (threats WEB-05, WEB-08)."""

from collections.abc import Sequence

from flask import Flask, Response, g

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
_YEAR_SECONDS = 31_536_000


def allow_form_action(sources: Sequence[str]) -> None:
    """Let the forms of this one answer be sent to ``sources`` (CSP origins), redirects included."""
    g.form_action = tuple(sources)


def allow_framing(source: str) -> None:
    """Let this one answer stand in a frame of ``source`` (a CSP origin), and of nobody else."""
    g.frame_ancestors = source


def install_headers(app: Flask, *, https: bool) -> None:
    """Put the headers on every answer of ``app``; ``https`` adds Strict-Transport-Security."""

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in _FIXED.items():
            response.headers[name] = value
        form_action = " ".join(("'self'", *g.get("form_action", ())))
        frame_ancestors = g.get("frame_ancestors", "'none'")
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            f"form-action {form_action}; frame-ancestors {frame_ancestors}; base-uri 'none'; "
            "require-trusted-types-for 'script'"
        )
        if "frame_ancestors" in g:
            del response.headers["X-Frame-Options"]  # it knows no other origin than ours
        if https:
            response.headers["Strict-Transport-Security"] = f"max-age={_YEAR_SECONDS}"
        response.headers.setdefault("Cache-Control", "no-store")
        return response
