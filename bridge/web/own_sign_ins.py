"""``/my/sign-ins``: what is recorded of whoever is signed in, and of nobody else, in words for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template, request

from bridge.audit.search.query import Search
from bridge.audit.search.search import AuditSearch
from bridge.audit.secrets import AuditSecrets
from bridge.web.access import Access
from bridge.web.days import group_by_day
from bridge.web.own_words import OwnWords, Record
from bridge.web.people import describe_signed_in

SHOWN = 100


@dataclass(frozen=True)
class Entry:
    """One thing that the person did."""

    time: str
    sentence: str
    refused: bool
    address: str
    reference: str


class OwnSignIns:
    """The page of the signed-in person. Looking at one's own records leaves none."""

    def __init__(
        self,
        access: Access,
        search: AuditSearch,
        secrets: AuditSecrets,
        *,
        provider_titles: Mapping[str, str],
        account_titles: Mapping[str, str],
    ) -> None:
        """Take the guards, what finds records, what makes a person's digest, and the parties' titles by name."""
        self._access = access
        self._search = search
        self._secrets = secrets
        self._titles = provider_titles
        self._words = OwnWords(provider_titles, account_titles)

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("own_sign_ins", __name__)
        routes.add_url_rule("/my/sign-ins", "show", self.show)
        return routes

    def show(self) -> Response:
        """List them, the latest first; ``?before=`` goes on from there."""
        identity = self._access.require_session().identity
        # Whose records these are comes from the session alone: nothing in the request can name somebody else.
        digest = self._secrets.subject_digest(identity.issuer, identity.subject)
        before = request.args.get("before", type=int)
        page = self._search.find(Search(person=digest), before=before, count=SHOWN)
        rendered = render_template(
            "own_sign_ins.html",
            **describe_signed_in(self._access, self._titles),
            days=list(group_by_day(self._write(page.records))),
            older=page.older,
            first=before is None,
        )
        return make_response(rendered)

    def _write(self, records: Iterable[Record]) -> Iterable[Entry]:
        for record in records:
            sentence = self._words.tell(record)
            if sentence is not None:
                refused = record["event"].endswith(".refused")
                yield Entry(record["time"], sentence, refused, record.get("source_address", ""), record["reference"])
