"""Wires the pages of auditors, and the employee's own, to what they share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from flask import Blueprint, Flask

from bridge.audit.alerts.board import AlertBoard
from bridge.audit.log import AuditLog
from bridge.audit.proof.record_proofs import RecordProofs
from bridge.audit.search.saved import SavedSearches
from bridge.audit.search.search import AuditSearch
from bridge.audit.secrets import AuditSecrets
from bridge.audit.trail.strays import Stray
from bridge.audit.trail.threads import Threads
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
from bridge.web.auditor.search_export import SearchExport
from bridge.web.auditor.search_page import SearchPage
from bridge.web.auditor.sentences import Sentences
from bridge.web.auditor.trail_pages import TrailPages
from bridge.web.auditor.visits import Visits
from bridge.web.own_sign_ins import OwnSignIns


class Pages(Protocol):
    """A group of pages."""

    def blueprint(self) -> Blueprint:
        """Return the routes."""


def register_audit_pages(
    app: Flask,
    *,
    access: Access,
    audit: AuditLog,
    search: AuditSearch,
    saved: SavedSearches,
    proofs: RecordProofs,
    alerts: AlertBoard,
    threads: Threads,
    find_strays: Callable[[], Sequence[Stray]],
    secrets: AuditSecrets,
    providers: Mapping[str, Provider],
    accounts: Mapping[str, Account],
    clock: Clock,
    log_name: str,
) -> None:
    """Add the pages to ``app``, each group with a blueprint of its own."""
    provider_titles = {name: provider.title for name, provider in providers.items()}
    account_titles = {name: account.title for name, account in accounts.items()}
    auditing = Auditing(access, provider_titles, secrets)
    say = Sentences(provider_titles, account_titles, person_href=find_person)
    visits = Visits(access, audit, clock)
    titles = {"provider_titles": provider_titles, "account_titles": account_titles}
    pages: tuple[Pages, ...] = (
        OverviewPage(auditing, search, alerts, clock, **titles),
        SearchPage(auditing, search, saved, say, visits, clock, **titles),
        RecordPage(auditing, search, proofs, threads, say, visits),
        PeoplePages(auditing, search, threads, say, visits),
        TrailPages(auditing, threads, find_strays, say, visits, {each.id: each.title for each in accounts.values()}),
        SearchExport(access, search, audit, log_name),
        SavedSearchForms(auditing, saved),
        OwnSignIns(access, search, secrets, **titles),
    )
    for each in pages:
        app.register_blueprint(each.blueprint())
