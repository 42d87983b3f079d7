"""The rules in force, what is remembered of sign-ins under them, and how other rules come into force."""

from dataclasses import dataclass
from functools import partial

from bridge.database import open_engine
from bridge.entitlements.rules import RulesInForce
from bridge.history.history import History
from bridge.preview.gate import measure_change
from bridge.rollout.announcement import RedisAnnouncement
from bridge.rollout.follower import Follower
from bridge.rollout.nodes import Nodes
from bridge.rollout.roll_out import RollOut
from bridge.rollout.starting import open_tables
from bridge.settings import compile_rule_files
from bridge.wiring.foundation import Foundation


@dataclass(frozen=True)
class Governing:
    """The rules in force and what belongs to them."""

    rules: RulesInForce
    history: History
    roll_out: RollOut
    nodes: Nodes
    follower: Follower


def build_governing(base: Foundation) -> Governing:
    """Return them; nothing follows other rules, and nothing is remembered, before it is started.

    Raises AuditUnavailable, RolloutUnavailable.
    """
    configuration, settings, clock = base.configuration, base.settings, base.clock
    rules = RulesInForce(configuration.rules)
    history = History(open_engine(settings.database_url()), base.sealer, clock, keep_days=settings.rules.keep_days)
    tables = open_tables(settings)
    announcement = RedisAnnouncement(base.redis, base.public_url)
    compile_files = partial(compile_rule_files, configuration)
    roll_out = RollOut(
        tables,
        base.audit,
        clock,
        announcement,
        compile_files,
        max_changed_share=settings.rules.max_changed_share,
        measure=measure_change(history, settings.rules.keep_days, clock, settings.rules.kept_claims),
    )
    nodes = Nodes(tables)
    follower = Follower(
        configuration=configuration,
        rules=rules,
        roll_out=roll_out,
        nodes=nodes,
        announcement=announcement,
        audit=base.audit,
        clock=clock,
        compile_files=compile_files,
    )
    return Governing(rules, history, roll_out, nodes, follower)
