"""The pages for IT."""

from collections.abc import Iterator
from functools import partial

from flask import Blueprint

from bridge.preview.runs import Runs
from bridge.settings import compile_rule_files
from bridge.web.access import Access
from bridge.web.admin.administration import Administration
from bridge.web.admin.drafts import find_drafts
from bridge.web.admin.explain import Explain
from bridge.web.admin.preview import Preview
from bridge.web.admin.providers import Providers
from bridge.web.admin.rules import Rules
from bridge.web.admin.sign_ins import SignIns
from bridge.web.admin.versions import Versions
from bridge.wiring.counterparts import Counterparts
from bridge.wiring.foundation import Foundation
from bridge.wiring.governing import Governing


def build_administration(
    base: Foundation, counterparts: Counterparts, governing: Governing, access: Access
) -> Iterator[Blueprint]:
    """Yield the pages, in the order of their menu."""
    configuration, settings, clock = base.configuration, base.settings, base.clock
    rules, history, roll_out = governing.rules, governing.history, governing.roll_out
    administration = Administration(access, base.providers)
    rule_folder = configuration.folder / "rules"
    yield SignIns(administration, base.records.reader).blueprint()
    yield Rules(administration, rules, history, base.providers, base.accounts, clock, roll_out.versions).blueprint()
    yield Explain(
        administration,
        access=access,
        audit=base.audit,
        rules=rules,
        history=history,
        records=base.records.reader,
        providers={**base.providers, **configuration.workloads},
        clock=clock,
    ).blueprint()
    yield Preview(
        administration,
        Runs(history, base.redis, base.sealer, clock),
        history,
        rules,
        clock,
        drafts=partial(find_drafts, rule_folder, rules, roll_out, clock),
        compile_draft=partial(compile_rule_files, configuration),
        kept_claims=settings.rules.kept_claims,
    ).blueprint()
    yield Versions(
        administration,
        access,
        roll_out,
        governing.nodes,
        rule_folder,
        clock,
        promoted=settings.rules.rollout == "promote",
    ).blueprint()
    yield Providers(administration, base.providers, counterparts.service_providers, base.keys, clock).blueprint()
