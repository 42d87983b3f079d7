"""What a refusal says that helps: what is missing, the smallest thing to do about it, and whom to write to.

What people can do alone is computed by the rules that name them; of everything else they learn the same whether it
exists or not, and who owns an account only if they see that account, or its settings let it be asked for (decision
155, threat WEB-15).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from flask import g, request, url_for

from bridge.clock import Clock
from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.smallest_change import SmallestChange
from bridge.entitlements.spans import describe_span
from bridge.entitlements.steps import FreshSignIn, OtherNetwork, OtherTime, Step, StrongerSignIn
from bridge.errors import (
    BridgeError,
    ExchangeDurationRefused,
    NotEntitled,
    SessionEndsTooSoon,
    StepUpNotMet,
    Wanted,
)
from bridge.exchange.accounts import ADDRESS, Account
from bridge.exchange.duration import DEFAULT_SECONDS
from bridge.federation import Federation
from bridge.identity.verified import VerifiedIdentity
from bridge.language import join_sentences, mark, translate
from bridge.web.access import Access
from bridge.web.days import write_day
from bridge.web.letter import Letter, write_letter
from bridge.web.origin import current_origin
from bridge.web.people import describe_person
from bridge.web.return_path import local_path

HelpKind: TypeAlias = Literal[
    "other_time", "other_network", "stronger_sign_in", "fresh_sign_in", "shorter_session", "ask"
]

ASKED_SECONDS = "asked_seconds"
"""Where a request keeps how long a session it asks for."""

TITLES: dict[HelpKind, str] = {
    "other_time": mark("Not at this hour"),
    "other_network": mark("Not from this network"),
    "stronger_sign_in": mark("A stronger sign-in is needed"),
    "fresh_sign_in": mark("A fresh sign-in is needed"),
    "shorter_session": mark("The session is too long"),
    "ask": mark("You do not have this role"),
}
"""What the page of a refusal is called, by the first thing to do."""

BY_SIGN_IN: frozenset[HelpKind] = frozenset({"stronger_sign_in", "fresh_sign_in"})

_SECURITY_KEYS = frozenset({"hwk", "phr", "phrh"})
"""RFC 8176; OpenID Connect Extended Authentication Profile."""
_SECOND_FACTORS = frozenset({"mfa", "otp", "sms", "https://refeds.org/profile/mfa"})
_ROLE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_ACCOUNT = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)


@dataclass(frozen=True)
class ToDo:
    """One thing to do, in the language that is spoken."""

    kind: HelpKind
    message: str


@dataclass(frozen=True)
class Help:
    """What is missing, and what to do about it: all of it together."""

    missing: str
    """What is missing, in a sentence; empty where the refusal says it itself."""
    steps: tuple[ToDo, ...]
    at: datetime | None = None
    """From when on it would be granted; UTC."""
    sign_in: str | None = None
    """The path of ours that begins the sign-in that is needed."""
    retry: bool = False
    """Whether asking for the same again makes sense once the steps are done."""
    owner: str = ""
    """Whom to ask; empty where that is not for this person to know."""
    letter: Letter | None = None

    @property
    def kind(self) -> HelpKind:
        """Return what there is to do, or the first of it."""
        return self.steps[0].kind

    @property
    def message(self) -> str:
        """Return what is missing and what to do about it, as text."""
        return join_sentences(filter(None, [self.missing, *(step.message for step in self.steps)]))

    @property
    def title(self) -> str:
        """Return what a page about it is called."""
        if {step.kind for step in self.steps} <= BY_SIGN_IN or len(self.steps) == 1:
            return translate(TITLES[self.kind])
        return translate("More than one thing is missing")


@dataclass(frozen=True)
class _Named:
    """What was asked for, as far as the person may know about it."""

    role: str = ""
    account: str = ""
    owner: str = ""
    address: str | None = None


class HelpDesk:
    """Finds help for refusals."""

    def __init__(
        self,
        *,
        federation: Federation,
        access: Access,
        accounts: Mapping[str, Account],
        provider_titles: Mapping[str, str],
        clock: Clock,
    ) -> None:
        """Take what decides, who is asking, what accounts say of themselves, and the time."""
        self._federation = federation
        self._access = access
        self._accounts = accounts
        self._titles = provider_titles
        self._clock = clock

    def find(self, error: BridgeError) -> Help | None:
        """Return what helps the person of this request with a refusal; None where nothing is known to."""
        if isinstance(error, StepUpNotMet):
            return _sign_in_once_more(error.wanted)
        session = self._access.find_known()
        if session is None:
            return None
        if isinstance(error, NotEntitled):
            return self._find_way(session.identity, error.wanted)
        if isinstance(error, SessionEndsTooSoon):
            return _renew_sign_in(session.identity)
        if isinstance(error, ExchangeDurationRefused) and g.get(ASKED_SECONDS, 0) > DEFAULT_SECONDS:
            return _shorten()
        return None

    def list_ways(self, identity: VerifiedIdentity) -> list[tuple[Entitlement, Help]]:
        """Return what the person could get alone, and how."""
        changes = self._federation.look_beyond(identity, current_origin().source_address)
        return [(change.entitlement, self._describe(identity, change)) for change in changes]

    def ask_for_anything(self, identity: VerifiedIdentity) -> Help:
        """Return what helps somebody who has nothing: whom to write to, as far as accounts say."""
        return self._ask(identity, _Named())

    def list_askable(self, identity: VerifiedIdentity) -> list[tuple[Account, Help]]:
        """Return the accounts that everybody may ask for."""
        return [
            (account, self._ask(identity, self._name_account(account)))
            for account in self._accounts.values()
            if account.may_be_asked_for
        ]

    def _find_way(self, identity: VerifiedIdentity, wanted: Wanted) -> Help:
        address = current_origin().source_address
        changes = self._federation.look_beyond(identity, address)
        for change in changes:
            if self._is_meant(change.entitlement, wanted):
                return self._describe(identity, change)
        held = self._federation.look(identity, address).entitlements
        seen = {entitlement.account for entitlement in (*held, *(change.entitlement for change in changes))}
        return self._ask(identity, self._name(wanted, seen))

    def _is_meant(self, entitlement: Entitlement, wanted: Wanted) -> bool:
        if wanted.entitlement:
            return entitlement.id == wanted.entitlement
        account = self._accounts[entitlement.account]
        return (
            wanted.account in {account.name, account.alias, account.id}
            and wanted.kind in {None, entitlement.kind}
            and wanted.name in {None, entitlement.name}
        )

    def _name(self, wanted: Wanted, seen: Iterable[str]) -> _Named:
        """Return what was asked for as the person wrote it, and of an account more if they may know that it is there.

        Nothing here depends on whether there is such a role, or an account that they may not know of.
        """
        role = wanted.name if wanted.name and _ROLE.fullmatch(wanted.name) else ""
        for account in self._accounts.values():
            if wanted.account in {account.name, account.alias, account.id} and (
                account.may_be_asked_for or account.name in seen
            ):
                return replace(self._name_account(account), role=role)
        return _Named(role, wanted.account if _ACCOUNT.fullmatch(wanted.account) else "")

    def _name_account(self, account: Account, owner: str = "") -> _Named:
        """``owner`` is that of a grant, which goes before the account's."""
        address = None if owner and owner != account.owner else account.owner_address
        owner = owner or account.owner
        address = address or (owner if re.fullmatch(ADDRESS, owner) else None)
        return _Named("", f"{account.title} ({account.id})", owner, address)

    def _ask(self, identity: VerifiedIdentity, named: _Named) -> Help:
        if named.owner:
            message = translate("Ask its owner, %(owner)s.", owner=named.owner)
        else:
            message = translate("Ask IT, or whoever told you of this role.")
        return Help(
            translate("Nothing that your identity provider says of you gives you this role, if there is such a role."),
            (ToDo("ask", message),),
            owner=named.owner,
            letter=self._write(identity, named),
        )

    def _write(self, identity: VerifiedIdentity, named: _Named) -> Letter:
        return write_letter(
            describe_person(identity, self._titles),
            role=named.role,
            account=named.account,
            at=self._clock.now(),
            reference=current_origin().reference,
            address=named.address,
        )

    def _describe(self, identity: VerifiedIdentity, change: SmallestChange) -> Help:
        entitlement = change.entitlement
        named = replace(
            self._name_account(self._accounts[entitlement.account], entitlement.owner),
            role=entitlement.title or entitlement.name,
        )
        steps = tuple(ToDo(step.kind, _tell(step)) for step in change.steps)  # type: ignore[arg-type]
        kinds = {step.kind for step in steps}
        by_sign_in = kinds <= BY_SIGN_IN
        return Help(
            _tell_missing(kinds, named, self._accounts[entitlement.account].title),
            steps,
            at=next((step.at for step in change.steps if isinstance(step, OtherTime)), None),
            sign_in=url_for("login.step_up", entitlement_id=entitlement.id) if by_sign_in else None,
            retry="other_time" not in kinds,
            owner=named.owner,
            letter=None if by_sign_in else self._write(identity, named),
        )


def _sign_in_once_more(wanted: Wanted) -> Help:
    return Help(
        "",
        (
            ToDo(
                "stronger_sign_in",
                translate("Sign in again, and choose your security key or another second factor there."),
            ),
        ),
        sign_in=find_step_up(wanted.entitlement, wanted.link) if wanted.entitlement else None,
    )


def find_step_up(entitlement: str, link: str) -> str:
    """Return where a stronger or more recent sign-in for an entitlement begins, which leads on to a link of ours."""
    is_link = link.startswith(("/go/", "/open/")) and local_path(link) == link
    return url_for("login.step_up", entitlement_id=entitlement, return_to=link if is_link else None)


def _renew_sign_in(identity: VerifiedIdentity) -> Help:
    back = local_path(request.full_path.rstrip("?")) if request.method == "GET" else "/"
    return Help(
        translate("Your sign-in at your identity provider ends before the shortest session would."),
        (ToDo("fresh_sign_in", translate("Sign in again at your identity provider, then open it again.")),),
        sign_in=url_for("login.start", provider=identity.provider, return_to=back, anew=1),
    )


def _shorten() -> Help:
    length = describe_span(DEFAULT_SECONDS)
    return Help(
        translate("Alibaba Cloud gives this role no session of this length."),
        (ToDo("shorter_session", translate("Ask for a session of at most %(length)s.", length=length)),),
    )


def _tell_missing(kinds: set[HelpKind], named: _Named, account: str) -> str:
    if len(kinds) > 1 and not kinds <= BY_SIGN_IN:
        return translate(
            "%(role)s in %(account)s is meant for you. Each of these is needed:",
            role=named.role,
            account=account,
        )
    if kinds == {"other_network"}:
        message = mark("%(role)s in %(account)s is meant for you, but not from the network that you use now.")
    elif kinds == {"other_time"}:
        message = mark("%(role)s in %(account)s is meant for you, but not at this hour.")
    else:
        message = mark("%(role)s in %(account)s is meant for you, but needs a better sign-in than yours.")
    return translate(message, role=named.role, account=account)


def _tell(step: Step) -> str:
    match step:
        case OtherTime(at=at, zone=zone):
            local = at.astimezone(ZoneInfo(zone))
            return translate(
                "Come back on %(day)s, from %(time)s on (time zone %(zone)s).",
                day=write_day(local.date()),
                time=f"{local:%H:%M}",
                zone=zone,
            )
        case OtherNetwork():
            return translate("Connect to your company's network, in the office or by its VPN, and try again.")
        case FreshSignIn(max_age_seconds=limit):
            length = describe_span(limit)
            return translate("Sign in again: you must have done so within the last %(length)s.", length=length)
        case StrongerSignIn(amr=amr, acr=acr):
            asked = {*amr, *acr}
            if asked <= _SECURITY_KEYS:
                return translate("Sign in again with your security key.")
            if asked & _SECOND_FACTORS:
                return translate("Sign in again with a second factor, such as your security key or a code.")
            return translate("Sign in again by the stronger method that your identity provider has for this.")
    raise AssertionError(step.kind)
