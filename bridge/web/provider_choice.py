"""Which provider somebody signs in with: by the domain of an e-mail address, or from a list, and then remembered.

What is remembered is the name of the provider, in the browser alone, and only once a sign-in there has succeeded: a
provider that refuses somebody is never gone to by itself the next time. ``/sign-in?choose=1`` asks anew.
"""

from collections.abc import Mapping
from http import HTTPStatus

from flask import Response, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.identity.home_realm import find_home
from bridge.identity.providers import Provider
from bridge.sessions.cookie import (
    PROVIDER_COOKIE,
    PROVIDER_COOKIE_SECONDS,
    SESSION_COOKIE_OPTIONS,
    read_single,
)


class ProviderChoice:
    """The page that asks, the e-mail domains that answer, and the cookie that remembers."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        """Take the providers; with a single one there is nothing to choose and nothing to remember."""
        self._providers = providers
        self._homes = {domain: provider.name for provider in providers.values() for domain in provider.email_domains}

    @property
    def only(self) -> str | None:
        """The name of the only provider, None if there is not just one."""
        return next(iter(self._providers)) if len(self._providers) == 1 else None

    def find_home(self, address: str) -> str | None:
        """Return the provider of everybody with an address of this domain, None if there is none."""
        return find_home(address, self._homes)

    def find_remembered(self) -> str | None:
        """Return the provider that this browser last signed in with, if it is still one of ours."""
        name = read_single(request.headers.get("Cookie", ""), PROVIDER_COOKIE)
        return name if name in self._providers else None

    def remember(self, response: AnyResponse, provider: str) -> None:
        """Let the browser that gets this response go straight to the provider the next time."""
        if self.only is None:
            response.set_cookie(PROVIDER_COOKIE, provider, max_age=PROVIDER_COOKIE_SECONDS, **SESSION_COOKIE_OPTIONS)

    def ask(self, return_to: str, unknown_address: str | None = None) -> Response:
        """Return the page that asks: for an e-mail address where domains are set up, and in any case from a list."""
        providers = [
            {
                "name": provider.name,
                "title": provider.title,
                "url": url_for("login.start", provider=provider.name, return_to=return_to),
            }
            for provider in self._providers.values()
        ]
        page = render_template(
            "sign_in.html",
            providers=providers,
            return_to=return_to,
            by_address=bool(self._homes) and self.only is None,
            unknown_address=unknown_address,
            this_page=url_for("login.choose", choose=1, return_to=return_to),
        )
        return make_response(page, HTTPStatus.OK if unknown_address is None else HTTPStatus.UNPROCESSABLE_ENTITY)
