"""What API v1 takes and answers. The answers are made of these types, and the OpenAPI document is made from them."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue

from bridge.delivery.links import LONGEST_DESTINATION
from bridge.described import Described
from bridge.entitlements.entitlement import Sensitivity
from bridge.exchange.duration import MAXIMUM_SECONDS, MINIMUM_SECONDS

_EXAMPLE_TIME = "2026-11-29T12:00:00Z"
Moment = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", examples=[_EXAMPLE_TIME])]
"""UTC, to the second."""


def _read_whole_number(value: object) -> object:
    """Return a number without a fraction as an integer, as JSON Schema has it: ``3600.0`` is one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class LengthAnswer(Described):
    """How long credentials last, and why."""

    seconds: int
    decided_by: str
    """The limit that is the shortest: ``default``, ``asked``, ``rule``, ``account``, ``role``, ``api`` or ``identity
    provider``."""
    limits: dict[str, int]
    """All limits by name, in seconds."""


class _NamedEntitlement(Described):
    id: str
    """Stable for the same kind, account and name."""
    kind: Literal["role", "user"]
    account: str
    account_id: str
    account_title: str
    name: str
    title: str
    purpose: str
    owner: str
    """Whom to ask about it, as the rule or the account's settings say; empty where neither does."""
    sensitivity: Sensitivity | None
    """How much harm may be done with it; null where neither the rule nor the account's settings say."""


class EntitlementAnswer(_NamedEntitlement):
    """A role or user that the person may become now."""

    console: bool
    """Whether its console can be opened."""
    narrowed: bool
    """Whether a session policy narrows it."""
    terminal: bool
    """Whether there are credentials for it."""
    terminal_role: str | None
    max_duration_seconds: int
    credentials_duration: LengthAnswer | None
    """How long credentials would last if they were asked for now."""


class ReachAnswer(_NamedEntitlement):
    """What the person might become after a stronger or a fresh sign-in."""

    lacks: list[Literal["strength", "freshness"]]
    require: dict[str, JsonValue]
    sign_in: str
    """The path that asks for that sign-in."""


class SessionAnswer(Described):
    """Who is signed in, what they may become, and until when."""

    provider: str
    issuer: str
    subject: str
    claims: dict[str, JsonValue]
    authenticated_at: Moment
    acr: str | None
    amr: list[str]
    session_ends_at: Moment
    rules_version: str
    entitlements: list[EntitlementAnswer]
    within_reach: list[ReachAnswer]


class CredentialsQuestion(Described):
    """Credentials that are wanted."""

    entitlement: str = Field(min_length=1, max_length=128)
    """The ``id`` of an entitlement."""
    duration_seconds: Annotated[int | None, BeforeValidator(_read_whole_number)] = Field(
        default=None, ge=MINIMUM_SECONDS, le=MAXIMUM_SECONDS
    )
    """How long they should last; the limits may make it less. An hour where absent."""


class CredentialsAnswer(Described):
    """Temporary credentials, as Alibaba Cloud's token service issued them."""

    access_key_id: str
    access_key_secret: str
    security_token: str
    expires_at: Moment
    account_id: str
    role: str
    role_session_name: str
    duration: LengthAnswer
    reused: bool
    """Whether they were issued for an equal request before, so that less than the whole duration is left."""


class LinkQuestion(Described):
    """A link to a role and a page of the console."""

    entitlement: str = Field(min_length=1, max_length=128)
    """The ``id`` of an entitlement that has a console."""
    destination: str = Field(
        default="",
        max_length=LONGEST_DESTINATION,
        pattern=r"^(https://([a-z0-9-]+\.)*console\.(aliyun|alibabacloud)\.com([/?#][A-Za-z0-9/?#=&%._~:@!$'()*+,;-]*)?)?$",
    )
    """An https address of a page of the console; its start page where this is absent."""
    seconds: Annotated[int | None, BeforeValidator(_read_whole_number)] = Field(default=None, ge=60, le=2_592_000)
    """How long the link is good for. A week where absent."""


class LinkAnswer(Described):
    """A signed link. It gives nobody a right: whoever follows it signs in as themself."""

    url: str
    expires_at: Moment


class OwnSessionAnswer(Described):
    """One session of the person."""

    id: str
    kind: Literal["browser", "terminal"]
    program: str
    """What a terminal's program calls itself; nothing for a browser."""
    opened_from: str
    """The address that opened it."""
    started_at: Moment
    last_seen_at: Moment
    ends_at: Moment
    current: bool
    """Whether it is the one that asks."""


class SessionsAnswer(Described):
    """Every session of the person, the newest first."""

    sessions: list[OwnSessionAnswer]


class HandedOutAnswer(Described):
    """Credentials or a console that were handed out to the person and still live. Nobody can end them before."""

    kind: Literal["credentials", "console"]
    account: str
    name: str
    """The RAM role's or RAM user's."""
    handed_out_at: Moment
    """When, for the last time."""
    ends_at: Moment
    """When it ends by itself, as far as we know."""
    source_address: str
    """Where it went."""
    reference: str
    """The number under which our records have it."""
    access_key_id: str | None
    """Null for a console that was opened by a signed response."""
    times: int
    """How often it was handed out and still lives; a role's console stands here once, by the last to end."""


class HandedOutListAnswer(Described):
    """What was handed out to the person and still lives, the last to end first."""

    handed_out: list[HandedOutAnswer]
    complete: bool
    """Whether that is all: of somebody who was handed very much, only the newest is looked at."""


class ToDoAnswer(Described):
    """One thing to do."""

    kind: Literal["other_time", "other_network", "stronger_sign_in", "fresh_sign_in", "shorter_session", "ask"]
    message: str
    """For people, in their language."""


class LetterAnswer(Described):
    """A message that the person may send to whom they ask."""

    subject: str
    text: str
    mailto: str | None = None
    """The address of a link that opens it in a mail program, where the owner's address is known."""


class HelpAnswer(Described):
    """The smallest thing that would help."""

    kind: Literal["other_time", "other_network", "stronger_sign_in", "fresh_sign_in", "shorter_session", "ask"]
    """What there is to do, or the first of it."""
    message: str
    """What is missing and what to do, for people, in their language."""
    steps: list[ToDoAnswer]
    """All that there is to do; every step is needed."""
    at: Moment | None = None
    """From when on it would be granted."""
    sign_in: str | None = None
    """The path that begins the sign-in that is needed."""
    owner: str | None = None
    """Whom to ask, where that is for this person to know."""
    letter: LetterAnswer | None = None


class ErrorAnswer(Described):
    """Why there is no other answer."""

    code: str
    """Stable, lower case: docs/errors.md has them all."""
    message: str
    """What happened and what to do next, for people."""
    reference: str
    """The number under which our records have it."""
    sts_code: str | None = None
    """What Alibaba Cloud's token service called it, if it was asked."""
    sts_request_id: str | None = None
    """Its own number of the request."""
    help: HelpAnswer | None = None
    """What would help, where that is known."""
