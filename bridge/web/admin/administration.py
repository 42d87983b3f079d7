"""The frame that all pages of administrators share."""

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, render_template

from bridge.identity.providers import Provider
from bridge.web.access import Access
from bridge.web.people import describe_person


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
        session = self._access.require_administrator()
        person = describe_person(session.identity, self._titles)
        page = render_template(
            template,
            person=person,
            csrf_token=session.csrf_token,
            administrator=True,
            auditor=self._access.is_auditor(),
            provider_titles=self._titles,
            **values,
        )
        return make_response(page)
