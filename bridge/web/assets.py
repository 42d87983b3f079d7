"""Addresses of static files that change with their content, so that browsers may keep them for ever."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, request

FOREVER_SECONDS = 31_536_000


@cache
def _version(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def install_assets(app: Flask) -> None:
    """Give templates ``asset(name)``, and let browsers keep what was asked for by its version."""
    folder = Path(app.static_folder or "")

    @app.template_global()
    @cache  # a page asks for thirty
    def asset(name: str) -> str:
        # Not by url_for: the page that refuses an unknown host has no addresses to build from.
        return f"{app.static_url_path}/{name}?v={_version(folder / name)}"

    @app.after_request
    def keep(response: Response) -> Response:
        if request.endpoint == "static" and "v" in request.args and response.status_code < 400:  # noqa: PLR2004
            response.headers["Cache-Control"] = f"public, max-age={FOREVER_SECONDS}, immutable"
        return response
