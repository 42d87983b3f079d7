"""Builds the pages of auditors, and the employee's own, from what they share."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from flask import Blueprint

from bridge.audit.log import AuditLog
from bridge.audit.search.saved import SavedSearches
from bridge.audit.search.search import AuditSearch
from bridge.audit.secrets import AuditSecrets
from bridge.clock import Clock
from bridge.exchange.accounts import Account
from bridge.identity.providers import Provider
from bridge.web.access import Access
from bridge.web.auditor.addresses import find_person
from bridge.web.auditor.auditing import Auditing
from bridge.web.auditor.overview_page import OverviewPage
from bridge.web.auditor.people_pages import PeoplePages
from bridge.web.auditor.record_page import RecordPage
from bridge.web.auditor.saved_searches import SavedSearchForms
from bridge.web.auditor.search_page import SearchPage
from bridge.web.auditor.sentences import Sentences
from bridge.web.auditor.visits import Visits
from bridge.web.own_sign_ins import OwnSignIns


class Pages(Protocol):
    """A group of pages."""

    def blueprint(self) -> Blueprint:
        """Return the routes."""


def build_audit_pages(
    *,
    access: Access,
    audit: AuditLog,
    search: AuditSearch,
    saved: SavedSearches,
    secrets: AuditSecrets,
    providers: Mapping[str, Provider],
    accounts: Mapping[str, Account],
    clock: Clock,
) -> Iterator[Pages]:
    """Yield the groups of pages, each with a blueprint of its own."""
    provider_titles = {name: provider.title for name, provider in providers.items()}
    account_titles = {name: account.title for name, account in accounts.items()}
    auditing = Auditing(access, providers, secrets)
    say = Sentences(provider_titles, account_titles, person_href=find_person)
    visits = Visits(access, audit, clock)
    titles = {"provider_titles": provider_titles, "account_titles": account_titles}
    yield OverviewPage(auditing, search, clock, **titles)
    yield SearchPage(auditing, search, saved, say, visits, clock, **titles)
    yield RecordPage(auditing, search, say, visits)
    yield PeoplePages(auditing, search, say, visits)
    yield SavedSearchForms(auditing, saved)
    yield OwnSignIns(access, search, secrets, providers, accounts)
