"""The shortest limit decides, and says which it was."""

from datetime import timedelta

import pytest

from bridge.errors import SessionEndsTooSoon
from bridge.exchange.duration import Duration, decide_duration
from tests.factories import NOW, make_account, make_entitlement


def decide(*, asked=None, rule=43_200, account=43_200, role=43_200, until=None):
    return decide_duration(
        make_entitlement(duration_seconds=rule),
        make_account(max_duration_seconds=account, role_max_duration_seconds={"ReadOnly": role}),
        "ReadOnly",
        asked_seconds=asked,
        valid_until=NOW + timedelta(seconds=until) if until is not None else None,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, Duration(3600, "default")),
        ({"asked": 7200}, Duration(7200, "asked")),
        ({"asked": 7200, "rule": 5400}, Duration(5400, "rule")),
        ({"asked": 7200, "account": 5000}, Duration(5000, "account")),
        ({"asked": 7200, "role": 4000}, Duration(4000, "role")),
        ({"asked": 90_000}, Duration(43_200, "rule")),
        ({"asked": 7200, "until": 1800}, Duration(1800, "identity provider")),
        ({"until": 900}, Duration(900, "identity provider")),
        ({"asked": 60}, Duration(900, "api")),
        ({"rule": 900}, Duration(900, "rule")),
    ],
)
def test_the_shortest_limit_decides(limits, expected):
    assert decide(**limits) == expected


def test_a_role_without_a_configured_maximum_has_an_hour():
    limits = {"asked_seconds": 7200, "valid_until": None, "now": NOW}
    duration = decide_duration(make_entitlement(duration_seconds=7200), make_account(), "ReadOnly", **limits)
    assert duration == Duration(3600, "role")


@pytest.mark.parametrize("until", [899, 0, -5])
def test_t_saml_20_a_session_that_ends_before_the_shortest_possible_one_is_refused(until):
    with pytest.raises(SessionEndsTooSoon):
        decide(until=until)
