"""The frame that all pages of auditors share."""

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, render_template

from bridge.audit.secrets import AuditSecrets
from bridge.web.access import Access
from bridge.web.people import describe_signed_in


class Auditing:
    """Renders pages of auditors, for auditors alone."""

    def __init__(self, access: Access, provider_titles: Mapping[str, str], secrets: AuditSecrets) -> None:
        """Take the guards, the providers' titles by name, and what makes the log's digests."""
        self._access = access
        self._secrets = secrets
        self._titles = provider_titles

    def find_owner(self) -> str:
        """Return the log's own digest of the auditor who asks: whose the saved searches are.

        Raises:
            SessionError: nobody is signed in.
            NotAuditor: the person is no auditor at this moment.
        """
        identity = self._access.require_auditor().identity
        return self._secrets.subject_digest(identity.issuer, identity.subject)

    def render(self, template: str, **values: Any) -> Response:
        """Return the page, whose template extends ``audit.html``.

        Raises:
            SessionError: nobody is signed in.
            NotAuditor: the person is no auditor at this moment.
        """
        self._access.require_auditor()
        signed_in = describe_signed_in(self._access, self._titles)
        page = render_template(template, **signed_in, **values)
        return make_response(page)
