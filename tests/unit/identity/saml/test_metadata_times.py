"""How long metadata says that it may be kept: every way to write it, and the nearest ones that mean nothing."""

from datetime import timedelta

import pytest

from bridge.attack.saml.messages import IDP, NOW, build_idp_metadata
from bridge.identity.saml.metadata import parse_idp_metadata

DAY = 86_400
WRITTEN = {
    "PT1S": 1,
    "PT1M": 60,
    "PT1H": 3_600,
    "P1D": DAY,
    "P1M": 30 * DAY,
    "P1Y": 365 * DAY,
    "P1Y2M3DT4H5M6.7S": (365 + 60 + 3) * DAY + 4 * 3_600 + 5 * 60 + 6,
    "PT1.123456789S": 1,
    "P999999D": 999_999 * DAY,
    "PT999999999S": 999_999_999,
    "PT0S": 0,
}
MEANINGLESS = [
    *("", "P", "PT", "1H", "P1H", "T1H", "PT1D", "-PT1H", "PT1.S", "PT.5S", "PT1.1234567890S", "PT1H1H", "pt1h"),
    *("P1234567D", "P1234567M", "P1234567Y", "PT1234567890S", "PT1234567890M", "PT1234567890H", "PT1M1H", "P1D1M"),
    *("PT1H ", " PT1H", "PT1H\n", "PT١H", "PTH", "PYMD", "PTS", "PTM", "PT1,5S", "PT1.aS", "P1DT1H1"),
]


def parse(duration, role=None):
    xml = build_idp_metadata().replace(
        b"<md:EntityDescriptor ", f'<md:EntityDescriptor cacheDuration="{duration}" '.encode()
    )
    if role:
        xml = xml.replace(b"<md:IDPSSODescriptor ", f'<md:IDPSSODescriptor cacheDuration="{role}" '.encode())
    return parse_idp_metadata(xml, IDP, NOW).cache_duration


@pytest.mark.parametrize(("duration", "seconds"), WRITTEN.items())
def test_a_duration_is_read(duration, seconds):
    assert parse(duration) == timedelta(seconds=seconds)


@pytest.mark.parametrize("duration", MEANINGLESS)
def test_what_is_no_duration_is_no_advice(duration):
    assert parse(duration.replace("\n", "&#10;")) is None


def test_the_shortest_counts():
    assert parse("PT2H", "PT1H") == parse("PT1H", "PT2H") == timedelta(hours=1)
    assert parse("never", "PT1H") == timedelta(hours=1)
