"""Every planted stray of a synthetic trail is found, and nothing else is called one."""

from bridge.audit.trail.events import read_event
from bridge.audit.trail.gathering import gather, merge
from bridge.audit.trail.join import Credentials, Join
from bridge.audit.trail.strays import Horizon, find_strays
from tests.synthetic_trail import (
    ACCOUNTS,
    BEGINS,
    GOVERNED,
    OUR_PROVIDERS,
    SETTLING,
    TOLERANCE,
    LogInMemory,
    SyntheticTrail,
    synthesize,
)


def join_all(trail: SyntheticTrail) -> tuple[dict[str, Credentials], int]:
    found: dict[str, Credentials] = {}
    newest = 0
    seen_ids = set()
    for raw in trail.events:
        event = read_event(raw)
        assert event is not None
        if event.event_id in seen_ids:
            continue
        seen_ids.add(event.event_id)
        newest = max(newest, event.time)
        for seen in gather([event], ACCOUNTS, lambda name: name):
            for each in (seen.actor, seen.child):
                if each is not None:
                    merge(found[each.name], each) if each.name in found else found.update({each.name: each})
    log = LogInMemory(trail.log)
    Join(log, log, OUR_PROVIDERS, TOLERANCE).explain(found.values())
    return found, newest


def test_all_planted_strays_are_found_and_nothing_else_is_called_one():
    trail = synthesize(20_000)
    credentials, newest = join_all(trail)
    horizon = Horizon(BEGINS, newest, TOLERANCE, SETTLING)
    strays = {
        each.credentials.name: each.reason
        for each in find_strays(credentials.values(), GOVERNED, horizon, OUR_PROVIDERS)
    }
    assert strays == trail.strays
    assert len(set(strays.values())) == 5
    assert {name for name, each in credentials.items() if each.way == "chained"} == trail.chained
