from datetime import timedelta

import pytest

from bridge.attack.saml.messages import IDP, NOW, at, build_idp_metadata, make_certificate
from bridge.identity.endings import (
    Ending,
    ProviderStatus,
    describe_end,
    describe_near,
    find_key_endings,
    find_provider_endings,
)
from bridge.identity.saml.metadata import parse_idp_metadata
from bridge.keys import KeyDescription

DAY = timedelta(days=1)
LAST_SECOND = timedelta(seconds=1)


def status(*certificates, valid_until=None, is_local=False):
    xml = build_idp_metadata(*certificates)
    if valid_until:
        xml = xml.replace(b"<md:EntityDescriptor ", f'<md:EntityDescriptor validUntil="{valid_until}" '.encode())
    return ProviderStatus("corp", parse_idp_metadata(xml, IDP, NOW), NOW, is_local=is_local)


def near(*statuses, now=NOW):
    return list(describe_near({each.name: list(find_provider_endings(each, now)) for each in statuses}, now))


@pytest.mark.parametrize(
    ("left", "bound"),
    [
        (30 * DAY + LAST_SECOND, None),
        (30 * DAY, 30),
        (14 * DAY + LAST_SECOND, 30),
        (14 * DAY, 14),
        (3 * DAY + LAST_SECOND, 14),
        (3 * DAY, 3),
        (-DAY, 3),
    ],
)
def test_an_end_is_near_within_30_14_and_3_days(left, bound):
    assert Ending("x", NOW + left).find_bound(NOW) == bound
    assert Ending("x", NOW + left, counts=False).find_bound(NOW) is None


def test_a_certificate_that_lasts_is_no_news_and_one_that_ends_is():
    lasting, ending = make_certificate("idp"), make_certificate("ending", days=40)
    assert near(status(lasting)) == []
    (line,) = near(status(lasting, ending))
    assert line.startswith("corp: certificate ")
    assert line.endswith("in 10 days")


def test_a_certificate_left_over_from_a_roll_over_is_no_news_and_the_last_one_is():
    lasting, ended = make_certificate("idp"), make_certificate("ended", days=20)
    assert near(status(lasting, ended)) == []
    (line,) = near(status(lasting), now=NOW + 400 * DAY)
    assert "ended on" in line


def test_the_end_of_metadata_counts_where_nobody_renews_it():
    assert near(status(valid_until=at(86_400))) == []
    (line,) = near(status(valid_until=at(86_400), is_local=True))
    assert "metadata ends on" in line


def test_a_provider_without_metadata_has_no_ends():
    assert near(ProviderStatus("corp", fault="down")) == []


def test_our_current_and_next_keys_count_and_what_was_retired_does_not():
    rows = [
        KeyDescription("saml-sp", slot, "RSA-2048", "id", NOW, NOW + days * DAY)
        for slot, days in (("current", 2), ("next", 29), ("previous", 1))
    ]
    rows.append(KeyDescription("store", "current", "AES-256-GCM", "id", NOW, None))
    assert [(each.what, each.find_bound(NOW)) for each in find_key_endings(rows)] == [
        ("saml-sp current", 3),
        ("saml-sp next", 30),
        ("saml-sp previous", None),
    ]


def test_ends_are_written_in_words():
    assert describe_end(NOW + 10 * DAY, NOW) == "ends on 2026-03-12, in 10 days"
    assert describe_end(NOW + DAY, NOW) == "ends on 2026-03-03 09:00 UTC"
    assert describe_end(NOW - DAY, NOW) == "ended on 2026-03-01"
