"""The vocabulary: one frozen dataclass for each thing that can happen.

A name is ``thing.what-happened``; ``refused`` is always the last word of a refusal. Values are plain strings and
numbers, so that a record written today stays readable after the code has changed. Never in an event: a secret, a
token, a cookie, an assertion. A digest stands for a message where one is needed.

Each field is either in :data:`PERSONAL`, and then it is recorded under a key that can be destroyed, or in
:data:`PLAIN`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

MAX_TEXT = 512
"""Characters kept of any text that came from outside."""


@dataclass(frozen=True)
class Origin:
    """Where a request came from; the same for every event of that request."""

    reference: str
    """The number that the person sees on an error page."""
    source_address: str
    """The peer's address, as seen through configured proxies only."""


BACKGROUND = Origin(reference="", source_address="")
"""No request: the service itself."""


@dataclass(frozen=True)
class Person:
    """Somebody beside the one whom an event is about. What it says of them is sealed under their own key."""

    issuer: str
    subject: str
    person: str = ""
    """What people call them; may be absent where it is known already."""


@dataclass(frozen=True)
class Event:
    """What every event shares: a name, and whether it is a refusal."""

    name: ClassVar[str]

    @property
    def refused(self) -> bool:
        """Tell whether somebody was turned away."""
        return self.name.endswith(".refused")

    def fields(self) -> Mapping[str, Any]:
        """Return the event's own fields that hold something, texts capped at ``MAX_TEXT`` characters.

        Raises:
            TypeError: one holds what cannot be recorded.
        """
        found = {}
        for name, value in vars(self).items():
            if type(value) is str:
                if value:
                    found[name] = value if len(value) <= MAX_TEXT else value[:MAX_TEXT]
            elif value is not None:
                found[name] = _cap(value)
        return found


def _cap(value: Any) -> Any:
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, list | tuple):
        return [_cap(item) for item in value]
    if isinstance(value, int | float | Person):
        return value
    raise TypeError(f"{type(value).__name__} cannot be recorded")


@dataclass(frozen=True)
class PersonEvent(Event):
    """Something that a known person did."""

    provider: str
    issuer: str
    subject: str
    """Unique only together with the issuer."""
    person: str
    """What people call the person; it identifies nobody."""
    acr: str | None = field(default=None, kw_only=True)
    """How the person signed in, as the provider says: ``AuthnContextClassRef`` or ``acr``."""
    amr: tuple[str, ...] = field(default=(), kw_only=True)
    """RFC 8176."""


@dataclass(frozen=True)
class EntitlementEvent(PersonEvent):
    """Something that a known person did with one entitlement."""

    account: str
    entitlement: str
    """``role NAME`` or ``user NAME``."""


@dataclass(frozen=True)
class SignInAccepted(PersonEvent):
    """A provider's statement passed every check; this is who it speaks of, and how strongly."""

    name = "sign_in.accepted"
    protocol: str
    message_id: str
    authenticated_at: str
    session_index: str | None
    solicited: bool
    """Whether the sign-in was started here (true) or by the provider."""


@dataclass(frozen=True)
class MessageRefused(Event):
    """A message of a provider was turned away. Nothing in it is believed."""

    provider: str
    protocol: str
    code: str
    detail: str
    message_digest: str = ""
    """SHA-256 (hex) of the message as it arrived."""


@dataclass(frozen=True)
class SignInRefused(MessageRefused):
    """A provider's answer was turned away."""

    name = "sign_in.refused"
    claimed_issuer: str = ""
    """Who the message says that it is by. Not believed; escaped and cut, as everything here."""
    claimed_id: str = ""
    """What the message calls itself: a SAML ``ID``, a JWT's ``jti``."""
    checks: tuple[tuple[str, str, str, str], ...] | None = None
    """Each check that was made: its name, whether it passed, what was measured and what is allowed."""


@dataclass(frozen=True)
class SessionEnded(PersonEvent):
    """A session is over before its time: the person signed out here, or the provider says so."""

    name = "session.ended"
    reason: str = "signed_out_here"
    """``signed_out_here`` or ``signed_out_at_provider``; ``signed_out_meanwhile``: a terminal, as it was opened.
    ``shown_again``: a code or a token of its was shown twice; ``signed_out_terminal``: its program signed out;
    ``ended_from_list``: the person ended it from another session."""


@dataclass(frozen=True)
class LogoutAccepted(Event):
    """A provider's message about the end of its session passed every check. A ``session.ended`` for each session."""

    name = "logout.accepted"
    provider: str
    protocol: str
    issuer: str
    message_id: str
    subject: str | None
    session_indexes: tuple[str, ...]
    """The provider's own names for the sessions that it ended; none: all of the person's."""
    ended: int
    """How many sessions of ours that were."""


@dataclass(frozen=True)
class LogoutRefused(MessageRefused):
    """A provider's message about signing out was turned away."""

    name = "logout.refused"


@dataclass(frozen=True)
class EntitlementsResolved(PersonEvent):
    """A session begins for this person, and this is what the rules say at that moment that they may become."""

    name = "entitlements.resolved"
    rules_version: str
    granted: tuple[str, ...]
    """``kind account/name`` of each entitlement."""
    rules: tuple[str, ...] = ()
    """The rules that applied, those that deny first: ``grants``, ``denies`` or ``withheld``, and the rule."""
    because: tuple[str, ...] = ()
    """For each of them, which conditions held. Of what the provider sent, only values that the rule itself names."""
    left_out: int | None = None
    """How many more rules applied than are listed; absent if none."""
    administrator: bool | None = None
    """Whether the person may see the pages for administrators at that moment; absent: not."""


@dataclass(frozen=True)
class ChoiceMade(EntitlementEvent):
    """A person picked one entitlement and the rules of that moment granted it."""

    name = "choice.made"
    rule: str
    rules_version: str
    purpose: str
    """``console``, ``credentials``, or ``terminal`` for a program that asks with a terminal's token."""


@dataclass(frozen=True)
class ChoiceRefused(PersonEvent):
    """A person asked for something that the rules of that moment do not grant."""

    name = "choice.refused"
    entitlement: str
    code: str
    detail: str


@dataclass(frozen=True)
class SignedCallRefused(Event):
    """A signed call of the STS endpoint was turned away: its signature, its time, its key or its token is not right."""

    name = "call.refused"
    action: str
    access_key_id: str
    """As the caller wrote it."""
    code: str
    """The vendor's."""
    request_digest: str
    """SHA-256 (hex) of what had to be signed."""


@dataclass(frozen=True)
class DeviceEvent(PersonEvent):
    """What somebody decided in the browser about a terminal that waits."""

    client: str
    """What the program calls itself. Not believed."""
    requested_from: str
    """The address from which the terminal asked."""


@dataclass(frozen=True)
class DeviceAuthorized(DeviceEvent):
    """A person allows a terminal to act for them until the session's end or their sign-out."""

    name = "device.authorized"


@dataclass(frozen=True)
class DeviceRefused(DeviceEvent):
    """A person says that a terminal is not theirs."""

    name = "device.refused"


@dataclass(frozen=True)
class AuthorizationEvent(PersonEvent):
    """What somebody decided in the browser about a program of ours on their machine that asks by OAuth."""

    client: str
    redirect_uri: str
    """The address on their machine to which the answer goes."""


@dataclass(frozen=True)
class AuthorizationGranted(AuthorizationEvent):
    """A person allows a program to act for them until the session's end or their sign-out."""

    name = "authorization.granted"


@dataclass(frozen=True)
class AuthorizationRefused(AuthorizationEvent):
    """A person says that a program is not theirs."""

    name = "authorization.refused"


@dataclass(frozen=True)
class GrantRefused(PersonEvent):
    """A genuine code or token of a person's was shown by somebody who may not have it, or for the second time."""

    name = "grant.refused"
    code: str
    detail: str


@dataclass(frozen=True)
class TerminalOpened(PersonEvent):
    """A terminal that was allowed is about to get its token."""

    name = "terminal.opened"
    client: str
    ends_at: str


@dataclass(frozen=True)
class AdministrationRefused(PersonEvent):
    """A person asked for a page of administrators, and is none at this moment."""

    name = "administration.refused"
    page: str
    """The path of the page."""
    code: str


@dataclass(frozen=True)
class AuditErased(Event):
    """What the log says of a person is about to become unreadable, for good."""

    name = "audit.erased"
    of_subject_digest: str
    """The person, as the log's own digest: whoever knows issuer and subject, and has the log's key, can tell."""
    addresses: int
    """How many addresses that nobody else used become unreadable with the person."""
    author: str


@dataclass(frozen=True)
class AuditRetired(Event):
    """The records of a month are about to go, since their time is over. Their hashes stay."""

    name = "audit.retired"
    month: int
    """``year * 100 + month``."""
    count: int
    """How many go."""
    positions: tuple[str, ...]
    """All that are gone then, those of earlier months too: first and last position of each run."""
    ends: tuple[str, ...]
    """Writer, number and mac of each record that is gone whose writer's next one is there."""
    author: str


@dataclass(frozen=True)
class SearchRebuilt(Event):
    """What searches and figures go by said otherwise than the records, and was computed again."""

    name = "audit.search_rebuilt"
    mended: tuple[str, ...]
    """Each table that was wrong, and how many of its rows."""
    author: str


@dataclass(frozen=True)
class AuditRefused(PersonEvent):
    """A person asked for a page of auditors, and is none at this moment."""

    name = "audit.refused"
    page: str
    """The path of the page."""
    code: str


@dataclass(frozen=True)
class SignInExplained(PersonEvent):
    """An administrator was shown what is kept of somebody's sign-in, and what the rules make of it."""

    name = "sign_in.explained"
    of: Person
    of_time: str
    """When that sign-in was; UTC."""


@dataclass(frozen=True)
class ExchangeIssued(EntitlementEvent):
    """STS issued credentials; they have not left the bridge yet. ``access_key_id`` leads into ActionTrail."""

    name = "exchange.issued"
    rule: str
    rules_version: str
    trust: str
    role_session_name: str
    access_key_id: str
    expires_at: str
    duration_seconds: int
    decided_by: str
    sts_request_id: str
    source_identity: str = ""
    """What STS was told of the person beside the session name; absent: nothing."""
    session_policy_digest: str = ""
    """SHA-256 (hex) of the session policy that narrowed the role, as STS got it; absent: the whole role."""


@dataclass(frozen=True)
class ExchangeReused(EntitlementEvent):
    """Credentials of an earlier, equal request are released once more; nothing was asked of STS."""

    name = "exchange.reused"
    rule: str
    rules_version: str
    role_session_name: str
    access_key_id: str
    expires_at: str
    original_reference: str
    """The reference of the request whose ``exchange.issued`` tells of these credentials."""
    sts_request_id: str
    """STS's RequestId of that exchange."""


@dataclass(frozen=True)
class ExchangeFailed(EntitlementEvent):
    """STS refused, or could not be reached; nothing was issued as far as we know."""

    name = "exchange.refused"
    code: str
    detail: str
    sts_code: str = ""
    sts_request_id: str = ""


@dataclass(frozen=True)
class DoctorExchanged(Event):
    """``rambridge doctor`` tried the way to STS. The credentials may do nothing, and were thrown away at once."""

    name = "doctor.exchanged"
    account: str
    role: str
    trust: str
    access_key_id: str
    expires_at: str
    sts_request_id: str


@dataclass(frozen=True)
class DoctorRefused(Event):
    """``rambridge doctor`` tried the way to STS, and it did not lead to credentials."""

    name = "doctor.refused"
    account: str
    role: str
    trust: str
    code: str
    detail: str
    sts_code: str = ""
    sts_request_id: str = ""


@dataclass(frozen=True)
class CredentialsDelivered(EntitlementEvent):
    """Credentials are about to be shown to the person who chose them."""

    name = "delivery.credentials"
    access_key_id: str


@dataclass(frozen=True)
class ConsoleOpened(EntitlementEvent):
    """A signed response or a sign-in token for the console is about to be handed to the person's browser."""

    name = "delivery.console"
    rule: str
    rules_version: str
    way: str
    """``saml`` or ``token``."""
    assertion_id: str
    role_session_name: str
    duration_seconds: int
    decided_by: str
    access_key_id: str = ""
    """With a token: of the credentials that it was got for; they end when the console session does."""
    narrowed: bool | None = None
    """Whether a session policy narrows the console session; absent: the whole role or user."""
    session_policy_digest: str = ""
    """SHA-256 (hex) of that policy, as in ``exchange.issued``."""
    destination: str = ""
    """The page that a link led to: host and path alone; absent: the console's start page."""


@dataclass(frozen=True)
class MetadataKeysChanged(Event):
    """A provider publishes other signing certificates (SHA-256, hexadecimal) than before. Each worker says so."""

    name = "metadata.keys_changed"
    provider: str
    source: str
    """The address of the metadata, without query, or the file."""
    added: tuple[str, ...]
    removed: tuple[str, ...]
    held: tuple[str, ...]
    """Of those that are published now, the ones that nobody has approved: they verify nothing."""
    signed: bool
    """Whether the metadata was signed by the key that the settings name."""


@dataclass(frozen=True)
class ClockSteppedBack(Event):
    """A machine's clock was set back. Until it is beyond its last record again nobody can sign in there."""

    name = "clock.stepped_back"
    node: str
    seconds: int
    latest: str
    """The time of the last record before; UTC."""


@dataclass(frozen=True)
class RepeatedRefusals(Event):
    """More refusals of one kind and source than are recorded one by one, of one minute (threat AUD-07)."""

    name = "repeated.refused"
    of_event: str
    code: str
    provider: str
    action: str
    """Of a signed call."""
    issuer: str
    subject: str
    times: int
    """How many there were beside those that have records of their own."""
    since: str
    """UTC."""


@dataclass(frozen=True)
class RulesEvent(Event):
    """Something about what rules are in force. Versions are digests (SHA-256, hexadecimal)."""

    version: str
    """The version that it is about."""
    previous: str
    """What was in force before; nothing for the first."""
    author: str
    """Who asked for it."""
    issuer: str = field(default="", kw_only=True)
    subject: str = field(default="", kw_only=True)
    """Whoever asked for it in a session; nothing for a command."""


@dataclass(frozen=True)
class RulesChange(RulesEvent):
    """Other rules are about to come into force, or wait. Rules hold no secrets, so the record has the difference."""

    message: str
    diff_digest: str
    """SHA-256 (hexadecimal) of the whole unified diff."""
    diff: tuple[str, ...]
    """Its first lines."""
    changed: int | None = None
    """For how many people something changes, where that was asked."""
    people: int | None = None
    """Of how many."""
    request: str = ""
    """The request for a second administrator, where there was one."""
    confirmed_by: Person | None = None


@dataclass(frozen=True)
class RulesPromoted(RulesChange):
    """An administrator brings a version into force."""

    name = "rules.promoted"


@dataclass(frozen=True)
class RulesRolledBack(RulesChange):
    """An administrator brings a version back that was kept."""

    name = "rules.rolled_back"


@dataclass(frozen=True)
class RulesTaken(RulesChange):
    """The files on a machine changed, and come into force."""

    name = "rules.files_taken"


@dataclass(frozen=True)
class RulesHeld(RulesChange):
    """The change concerns so many people that it waits for a second administrator."""

    name = "rules.held"


@dataclass(frozen=True)
class RulesRefused(RulesEvent):
    """A change of the rules was turned away; what was in force stays."""

    name = "rules.refused"
    code: str
    detail: str
    request: str = ""


@dataclass(frozen=True)
class RulesNotLoaded(Event):
    """A process cannot take over a version, and goes on with what it has."""

    name = "rules.not_loaded"
    node: str
    version: str
    kept: str
    """The version by which it goes on to decide."""
    code: str
    detail: str


# What auditors looked at.


@dataclass(frozen=True)
class RecordsSearched(PersonEvent):
    """An auditor searched the records. Going on to further pages of the same search leaves no second record."""

    name = "audit.searched"
    asked: tuple[str, ...]
    """By what: names of filters, with the value where it says nothing of a person (``outcome refused``)."""


@dataclass(frozen=True)
class PersonOpened(PersonEvent):
    """An auditor opened the records of a person, or one of them. Once an hour for each auditor and person."""

    name = "audit.person_opened"
    of_digest: str
    """Whose, as the log's own digest: so nothing is left of it once that person is erased."""


@dataclass(frozen=True)
class CheckpointKeyChanged(Event):
    """Another key signs checkpoints of the audit log from now on."""

    name = "audit.key_changed"
    old_key: str
    new_key: str
    note: tuple[str, ...]
    """The lines of a note that names both and that both signed."""


@dataclass(frozen=True)
class TrailImported(Event):
    """Files of ActionTrail events were imported."""

    name = "trail.imported"
    files: int
    file_digests: tuple[str, ...]
    """SHA-256 (hex) of the first of them."""
    events: int
    """How many events they have."""
    calls: int
    """How many of these are calls of our roles that were not known before."""
    earliest: str
    latest: str
    """The time of the first and the last event, by the cloud's clock; UTC."""
    stray_count: int
    """How many sets of credentials are strays now that were not before."""
    strays: tuple[str, ...]
    """``ACCOUNT/ROLE ACCESSKEYID`` of the first of them."""


@dataclass(frozen=True)
class AuditExported(Event):
    """Records are about to be taken away in a file."""

    name = "audit.exported"
    author: str
    """Who asked for them, or ``schedule``."""
    form: str
    """``jsonl``, ``csv``, ``ocsf`` or ``bundle``."""
    contents: str
    """``opened`` or ``sealed``: whether the file says what records say of people."""
    first: int
    """The first position that the file may hold."""
    end: int
    """The first one after those."""
    records: int
    """How many of them the file holds."""
    file_digest: str
    """SHA-256 (hexadecimal) of the file."""
    export: str = ""
    """The name of the scheduled export."""
    issuer: str = field(default="", kw_only=True)
    subject: str = field(default="", kw_only=True)
    """Whoever asked in a session; nothing for a command."""


PERSONAL = frozenset(
    {
        "author",
        "because",
        "checks",
        "claimed_id",
        "claimed_issuer",
        "client",
        "confirmed_by",
        "destination",
        "detail",
        "diff",
        "message",
        "of",
        "person",
        "redirect_uri",
        "requested_from",
        "role_session_name",
        "session_index",
        "session_indexes",
        "source_identity",
        "subject",
    }
)
"""Fields that say something of a person, or may: also texts that a stranger wrote, or somebody in his own words.

``source_address`` of the origin belongs here too, and so do the names of RAM users, wherever they are.
"""

PLAIN = frozenset(
    {
        "access_key_id",
        "account",
        "acr",
        "action",
        "added",
        "administrator",
        "addresses",
        "amr",
        "asked",
        "assertion_id",
        "authenticated_at",
        "calls",
        "changed",
        "code",
        "contents",
        "count",
        "decided_by",
        "diff_digest",
        "duration_seconds",
        "end",
        "ended",
        "ends",
        "ends_at",
        "earliest",
        "entitlement",
        "events",
        "expires_at",
        "file_digests",
        "files",
        "export",
        "file_digest",
        "first",
        "form",
        "granted",
        "held",
        "issuer",
        "kept",
        "latest",
        "left_out",
        "mended",
        "message_digest",
        "message_id",
        "month",
        "narrowed",
        "new_key",
        "node",
        "note",
        "of_digest",
        "of_event",
        "of_subject_digest",
        "of_time",
        "old_key",
        "original_reference",
        "page",
        "people",
        "positions",
        "previous",
        "protocol",
        "provider",
        "purpose",
        "reason",
        "records",
        "removed",
        "request",
        "request_digest",
        "role",
        "rule",
        "rules",
        "rules_version",
        "seconds",
        "session_policy_digest",
        "signed",
        "since",
        "solicited",
        "source",
        "stray_count",
        "strays",
        "sts_code",
        "sts_request_id",
        "times",
        "trust",
        "version",
        "way",
    }
)
"""Fields that can be searched and counted, and that stay when a person's key is destroyed."""
