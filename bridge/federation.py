"""The spine: sign in → entitlements → choose → exchange → deliver.

One short function for each arrow: it calls the stage, records what happened, and returns. Every door (browser, command,
STS endpoint) goes through here, and nothing else issues anything. Record, then release: what a function returns has
been recorded durably before; if the record cannot be written, :class:`~bridge.errors.AuditUnavailable` is raised
and nothing is returned.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from bridge.audit import events
from bridge.audit.events import Origin
from bridge.audit.held import HeldRecords
from bridge.audit.log import AuditLog
from bridge.clock import Clock, format_utc
from bridge.delivery.console import Console, ConsoleForm
from bridge.delivery.links import name_page
from bridge.entitlements.choice import Choice, choose, find_role
from bridge.entitlements.entitlement import Entitlement, Kind, identify
from bridge.entitlements.reading import READS_ALL, Reading, find_reading
from bridge.entitlements.recorded import summarize
from bridge.entitlements.resolve import Resolution, meets_any, resolve
from bridge.entitlements.rules import Conditions, RulesInForce
from bridge.entitlements.smallest_change import SmallestChange, find_smallest_change, list_own_changes
from bridge.entitlements.steps import Situation
from bridge.errors import (
    AuditUnavailable,
    BridgeError,
    ExchangeError,
    NotAdministrator,
    NotAuditor,
    NotEntitled,
    Wanted,
)
from bridge.exchange.assume import Exchange
from bridge.exchange.cache import CredentialsCache
from bridge.exchange.credentials import TemporaryCredentials
from bridge.exchange.duration import Duration
from bridge.history.history import History
from bridge.identity.sign_in import FinishedSignIn
from bridge.identity.trace import Trace
from bridge.identity.verified import VerifiedIdentity

MAX_NAMED = 200
"""In characters: what somebody typed as the name of a role may be long."""


@dataclass(frozen=True)
class Answer:
    """What we may say of a provider's answer before it is verified."""

    provider: str
    protocol: str
    digest: str
    """SHA-256 (hex) of the message."""
    trace: Trace = field(default_factory=Trace, repr=False)
    """Which checks were made of it so far."""


@dataclass(frozen=True)
class AskedRole:
    """A role as a caller of the STS endpoint names it."""

    arn: str
    account: str | None
    """The name of the account in our configuration; None: none of ours has this number."""
    role: str
    purpose: str
    """``workload``, ``saml`` or ``chaining``."""


Narrow: TypeAlias = Callable[[VerifiedIdentity, Entitlement], Choice]
"""Makes the choice of what the rules grant and what a caller of the STS endpoint asks for, or raises a BridgeError."""


def _forget(choice: Choice, credentials: TemporaryCredentials) -> None:
    """Keep nothing: where there is no STS endpoint."""


def _write_nothing() -> None:
    """Hold nothing, write nothing: where each event is written at once."""


class Federation:
    """The five arrows."""

    def __init__(
        self,
        *,
        audit: AuditLog,
        rules: RulesInForce,
        administrators: Sequence[Conditions],
        auditors: Sequence[Conditions],
        exchange: Exchange,
        credentials: CredentialsCache,
        console: Console,
        history: History,
        clock: Clock,
        remember: Callable[[Choice, TemporaryCredentials], None] = _forget,
    ) -> None:
        """Take the stages, the log and the history.

        An administrator meets one of ``administrators``, an auditor one of ``auditors``. ``remember``
        keeps credentials with which their holder may call the STS endpoint.
        """
        self._log = audit
        self._audit: AuditLog | HeldRecords = audit
        self._write_held: Callable[[], None] = _write_nothing
        self._rules = rules
        self._administrators = administrators
        self._auditors = auditors
        self._exchange = exchange
        self._credentials = credentials
        self._console = console
        self._history = history
        self._clock = clock
        self._remember = remember

    @contextmanager
    def in_one_step(self, origin: Origin) -> Iterator["Federation"]:
        """Yield this federation for one call, whose events are written together: each step waits for the disk.

        They are on disk when the block is left, however it is left, so release nothing inside; and before the cloud is
        asked, since what it then does cannot be undone. Raises AuditUnavailable at the end if they cannot be written.
        """
        held, one_call = HeldRecords(self._log, origin), copy(self)
        one_call._audit, one_call._write_held = held, held.write  # noqa: SLF001  a copy of our own
        try:
            yield one_call
        finally:
            held.write()

    def sign_in(
        self,
        origin: Origin,
        answer: Answer,
        verify: Callable[[], FinishedSignIn],
        opens_session: Callable[[FinishedSignIn], bool],
    ) -> tuple[FinishedSignIn, Resolution | None]:
        """Return the sign-in that ``verify`` accepts, and what the person may become if it opens a session at once.

        Both are recorded in one step, since each step waits for the disk; or the refusal that one of them raises is.
        """
        with self._recording_refusal(origin, answer):
            self._log.check_clock()
            finished = verify()
            now = self._clock.now()
            resolution = self._resolve(finished.identity, origin, now) if opens_session(finished) else None
        decided = () if resolution is None else (self._resolved_for_person(origin, finished.identity, resolution),)
        self._audit.append(origin, _accepted(finished), *decided)
        if resolution is not None:
            self._history.note(finished.identity, origin.source_address, now, resolution)
        return finished, resolution

    def sign_in_to_role(
        self,
        origin: Origin,
        answer: Answer,
        verify: Callable[[], FinishedSignIn],
        asked: AskedRole,
        narrow: Narrow,
    ) -> Choice:
        """Return the choice of a role by whoever ``verify`` accepts, in one step with the sign-in.

        Everything is recorded at once: the sign-in, what it may become, and the choice or its refusal. Raises what
        ``verify`` raises, and what :meth:`choose_role` raises.
        """
        with self._recording_refusal(origin, answer):
            self._log.check_clock()
            finished = verify()
            now = self._clock.now()
            resolution = self._resolve(finished.identity, origin, now)
        identity = finished.identity
        before = (_accepted(finished), _resolved(identity, resolution))
        try:
            return self._choose_role(origin, identity, resolution, asked, narrow, before)
        finally:
            # A platform vouches for strangers' jobs as well: they must not fill the history with as many as they like.
            if asked.purpose != "workload" or any(outcome.applied for outcome in resolution.explanations):
                self._history.note(identity, origin.source_address, now, resolution)

    def entitlements(self, origin: Origin, identity: VerifiedIdentity) -> Resolution:
        """Return what the person may become now, at the end of a sign-in, and record the decision."""
        now = self._clock.now()
        resolution = self._resolve(identity, origin, now)
        self._audit.append(origin, self._resolved_for_person(origin, identity, resolution))
        self._history.note(identity, origin.source_address, now, resolution)
        return resolution

    def look(self, identity: VerifiedIdentity, source_address: str) -> Resolution:
        """Return what the person may become now, and why. Looking decides nothing, so it leaves no record."""
        return resolve(identity, self._rules.current, self._clock.now(), source_address)

    def look_beyond(self, identity: VerifiedIdentity, source_address: str) -> tuple[SmallestChange, ...]:
        """Return what the person could get without anybody else, and by what. Looking leaves no record."""
        return list_own_changes(Situation(identity, self._rules.current, self._clock.now(), source_address))

    def refuse_link(self, origin: Origin, identity: VerifiedIdentity, wanted: Wanted) -> NotEntitled:
        """Return the refusal of what a link names; it is recorded, so that its reference leads somewhere."""
        kind: Kind = "user" if wanted.kind == "user" else "role"
        situation = Situation(identity, self._rules.current, self._clock.now(), origin.source_address)
        change = find_smallest_change(situation, identify(kind, wanted.account, wanted.name)) if wanted.name else None
        detail = "a link to what the rules of this moment do not grant to this identity"
        refusal = NotEntitled(f"{detail}; {change.describe()}" if change else detail, wanted)
        named = f"{kind} {wanted.account}/{wanted.name or '*'}"[:MAX_NAMED]
        self._audit.append(
            origin,
            events.ChoiceRefused(**identity.as_recorded(), entitlement=named, code=refusal.code, detail=refusal.detail),
        )
        return refusal

    def is_administrator(self, identity: VerifiedIdentity, source_address: str) -> bool:
        """Return whether the person is an administrator now."""
        return self._meets_any(self._administrators, identity, source_address)

    def is_auditor(self, identity: VerifiedIdentity, source_address: str) -> bool:
        """Return whether the person is an auditor now. An administrator is none by that."""
        return self._meets_any(self._auditors, identity, source_address)

    def _meets_any(self, people: Sequence[Conditions], identity: VerifiedIdentity, source_address: str) -> bool:
        now, rules = self._clock.now(), self._rules.current
        return meets_any(identity, people, rules.groups_claims, now, source_address, schemas=rules.schemas)

    def check_administrator(self, origin: Origin, identity: VerifiedIdentity, page: str) -> None:
        """The person is an administrator now; record the refusal if not. Raises NotAdministrator."""
        if self.is_administrator(identity, origin.source_address):
            return
        refusal = NotAdministrator("none of the conditions on administrators holds")
        self._audit.append(origin, events.AdministrationRefused(**identity.as_recorded(), page=page, code=refusal.code))
        raise refusal

    def check_auditor(self, origin: Origin, identity: VerifiedIdentity, page: str) -> None:
        """The person is an auditor now; record the refusal if not. Raises NotAuditor."""
        if self.is_auditor(identity, origin.source_address):
            return
        refusal = NotAuditor("none of the conditions on auditors holds")
        self._audit.append(origin, events.AuditRefused(**identity.as_recorded(), page=page, code=refusal.code))
        raise refusal

    def choose(
        self,
        origin: Origin,
        identity: VerifiedIdentity,
        entitlement_id: str,
        *,
        purpose: str,
        duration_seconds: int | None = None,
    ) -> Choice:
        """Return the choice of an entitlement that the rules of this moment grant; record it or its refusal.

        Args:
            origin: where the request came from.
            identity: the person.
            entitlement_id: as the portal listed it.
            purpose: ``console`` or ``credentials``.
            duration_seconds: the session length that the person asks for; None for the default.

        Raises:
            NotEntitled: the rules of this moment do not grant it.
        """
        try:
            choice = choose(
                identity,
                entitlement_id,
                self._rules.current,
                self._clock.now(),
                origin.source_address,
                duration_seconds,
            )
        except Exception as failure:
            refusal = _describe(failure)
            self._audit.append(
                origin,
                events.ChoiceRefused(
                    **identity.as_recorded(), entitlement=entitlement_id, code=refusal.code, detail=refusal.detail
                ),
            )
            raise
        entitlement = choice.entitlement
        self._audit.append(
            origin,
            events.ChoiceMade(
                **identity.as_recorded(),
                **_what(entitlement),
                **_why(entitlement),
                purpose=purpose,
            ),
        )
        return choice

    def choose_role(
        self, origin: Origin, identity: VerifiedIdentity, asked: AskedRole, narrow: Narrow, known: Reading
    ) -> Choice:
        """Return the choice of a role that a caller of the STS endpoint named; record it or its refusal.

        Args:
            origin: where the request came from.
            identity: on whose behalf the call is.
            asked: the account, the role, and what for.
            narrow: makes the choice of what the rules grant and what the caller asks for, or raises a BridgeError.
            known: what is certain of the identity, since it is the same for all who hold the caller's credentials.

        Raises:
            NotEntitled: the rules of this moment do not grant it, or read more of the identity than is known.
        """
        resolution = self._resolve(identity, origin, self._clock.now())
        return self._choose_role(origin, identity, resolution, asked, narrow, known=known)

    def refuse_call(self, origin: Origin, action: str, access_key_id: str, code: str, digest: str) -> None:
        """Record that a signed call of the STS endpoint was turned away; ``digest`` is of what it had to sign."""
        self._audit.append(
            origin,
            events.SignedCallRefused(action=action, access_key_id=access_key_id, code=code, request_digest=digest),
        )

    def exchange(self, origin: Origin, choice: Choice) -> TemporaryCredentials:
        """Return credentials for the choice: new ones of STS, or those of an equal request. Either is recorded.

        Raises:
            ExchangeError: STS refused, answered something else, or could not be reached.
        """
        with self._recording_failure(origin, choice):
            release = self._credentials.obtain(
                choice, origin.reference, lambda issued: self._record_issued(origin, choice, issued), self._write_held
            )
        credentials = release.credentials
        if credentials.reused:
            self._audit.append(
                origin,
                events.ExchangeReused(
                    **choice.identity.as_recorded(),
                    **_what(choice.entitlement),
                    **_why(choice.entitlement),
                    role_session_name=credentials.role_session_name,
                    access_key_id=credentials.access_key_id,
                    expires_at=format_utc(credentials.expires_at),
                    original_reference=release.reference,
                    sts_request_id=credentials.request_id,
                ),
            )
        return credentials

    def _record_issued(self, origin: Origin, choice: Choice, credentials: TemporaryCredentials) -> None:
        entitlement = choice.entitlement
        self._audit.append(
            origin,
            events.ExchangeIssued(
                **choice.identity.as_recorded(),
                **_what(entitlement),
                **_why(entitlement),
                trust=self._exchange.trust_of(entitlement.account),
                role_session_name=credentials.role_session_name,
                access_key_id=credentials.access_key_id,
                expires_at=format_utc(credentials.expires_at),
                duration_seconds=credentials.duration_seconds,
                decided_by=credentials.decided_by,
                sts_request_id=credentials.request_id,
                source_identity=credentials.source_identity,
                session_policy_digest=_digest(entitlement.session_policy),
            ),
        )
        self._write_held()  # others may wait for the same credentials

    def foresee(self, identity: VerifiedIdentity, entitlement: Entitlement) -> Duration | None:
        """Return how long credentials would last if they were asked for now, and why; None if there would be none."""
        try:
            return self._exchange.plan(Choice(identity, entitlement)).duration
        except ExchangeError:
            return None

    def deliver_credentials(
        self, origin: Origin, choice: Choice, credentials: TemporaryCredentials, *, may_call: bool = False
    ) -> TemporaryCredentials:
        """Record that the credentials are handed to the person, and return them for it.

        With ``may_call`` they are remembered first, so that their holder may call the STS endpoint with them. If they
        cannot be, or are remembered as somebody else's, that is recorded, and StoreUnavailable or ExchangeMismatch
        raised.
        """
        if may_call:
            with self._recording_failure(origin, choice):
                self._remember(choice, credentials)
        self._audit.append(
            origin,
            events.CredentialsDelivered(
                **choice.identity.as_recorded(), **_what(choice.entitlement), access_key_id=credentials.access_key_id
            ),
        )
        return credentials

    def deliver_console(self, origin: Origin, choice: Choice, destination: str = "") -> ConsoleForm:
        """Return the form that signs the person's browser in at the console; record it, or the failure.

        ``destination`` is the page on which it ends, checked before; empty: the console's home page.

        Raises:
            ConsoleNotNarrowed: a session policy narrows it, and the account's settings allow no sign-in token.
            ExchangeError: no session that is long enough can be opened, or STS or the console's sign-in refuses.
        """
        entitlement = choice.entitlement
        access_key_id = ""
        if self._console.find_way(entitlement) == "token":
            credentials = self.exchange(origin, choice)
            access_key_id = credentials.access_key_id
            self._write_held()
            with self._recording_failure(origin, choice):
                form = self._console.build_token_form(choice, credentials, destination)
        else:
            with self._recording_failure(origin, choice):
                form = self._console.build_form(choice, destination)
        self._audit.append(
            origin,
            events.ConsoleOpened(
                **choice.identity.as_recorded(),
                **_what(entitlement),
                **_why(entitlement),
                way=form.way,
                assertion_id=form.assertion_id,
                role_session_name=form.role_session_name,
                duration_seconds=form.duration.seconds,
                decided_by=form.duration.decided_by,
                access_key_id=access_key_id,
                narrowed=True if entitlement.session_policy else None,
                session_policy_digest=_digest(entitlement.session_policy),
                destination=name_page(destination),
            ),
        )
        return form

    def _resolved_for_person(
        self, origin: Origin, identity: VerifiedIdentity, resolution: Resolution
    ) -> events.EntitlementsResolved:
        """Return the record of the decision, with whether it is an administrator whose session begins."""
        administrator = self.is_administrator(identity, origin.source_address)
        return replace(_resolved(identity, resolution), administrator=administrator or None)

    def _resolve(self, identity: VerifiedIdentity, origin: Origin, now: datetime) -> Resolution:
        return resolve(identity, self._rules.current, now, origin.source_address)

    def _choose_role(  # noqa: PLR0917  who chooses what of which, and how
        self,
        origin: Origin,
        identity: VerifiedIdentity,
        resolution: Resolution,
        asked: AskedRole,
        narrow: Narrow,
        before: Sequence[events.Event] = (),
        *,
        known: Reading = READS_ALL,
    ) -> Choice:
        """``before`` is recorded in the same step."""
        now, source_address = self._clock.now(), origin.source_address
        try:
            entitlement = find_role(
                resolution, identity, asked.account, asked.role, self._rules.current, now, source_address
            )
            reading = find_reading(self._rules.current)
            _check_known(known, reading)
            choice = replace(narrow(identity, entitlement), reading=reading)
        except Exception as failure:
            refusal = _describe(failure)
            refused = events.ChoiceRefused(
                **identity.as_recorded(), entitlement=f"role {asked.arn}", code=refusal.code, detail=refusal.detail
            )
            self._audit.append(origin, *before, refused)
            raise
        chosen = choice.entitlement
        made = events.ChoiceMade(**identity.as_recorded(), **_what(chosen), **_why(chosen), purpose=asked.purpose)
        self._audit.append(origin, *before, made)
        return choice

    @contextmanager
    def _recording_refusal(self, origin: Origin, answer: Answer) -> Iterator[None]:
        try:
            yield
        except Exception as failure:
            refusal = _describe(failure)
            claimed_issuer, claimed_id = answer.trace.describe_claimed()
            self._audit.append(
                origin,
                events.SignInRefused(
                    provider=answer.provider,
                    protocol=answer.protocol,
                    code=refusal.code,
                    detail=refusal.detail,
                    message_digest=answer.digest,
                    claimed_issuer=claimed_issuer,
                    claimed_id=claimed_id,
                    checks=answer.trace.describe() or None,
                ),
            )
            raise

    @contextmanager
    def _recording_failure(self, origin: Origin, choice: Choice) -> Iterator[None]:
        try:
            yield
        except AuditUnavailable:
            raise  # a second record would wait for the same disk
        except Exception as failure:
            refusal = _describe(failure)
            upstream = refusal if isinstance(refusal, ExchangeError) else None
            self._audit.append(
                origin,
                events.ExchangeFailed(
                    **choice.identity.as_recorded(),
                    **_what(choice.entitlement),
                    code=refusal.code,
                    detail=refusal.detail,
                    sts_code=upstream.upstream_code if upstream else "",
                    sts_request_id=upstream.upstream_request_id if upstream else "",
                ),
            )
            raise


def _check_known(known: Reading, reading: Reading) -> None:
    """Of credentials that many hold only one identity is remembered; it speaks for all in what was compared."""
    if not known.covers(reading):
        raise NotEntitled("the rules read more of an identity than when the caller's credentials were released")


def _describe(failure: Exception) -> BridgeError:
    """Return what to record of a failure: of an unexpected one its kind alone, since its text may quote a secret."""
    return failure if isinstance(failure, BridgeError) else BridgeError(type(failure).__name__)


def _accepted(finished: FinishedSignIn) -> events.SignInAccepted:
    identity = finished.identity
    return events.SignInAccepted(
        **identity.as_recorded(),
        protocol=identity.protocol,
        message_id=identity.message_id,
        authenticated_at=format_utc(identity.authenticated_at),
        session_index=identity.session_index,
        solicited=finished.solicited,
    )


def _resolved(identity: VerifiedIdentity, resolution: Resolution) -> events.EntitlementsResolved:
    decided = summarize(resolution)
    return events.EntitlementsResolved(
        **identity.as_recorded(),
        rules_version=resolution.rules_version,
        granted=tuple(_target(entitlement) for entitlement in resolution.entitlements),
        rules=decided.rules,
        because=decided.because,
        left_out=decided.left_out or None,
    )


def _what(entitlement: Entitlement) -> dict[str, Any]:
    return {"account": entitlement.account, "entitlement": f"{entitlement.kind} {entitlement.name}"}


def _why(entitlement: Entitlement) -> dict[str, Any]:
    return {"rule": entitlement.rule, "rules_version": entitlement.rules_version}


def _digest(session_policy: str | None) -> str:
    return hashlib.sha256(session_policy.encode()).hexdigest() if session_policy else ""


def _target(entitlement: Entitlement) -> str:
    return f"{entitlement.kind} {entitlement.account}/{entitlement.name}"
