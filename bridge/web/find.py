"""A text that somebody pastes, and the least powerful of their roles that suffices for it.

The text may hold secrets and is hostile: it comes in a form of ours, and of it the page shows what was understood
alone. It is neither kept nor logged, and asking leaves no record, since nothing is given.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from bridge.clock import Clock
from bridge.delivery.console import find_way
from bridge.entitlements.entitlement import Entitlement
from bridge.entitlements.resolve import Resolution
from bridge.exchange.accounts import Account
from bridge.federation import Federation
from bridge.identity.providers import Provider
from bridge.language import mark, translate
from bridge.pasted.offer import Candidate, Offers, Stronger, find_destination, find_offers, find_question
from bridge.pasted.reading import LONGEST, Pasted, read_pasted
from bridge.ram_policies.catalogue import SERVICES
from bridge.ram_policies.evaluation import Answer
from bridge.ram_policies.knowledge import RoleKnowledge
from bridge.ram_policies.snapshot import is_stale
from bridge.web.access import Access
from bridge.web.origin import current_origin
from bridge.web.people import describe_signed_in
from bridge.web.role_words import describe_entitlement

MOST_SHOWN = 8

STRONGER = {
    Stronger.CONTAINS: mark("May do all that the first one may, and more"),
    Stronger.ADMINISTERS: mark("May administer more"),
    Stronger.CHANGES: mark("May change more"),
    Stronger.READS: mark("May read more"),
    Stronger.ELSEWHERE: mark("In another account"),
    Stronger.SAME: mark("May do as much"),
}


class FindPages:
    """The pages of the paste box."""

    def __init__(
        self,
        *,
        federation: Federation,
        access: Access,
        providers: Mapping[str, Provider],
        accounts: Mapping[str, Account],
        knowledge: RoleKnowledge,
        clock: Clock,
    ) -> None:
        """Take what the pages use."""
        self._federation = federation
        self._access = access
        self._titles = {name: provider.title for name, provider in providers.items()}
        self._accounts = accounts
        self._knowledge = knowledge
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("find", __name__)
        routes.add_url_rule("/find", "ask", self.ask)
        routes.add_url_rule("/find", "answer", self.answer, methods=["POST"])
        return routes

    def ask(self) -> Response:
        """Show the box alone."""
        return self._render()

    def answer(self) -> Response:
        """Show what suffices for what was pasted."""
        text = request.form.get("pasted", "")
        if len(text) > LONGEST:
            return self._render(fault=translate("This is too long. Paste the message alone."))
        pasted = read_pasted(text)
        if pasted is None:
            fault = translate(
                "Nothing in this was understood. Paste the whole message, an ARN that begins with acs:, or the address "
                "of a page of the console."
            )
            return self._render(fault=fault if text.strip() else translate("Paste something first."))
        resolution = self._federation.look(self._access.require_session().identity, current_origin().source_address)
        return self._render(found=self._describe(pasted, resolution))

    def _render(self, **shown: Any) -> Response:
        signed_in = describe_signed_in(self._access, self._titles)
        return make_response(render_template("find.html", longest=LONGEST, **shown, **signed_in))

    def _describe(self, pasted: Pasted, resolution: Resolution) -> dict[str, Any]:
        held = resolution.entitlements
        offers = find_offers(pasted, held, self._accounts, self._knowledge)
        own = self._find_named(pasted, held)
        useless = pasted.layer == "ControlPolicy"
        sufficient = [] if useless else [self._describe_candidate(pasted, each) for each in offers.sufficient]
        if own is not None:
            sufficient = [self._describe_entitlement(pasted, own) | {"own": True}]
        here = [each for each in held if pasted.account_id in {"", self._accounts[each.account].id}]
        return {
            **self._describe_understood(pasted, here),
            "best": sufficient[0] if sufficient else None,
            "others": sufficient[1 : 1 + MOST_SHOWN],
            "more": max(0, len(sufficient) - 1 - MOST_SHOWN),
            "perhaps": []
            if useless or own
            else [self._describe_perhaps(pasted, each) for each in offers.perhaps][:MOST_SHOWN],
            "unknown": [] if own else self._name_unknown(offers),
            "refused": [each.title or each.name for each in offers.refused],
            "useless": useless,
            "holds_here": bool(here),
            "within_reach": [] if sufficient or useless else self._find_within_reach(pasted, resolution),
            "elsewhere": [] if sufficient or useless else self._find_for_administrators(pasted),
            "owners": sorted({owner for each in here if (owner := each.owner or self._accounts[each.account].owner)}),
            "reference": current_origin().reference,
        }

    def _describe_understood(self, pasted: Pasted, here: Sequence[Entitlement]) -> dict[str, Any]:
        account = next((self._accounts[each.account] for each in here if pasted.account_id), None)
        any_account = account or next((self._accounts[each.account] for each in here), None)
        question = find_question(pasted, any_account) if any_account else None
        service = SERVICES.get(pasted.service)
        return {
            "form": pasted.form,
            "product": translate("billing")
            if pasted.service == "bss"
            else service.title
            if service
            else pasted.service,
            "action": pasted.action,
            "resource": pasted.resource,
            "name": pasted.place.name if pasted.form == "page" and pasted.place else "",
            "region": pasted.region,
            "account": account,
            "account_id": pasted.account_id,
            "assumed_action": question.action if question and not pasted.action and not pasted.unclear_action else "",
            "unclear_action": pasted.unclear_action,
            "any_resource": pasted.form == "denial" and not pasted.resource,
            "explicit": pasted.explicit,
        }

    def _find_named(self, pasted: Pasted, held: Sequence[Entitlement]) -> Entitlement | None:
        """Return the role of the person's own whose ARN was pasted."""
        if pasted.form != "arn":
            return None
        return next(
            (
                each
                for each in held
                if each.kind == "role" and self._accounts[each.account].role_arn(each.name) == pasted.resource
            ),
            None,
        )

    def _describe_candidate(self, pasted: Pasted, candidate: Candidate) -> dict[str, Any]:
        stronger = translate(STRONGER[candidate.stronger]) if candidate.stronger else ""
        return self._describe_entitlement(pasted, candidate.entitlement) | {"stronger": stronger}

    def _describe_perhaps(self, pasted: Pasted, candidate: Candidate) -> dict[str, Any]:
        keys = ", ".join(candidate.verdict.condition_keys)
        if keys:
            when = translate("If a condition is met: %(keys)s", keys=keys)
        elif candidate.verdict.grouped:
            when = translate("If the resource is in the right resource group")
        else:
            when = translate("For some of the resources only")
        return self._describe_entitlement(pasted, candidate.entitlement) | {"when": when}

    def _describe_entitlement(self, pasted: Pasted, entitlement: Entitlement) -> dict[str, Any]:
        account = self._accounts[entitlement.account]
        known = self._knowledge.find(entitlement.account, entitlement.name, entitlement.session_policy)
        return {
            "id": entitlement.id,
            "kind": entitlement.kind,
            "name": entitlement.name,
            "title": entitlement.title or entitlement.name,
            "purpose": entitlement.purpose,
            "sensitivity": entitlement.sensitivity or account.sensitivity,
            "account": {"title": account.title, "id": account.id},
            "may": describe_entitlement(entitlement, self._knowledge),
            "console": find_way(entitlement, account) is not None,
            "terminal": entitlement.opens_terminal,
            "to": find_destination(pasted, account),
            "days_old": self._count_days(known.read_at) if known and account.custom_console is None else 0,
        }

    def _count_days(self, read_at: datetime) -> int:
        """Return how many days ago something was read, if that is so long that people should know; else 0."""
        now = self._clock.now()
        return (now - read_at).days if is_stale(read_at, now) else 0

    def _name_unknown(self, offers: Offers) -> list[str]:
        return [
            translate(
                "%(what)s in %(account)s", what=each.title or each.name, account=self._accounts[each.account].title
            )
            for each in offers.unknown
        ]

    def _find_within_reach(self, pasted: Pasted, resolution: Resolution) -> list[dict[str, Any]]:
        """Return what would suffice after a stronger or more recent sign-in; the person sees its card anyway."""
        reach = [each.entitlement for each in resolution.within_reach]
        found = find_offers(pasted, reach, self._accounts, self._knowledge).sufficient
        return [self._describe_candidate(pasted, each) for each in found[:MOST_SHOWN]]

    def _find_for_administrators(self, pasted: Pasted) -> list[str]:
        """Return which roles there are that would suffice: for administrators, who may see them all."""
        if not self._access.is_administrator() or pasted.unclear_action:
            return []
        names: list[str] = []
        for account in self._accounts.values():
            if pasted.account_id not in {"", account.id}:
                continue
            question = find_question(pasted, account)
            for role in self._knowledge.list_roles(account.name):
                known = self._knowledge.find(account.name, role)
                if known and known.permissions.judge(question).answer is Answer.YES:
                    names.append(translate("%(what)s in %(account)s", what=role, account=account.title))
        return names[: 2 * MOST_SHOWN]
