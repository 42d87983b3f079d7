"""The pages for auditors."""

from flask import Flask

from bridge.audit.alerts.board import AlertBoard
from bridge.audit.proof.checkpoints import name_log
from bridge.audit.proof.record_proofs import RecordProofs
from bridge.audit.trail.store import find_stored_strays
from bridge.audit.trail.threads import Threads
from bridge.entitlements.rules import RulesInForce
from bridge.governed_roles import find_scope
from bridge.web.access import Access
from bridge.web.auditor.pages import register_audit_pages
from bridge.wiring.foundation import Foundation


def add_audit_pages(app: Flask, base: Foundation, rules: RulesInForce, access: Access) -> None:
    """Give ``app`` the pages."""
    records, accounts = base.records, base.accounts
    register_audit_pages(
        app,
        access=access,
        audit=base.audit,
        search=records.search,
        saved=records.saved_searches,
        proofs=RecordProofs(records.engine, records.sequencer, records.verifier_keys),
        alerts=AlertBoard(records.engine),
        threads=Threads(records.engine, records.secrets),
        find_strays=lambda: find_stored_strays(
            records.engine, find_scope(rules.current, accounts, base.configuration.audit.trail)
        ),
        secrets=records.secrets,
        providers=base.providers,
        accounts=accounts,
        clock=base.clock,
        log_name=name_log(base.public_url),
    )
