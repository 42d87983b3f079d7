"""Comparing the moments in a message with now: one rule for the skew, one for the exclusive end.

SAML Core 1.3.3, 2.5.1.2; Profiles 4.1.4.2; threat SAML-20.
"""

from datetime import datetime, timedelta

from bridge.errors import OutsideValidity, SAMLExpired, SAMLLifetime, SAMLNotYet, SAMLStale
from bridge.identity.saml.expected import Expected

MAX_AGE = timedelta(minutes=10)
"""How long after its ``IssueInstant`` a message may arrive."""
MAX_LIFETIME = timedelta(hours=1, minutes=1)
"""How long a provider may let its assertion live, counted from ``IssueInstant``: an hour.

And a minute, since some (pysaml2) read their clock once for each time, and a second may begin in between.

Not from ``NotBefore``, which some providers date five minutes back while they grant a full hour.
"""


def check_started(moment: datetime, expected: Expected) -> None:
    """The moment is not in the future, skew allowed. Raises SAMLNotYet."""
    if moment > expected.now + expected.skew:
        raise SAMLNotYet(f"{(moment - expected.now).total_seconds():.0f} s ahead")


def check_not_over(end: datetime, expected: Expected, refusal: type[OutsideValidity] = SAMLExpired) -> None:
    """The end, itself excluded, lies ahead, skew allowed. Raises ``refusal``."""
    if end <= expected.now - expected.skew:  # the end itself may be the last moment that exists
        raise refusal(f"{(expected.now - end).total_seconds():.0f} s late")


def check_age(moment: datetime, max_age: timedelta, expected: Expected) -> None:
    """The moment is not in the future and at most ``max_age`` ago, skew allowed. Raises SAMLNotYet or SAMLStale."""
    check_started(moment, expected)
    if moment + max_age + expected.skew < expected.now:
        raise SAMLStale(f"{(expected.now - moment).total_seconds():.0f} s old")


def check_lifetime(start: datetime | None, issued: datetime, end: datetime) -> None:
    """The end comes after the start, and at most ``MAX_LIFETIME`` after the issue. Raises SAMLLifetime.

    A statement that is valid for years is a password that the provider cannot take back.
    """
    if end <= (start or issued):
        raise SAMLLifetime("ends before it starts")
    if end - issued > MAX_LIFETIME:
        raise SAMLLifetime(f"valid for {(end - issued).total_seconds():.0f} s")
