import json
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from bridge.errors import Unsealable
from bridge.identity.stored import pack_identity, unpack_identity
from tests.live_store import make_identity


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"valid_until": datetime(2026, 11, 24, 20, 0, 0, 123456, tzinfo=UTC)},
        {"acr": None, "session_index": None, "amr": ("pwd", "mfa")},
        {"protocol": "oidc", "claims": {"nested": {"list": [1, 2.5, True, None, "张"]}}},
        {"claims": MappingProxyType({"groups": ["a"]})},
        {"authentication_time_stated": False, "proxy_count": 3},
    ],
)
def test_an_identity_comes_back_as_it_was(changes):
    identity = make_identity(**changes)
    assert unpack_identity(json.loads(json.dumps(pack_identity(identity)))) == identity


def changed(position, value):
    packed = pack_identity(make_identity())
    packed[position] = value
    return packed


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        "text",
        pack_identity(make_identity())[:-1],
        [*pack_identity(make_identity()), "more"],
        changed(0, 1),
        changed(1, None),
        changed(2, "ldap"),
        changed(3, 7),
        changed(4, ["subject"]),
        changed(5, [["groups", "admins"]]),
        changed(6, "now"),
        changed(6, 1e300),
        changed(7, None),
        changed(8, None),
        changed(9, "never"),
        changed(10, 2),
        changed(11, [1]),
        changed(11, None),
        changed(12, {}),
        changed(13, 1),
        changed(14, None),
        changed(14, 1),
        changed(15, 1.5),
        changed(15, "1"),
    ],
)
def test_another_form_is_refused(value):
    """T-REDIS-04."""
    with pytest.raises(Unsealable):
        unpack_identity(value)
