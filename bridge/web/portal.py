"""What the employee may become, and taking them there: portal, console, credentials."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.clock import Clock, format_utc
from bridge.delivery.console import find_way
from bridge.delivery.links import check_destination, name_place
from bridge.delivery.profiles import write_environment, write_json, write_profile
from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.resolve import Resolution, WithinReach
from bridge.errors import NotEntitled
from bridge.exchange.accounts import Account
from bridge.exchange.credentials import TemporaryCredentials
from bridge.exchange.duration import DEFAULT_SECONDS
from bridge.federation import Federation
from bridge.identity.providers import Provider
from bridge.language import mark, translate, write_length
from bridge.ram_policies.knowledge import RoleKnowledge
from bridge.sessions.habits import Habits, HabitStore
from bridge.sessions.session import Session
from bridge.web.access import Access
from bridge.web.console import open_console
from bridge.web.help import HelpDesk
from bridge.web.origin import current_origin
from bridge.web.people import describe_signed_in
from bridge.web.role_words import describe_entitlement

LIMITS = {
    "default": mark("They last %(duration)s, because of the default session length."),
    "asked": mark("They last %(duration)s, because of what you asked for."),
    "rule": mark("They last %(duration)s, because of the rule that grants this role."),
    "account": mark("They last %(duration)s, because of this account's limit."),
    "role": mark("They last %(duration)s, because of this role's own limit."),
    "api": mark("They last %(duration)s, because of the limit of Alibaba Cloud's token service."),
    "identity provider": mark("They last %(duration)s, because of the end of your sign-in at the identity provider."),
}
"""What decided a session's length, in words."""


LIMIT_NAMES = {
    "default": mark("usual session %(duration)s"),
    "asked": mark("asked for %(duration)s"),
    "rule": mark("rule %(duration)s"),
    "account": mark("account %(duration)s"),
    "role": mark("role in RAM %(duration)s"),
    "api": mark("Alibaba Cloud %(duration)s"),
    "identity provider": mark("your sign-in %(duration)s"),
}


MOST_USED = 6
MANY = 8
"""With more cards than this, what is used most comes first; with fewer, a card keeps its place."""
OFTEN = 0.5
"""From this weight on, something is in use: one use within two weeks."""


class Portal:
    """The pages of a signed-in person."""

    def __init__(
        self,
        *,
        federation: Federation,
        access: Access,
        providers: Mapping[str, Provider],
        accounts: Mapping[str, Account],
        habits: HabitStore,
        knowledge: RoleKnowledge,
        clock: Clock,
        desk: HelpDesk,
    ) -> None:
        """Take what the pages use."""
        self._federation = federation
        self._access = access
        self._titles = {name: provider.title for name, provider in providers.items()}
        self._accounts = accounts
        self._habits = habits
        self._knowledge = knowledge
        self._clock = clock
        self._desk = desk

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("portal", __name__)
        routes.add_url_rule("/", "show", self.show)
        routes.add_url_rule("/console/<entitlement_id>", "console", self.console, methods=["POST"])
        routes.add_url_rule("/credentials/<entitlement_id>", "credentials", self.credentials, methods=["POST"])
        routes.add_url_rule("/favourites/<entitlement_id>", "favourite", self.favourite, methods=["POST"])
        return routes

    def show(self) -> Response:
        """List accounts and roles as cards."""
        session = self._access.require_session()
        resolution = self._federation.look(session.identity, current_origin().source_address)
        habits = self._habits.load(session.identity)
        groups = self._group(resolution, habits)
        help_ = {} if groups else self._find_help(session)
        again = request.args.get("again") == "1"
        page = render_template("portal.html", groups=groups, again=again, **help_, **self._describe_session(session))
        return make_response(page)

    def console(self, entitlement_id: str) -> Response:
        """Open the console for one entitlement, on the page ``to`` of it if a link led here."""
        identity = self._access.require_session_post().identity
        destination = request.form.get("to", "")
        if destination:
            check_destination(destination)
        response = open_console(self._federation, self._accounts, identity, entitlement_id, destination)
        always_for, none_for = (
            name_place(account, destination) if account in self._accounts else ""
            for account in (request.form.get("always", ""), request.form.get("never", ""))
        )
        self._habits.note_use(identity, entitlement_id, always_for, none_for=none_for)
        return response

    def favourite(self, entitlement_id: str) -> AnyResponse:
        """Make an entitlement a favourite, or none any more."""
        identity = self._access.require_session_post().identity
        resolution = self._federation.look(identity, current_origin().source_address)
        held = (*resolution.entitlements, *(reach.entitlement for reach in resolution.within_reach))
        if all(entitlement.id != entitlement_id for entitlement in held):
            raise NotEntitled("no favourite can be made of what is not on the page")
        self._habits.mark(identity, entitlement_id, favourite=request.form.get("favourite") == "yes")
        return redirect(find_card(entitlement_id), 303)

    def credentials(self, entitlement_id: str) -> Response:
        """Issue credentials for one entitlement and show them."""
        session = self._access.require_session_post()
        origin = current_origin()
        with self._federation.in_one_step(origin) as federation:
            choice = federation.choose(origin, session.identity, entitlement_id, purpose="credentials")
            credentials = federation.exchange(origin, choice)
            credentials = federation.deliver_credentials(origin, choice, credentials)
        self._habits.note_use(session.identity, entitlement_id)
        entitlement = choice.entitlement
        account = self._accounts[entitlement.account]
        page = render_template(
            "credentials.html",
            entitlement=self._describe(entitlement),
            account={"name": account.name, "title": account.title, "id": account.id},
            credentials={
                "access_key_id": credentials.access_key_id,
                "access_key_secret": credentials.access_key_secret,
                "security_token": credentials.security_token,
                "expires_at": format_utc(credentials.expires_at),
            },
            formats=[
                write_environment(credentials),
                write_json(credentials),
                write_profile(credentials, f"{account.name}-{entitlement.name}"),
            ],
            decided_by=_describe_duration(credentials),
            reused=credentials.reused,
            limits=[
                translate(LIMIT_NAMES[name], duration=write_length(seconds)) for name, seconds in credentials.limits
            ],
            this_page=find_card(entitlement_id),  # where a switch of language leads, as the page says beforehand
            **self._describe_session(session),
        )
        return make_response(page)

    def _find_help(self, session: Session) -> dict[str, Any]:
        """Return what helps somebody who has nothing: what there would be, and whom to ask."""
        identity = session.identity
        return {
            "ways": [
                {"entitlement": self._describe(entitlement), "help": help_}
                for entitlement, help_ in self._desk.list_ways(identity)
            ],
            "askable": [
                {"title": account.title, "owner": account.owner, "letter": help_.letter}
                for account, help_ in self._desk.list_askable(identity)
            ],
            "letter": self._desk.ask_for_anything(identity).letter,
            "reference": current_origin().reference,
        }

    def _describe_session(self, session: Session) -> dict[str, Any]:
        return {
            **describe_signed_in(self._access, self._titles),
            "session_ends": format_utc(session.ends_at),
            # A sign-in like any other: silent while the provider's own session lasts, and a question once it is over.
            "extend_url": url_for("login.start", provider=session.identity.provider, return_to="/?extended=1"),
            "server_time": format_utc(self._clock.now()),
        }

    def _describe(self, entitlement: Entitlement) -> dict[str, Any]:
        account = self._accounts[entitlement.account]
        return {
            "id": entitlement.id,
            "kind": entitlement.kind,
            "name": entitlement.name,
            "title": entitlement.title or entitlement.name,
            "purpose": entitlement.purpose,
            "may": describe_entitlement(entitlement, self._knowledge),
            "owner": entitlement.owner or account.owner,
            "sensitivity": entitlement.sensitivity or account.sensitivity,
            "duration_text": write_length(min(entitlement.duration_seconds, DEFAULT_SECONDS)),
            "limit_note": "",
            "narrowed": entitlement.session_policy is not None,
            "console": find_way(entitlement, account) is not None,
            "terminal": entitlement.opens_terminal,
            "terminal_role": entitlement.terminal_role,
            "account": {"name": account.name, "title": account.title, "id": account.id, "alias": account.alias or ""},
        }

    def _group(self, resolution: Resolution, habits: Habits) -> list[dict[str, Any]]:
        """Return the cards by account; before them, in a group of their own, favourites and what is used most."""
        cards = {each.id: self._describe(each) for each in resolution.entitlements}
        cards |= {
            reach.entitlement.id: self._describe(reach.entitlement) | {"needs": _describe_need(reach)}
            for reach in resolution.within_reach
        }
        first = list(habits.favourites)
        if len(cards) > MANY:
            now = self._clock.now()
            used = habits.list_most_used(now, MOST_USED)
            first += [each for each in used if each not in first and habits.weigh(each, now) >= OFTEN]
        chosen = [cards.pop(each) | {"favourite": each in habits.favourites} for each in first if each in cards]
        groups: dict[str, list[dict[str, Any]]] = {}
        for card in cards.values():
            groups.setdefault(card["account"]["name"], []).append(card)
        by_account = [{"account": of_one[0]["account"], "cards": of_one} for of_one in groups.values()]
        return [{"account": None, "cards": chosen}, *by_account] if chosen else by_account


def _describe_duration(credentials: TemporaryCredentials) -> str:
    return translate(LIMITS[credentials.decided_by], duration=write_length(credentials.duration_seconds))


def _describe_need(reach: WithinReach) -> dict[str, str]:
    age = reach.require.max_age_seconds
    longest = "" if age is None else write_length(age)
    if not reach.too_weak:
        return {
            "title": translate("Needs a fresh sign-in"),
            "text": translate("You must have signed in at your identity provider at most %(age)s ago.", age=longest),
        }
    title = translate("Needs a stronger sign-in")
    if age is None:
        text = translate("Sign in again by the method that it requires, such as a second factor.")
    else:
        text = translate(
            "Sign in again by the method that it requires, such as a second factor, at most %(age)s ago.", age=longest
        )
    return {"title": title, "text": text}


def find_card(entitlement_id: str) -> str:
    """Return where the portal shows an entitlement."""
    return f"/#card-{entitlement_id}"
