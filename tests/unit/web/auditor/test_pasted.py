"""One box takes anything that an auditor has: what it is, its form tells."""

import pytest

from bridge.web.auditor.pasted import understand

EVENTS = frozenset({"sign_in.refused", "exchange.issued"})


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("1A2B-3C4D-5E6F", "reference"),
        (" 1a2b3c4d5e6f ", "reference"),
        ("7F3C2A10-1111-2222-3333-ABCDEFABCDEF", "request_id"),
        ("STS.NUgYrLnoC5GwwerDqFN", "access_key_id"),
        ("LTAI5tGsuCWPmYoDqFNabcd1", "access_key_id"),
        ("203.0.113.7", "address"),
        ("203.0.113.0/24", "address"),
        ("2001:db8:7::1", "address"),
        ("saml_signature_invalid", "code"),
        ("sign_in.refused", "event"),
        ("2026-11-29", "day"),
        ("0123456789abcdef0123456789abcdef", "person"),
        ("林薇", "name"),
        ("Amara Okafor", "name"),
        ("amara.okafor@acme.example", "name"),
        ("STS.", "name"),
        ("sign_in.nothing", "name"),
        ("1234567890123456", "name"),
        ("2026", "name"),
        ("1A2B-3C4D", "name"),
        ("", "name"),
    ],
)
def test_what_is_pasted_is_taken_for_what_it_is(text, field):
    assert understand(text, EVENTS).field == field


@pytest.mark.parametrize(
    "text",
    ["acs:ram::1234567890123456:role/PlatformAdmin", "acs:ram::1234567890123456:assumed-role/PlatformAdmin/lin.wei"],
)
def test_the_arn_of_a_role_is_the_role(text):
    assert understand(text) == ("role", "PlatformAdmin")
