"""The frame that all pages of administrators share."""

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, render_template

from bridge.identity.providers import Provider
from bridge.web.access import Access
from bridge.web.people import describe_signed_in


class Administration:
    """Renders pages of administrators, for administrators alone."""

    def __init__(self, access: Access, providers: Mapping[str, Provider]) -> None:
        """Take the guards and the providers, which pages call by their titles."""
        self._access = access
        self._titles = {name: provider.title for name, provider in providers.items()}

    def render(self, template: str, **values: Any) -> Response:
        """Return the page, whose template extends ``admin.html``.

        Raises:
            SessionError: nobody is signed in.
            NotAdministrator: the person is no administrator at this moment.
        """
        self._access.require_administrator()
        signed_in = describe_signed_in(self._access, self._titles)
        page = render_template(template, provider_titles=self._titles, **signed_in, **values)
        return make_response(page)
