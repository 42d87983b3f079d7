"""The ten questions that auditors ask most, by name. Each is one search."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.audit.search.query import Search
from bridge.language import mark

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Question:
    """A question that a page offers."""

    name: str
    """Stable, for addresses."""
    words: str
    """A message of the catalogue, for a page."""
    asks_for: str
    """The field of :class:`Search` that has to be filled in first; empty: none."""
    explanation: str
    """What is shown, and what it does not mean: a message too."""
    build: Callable[[datetime, str], Search]
    """Takes this moment (UTC) and what was filled in (empty where nothing is asked for)."""
    counts: str = ""
    """Show the table of ``AuditSearch.counts`` by this field as well, over the same days; empty: none."""


def privileged_without_mfa(now: datetime, _: str = "") -> Search:
    """Last week's steps towards privileged roles by people of whom one factor is known."""
    return Search(privileged=True, mfa=False, outcome="accepted", since=_midnight(now) - 7 * _DAY, until=_next(now))


def everything_of(_: datetime, person: str) -> Search:
    """Everything of one person."""
    return Search(person=person)


def refusals_of(now: datetime, person: str) -> Search:
    """What one person was refused in the last 30 days."""
    return Search(person=person, outcome="refused", since=_midnight(now) - 30 * _DAY, until=_next(now))


def who_used_key(_: datetime, access_key_id: str) -> Search:
    """Whose an AccessKeyId was, and everything recorded of it."""
    return Search(access_key_id=access_key_id)


def whose_session(_: datetime, session_name: str) -> Search:
    """Who stands behind a RoleSessionName of ActionTrail."""
    return Search(session_name=session_name)


def refusals_yesterday(now: datetime, _: str = "") -> Search:
    """All refusals of yesterday."""
    return Search(outcome="refused", since=_midnight(now) - _DAY, until=_midnight(now))


def who_became(now: datetime, role: str) -> Search:
    """Who became a role in the last 30 days, by console or by credentials."""
    return Search(role=role, event="choice.made", since=_midnight(now) - 30 * _DAY, until=_next(now))


def from_address(_: datetime, address: str) -> Search:
    """Everything from one address or network."""
    return Search(address=address)


def one_request(_: datetime, reference: str) -> Search:
    """The whole request of a reference number or RequestId."""
    return Search(reference=reference)


def changes_of_rules(now: datetime, _: str = "") -> Search:
    """Changes of the rules in the last 90 days, and those that were refused."""
    return Search(event="rules", since=_midnight(now) - 90 * _DAY, until=_next(now))


_ALL = (
    Question(
        "privileged-without-mfa",
        mark("Privileged roles without a second factor, last 7 days"),
        "",
        mark(
            "Each step towards a privileged role by somebody whose provider stated one factor. "
            "Where a provider states nothing, nothing is known, and nothing is shown."
        ),
        privileged_without_mfa,
    ),
    Question(
        "refusals-yesterday",
        mark("What was refused yesterday, by code"),
        "",
        mark("Every refusal of yesterday (UTC). Many are answers that came too late, and harmless."),
        refusals_yesterday,
        "code",
    ),
    Question(
        "everything-of-person",
        mark("Everything of one person"),
        "person",
        mark("Every record of the person, newest first. Refused sign-ins are not there: they name nobody for certain."),
        everything_of,
    ),
    Question(
        "refusals-of-person",
        mark("What one person was refused, last 30 days"),
        "person",
        mark("After the sign-in: roles that the rules did not grant, and exchanges that STS refused."),
        refusals_of,
    ),
    Question(
        "who-used-key",
        mark("Who used this AccessKeyId?"),
        "access_key_id",
        mark("Whom the credentials were issued to, who got them again, and calls that were refused with them."),
        who_used_key,
    ),
    Question(
        "whose-session",
        mark("Who is behind this RoleSessionName?"),
        "session_name",
        mark("As it stands in ActionTrail, exactly."),
        whose_session,
    ),
    Question(
        "who-became-role",
        mark("Who chose this role, last 30 days?"),
        "role",
        mark("Each time that the rules granted it, for the console or for credentials."),
        who_became,
    ),
    Question(
        "one-request",
        mark("What happened under this reference number?"),
        "reference",
        mark("The number of an error page, or the RequestId of a call of the STS endpoint."),
        one_request,
    ),
    Question(
        "from-address",
        mark("Everything from this address or network"),
        "address",
        mark("Addresses as this service sees them; many people may share one."),
        from_address,
    ),
    Question(
        "changes-of-rules",
        mark("Who changed the rules, last 90 days?"),
        "",
        mark("Changes that came into force, wait for a second person, were taken back or were refused."),
        changes_of_rules,
    ),
)
QUESTIONS: Mapping[str, Question] = {question.name: question for question in _ALL}
"""By name, in the order in which a page shows them."""


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _next(now: datetime) -> datetime:
    return _midnight(now) + _DAY
