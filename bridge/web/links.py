"""Links to a role and a page of the console: bookmarks, signed links, and where they are made.

Opening one changes nothing: it shows where it leads, and the console is opened by the click of a form of
our own (threats OUT-06, WEB-11).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from flask import Blueprint, Response, make_response, render_template, request

from bridge.clock import format_utc
from bridge.delivery.console import find_way
from bridge.delivery.links import Links, check_destination, name_place
from bridge.entitlements.entitlement import Entitlement
from bridge.errors import DestinationRefused, NotEntitled, Wanted
from bridge.exchange.accounts import Account
from bridge.federation import Federation
from bridge.identity.providers import Provider
from bridge.identity.verified import VerifiedIdentity
from bridge.language import translate
from bridge.pasted.offer import sort_by_power
from bridge.ram_policies.knowledge import RoleKnowledge
from bridge.sessions.habits import HabitStore
from bridge.web.access import Access
from bridge.web.help import find_step_up
from bridge.web.origin import current_origin
from bridge.web.people import describe_signed_in
from bridge.web.role_words import describe_entitlement

LIVES = (1, 7, 30)
"""For how many days one may make a link."""


class LinkPages:
    """The pages of links."""

    def __init__(
        self,
        *,
        federation: Federation,
        access: Access,
        providers: Mapping[str, Provider],
        accounts: Mapping[str, Account],
        habits: HabitStore,
        links: Links,
        knowledge: RoleKnowledge,
        public_url: str,
    ) -> None:
        """Take what the pages use."""
        self._federation = federation
        self._access = access
        self._titles = {name: provider.title for name, provider in providers.items()}
        self._accounts = accounts
        self._habits = habits
        self._links = links
        self._knowledge = knowledge
        self._public_url = public_url

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("links", __name__)
        routes.add_url_rule("/open/<account>", "open_account", self.open_account)
        routes.add_url_rule("/open/<account>/<role>", "open_role", self.open_role)
        routes.add_url_rule("/go/<token>", "follow", self.follow)
        routes.add_url_rule("/links/<entitlement_id>", "ask", self.ask)
        routes.add_url_rule("/links/<entitlement_id>", "make", self.make, methods=["POST"])
        return routes

    def open_account(self, account: str) -> Response:
        """Show which roles open a page in an account, the one that always does first."""
        return self._offer(account, None, None, request.args.get("to", ""))

    def open_role(self, account: str, role: str) -> Response:
        """Show what a bookmark opens. The account is its name, alias or number."""
        return self._offer(account, None, role, request.args.get("to", ""))

    def follow(self, token: str) -> Response:
        """Show what a signed link opens."""
        link = self._links.read(token)
        return self._offer(link.account, link.kind, link.name, link.destination)

    def ask(self, entitlement_id: str) -> Response:
        """Show the bookmark of a role, and ask for a page of the console to link to."""
        return self._show_form(self._find(entitlement_id))

    def make(self, entitlement_id: str) -> Response:
        """Show a signed link."""
        entitlement = self._find(entitlement_id)
        destination, days = request.form.get("to", "").strip(), request.form.get("days", "")
        life = timedelta(days=int(days) if days in {str(each) for each in LIVES} else LIVES[0])
        try:
            token, ends = self._links.make(entitlement.account, entitlement.kind, entitlement.name, destination, life)
        except DestinationRefused as refusal:
            return self._show_form(entitlement, to=destination, days=days, fault=translate(refusal.public))
        made = {"url": f"{self._public_url}/go/{token}", "ends": format_utc(ends)}
        return self._show_form(entitlement, to=destination, days=days, made=made)

    def _find(self, entitlement_id: str) -> Entitlement:
        """Return what the person may become and open in the console. Raises NotEntitled."""
        for entitlement in self._list(self._access.require_session().identity):
            if entitlement.id == entitlement_id:
                return entitlement
        raise NotEntitled("no link can be made to what is not on the page, or has no console", Wanted(entitlement_id))

    def _list(self, identity: VerifiedIdentity) -> list[Entitlement]:
        resolution = self._federation.look(identity, current_origin().source_address)
        return [each for each in resolution.entitlements if find_way(each, self._accounts[each.account])]

    def _offer(self, account: str, kind: str | None, name: str | None, destination: str) -> Response:
        """Show what a link opens for whoever holds it: the role that it names, or each role of the account.

        Raises:
            DestinationRefused: it leads elsewhere than to the console.
            NotEntitled: the person holds none, or there is no such account or role; they learn not which.
        """
        identity = self._access.require_session().identity
        if destination:
            check_destination(destination)

        def is_meant(entitlement: Entitlement) -> bool:
            own = self._accounts[entitlement.account]
            return (
                account in {own.name, own.alias, own.id}
                and (kind is None or entitlement.kind == kind)
                and (name is None or entitlement.name == name)
            )

        meant = [each for each in self._list(identity) if is_meant(each)]
        if not meant:
            resolution = self._federation.look(identity, current_origin().source_address)
            reach = next((each for each in resolution.within_reach if is_meant(each.entitlement)), None)
            if reach is None:
                raise self._federation.refuse_link(current_origin(), identity, Wanted("", account, kind, name))
            again = find_step_up(reach.entitlement.id, request.full_path.rstrip("?"))
            return self._render("link.html", choices=[], within_reach=self._describe(reach.entitlement), again=again)
        always = self._habits.load(identity).chosen.get(name_place(meant[0].account, destination))
        # The least powerful first: the main button should not be an administrator's where less suffices.
        meant = sort_by_power(meant, self._accounts, self._knowledge)
        meant.sort(key=lambda each: each.id != always)
        return self._render(
            "link.html",
            choices=[self._describe(each) for each in meant],
            to=destination,
            back=request.full_path.rstrip("?"),
            host=urlsplit(destination).hostname,
            always=always if meant[0].id == always else None,
        )

    def _show_form(self, entitlement: Entitlement, **shown: Any) -> Response:
        path = f"/open/{quote(entitlement.account)}/{quote(entitlement.name)}"
        to = {"to": shown["to"]} if shown.get("to") and not shown.get("fault") else {}
        return self._render(
            "link_new.html",
            entitlement=self._describe(entitlement),
            bookmark=f"{self._public_url}{path}" + (f"?{urlencode(to)}" if to else ""),
            lives=LIVES,
            **shown,
        )

    def _render(self, template: str, **shown: Any) -> Response:
        page = render_template(template, **shown, **describe_signed_in(self._access, self._titles))
        return make_response(page)

    def _describe(self, entitlement: Entitlement) -> dict[str, Any]:
        account = self._accounts[entitlement.account]
        return {
            "id": entitlement.id,
            "kind": entitlement.kind,
            "name": entitlement.name,
            "title": entitlement.title or entitlement.name,
            "purpose": entitlement.purpose,
            "may": describe_entitlement(entitlement, self._knowledge),
            "sensitivity": entitlement.sensitivity or account.sensitivity,
            "account": {"name": account.name, "title": account.title, "id": account.id},
        }
