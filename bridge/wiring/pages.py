"""What people with roles see, and what their programs ask about them."""

from collections.abc import Iterator

from flask import Blueprint

from bridge.delivery.links import Links
from bridge.federation import Federation
from bridge.identity.pending import PendingSignIns
from bridge.identity.sign_in import SignInDesk
from bridge.identity.sign_out import SignOutDesk
from bridge.parties import find_client_jwks
from bridge.ram_policies.knowledge import RoleKnowledge
from bridge.sessions.habits import HabitStore
from bridge.web.access import Access
from bridge.web.api import API
from bridge.web.find import FindPages
from bridge.web.handed_out import HandedOutList
from bridge.web.help import HelpDesk
from bridge.web.languages import LanguageSwitch
from bridge.web.links import LinkPages
from bridge.web.login import Login
from bridge.web.logout import Logout
from bridge.web.own_sessions import OwnSessions
from bridge.web.portal import Portal
from bridge.web.published import Published
from bridge.web.session_list import SessionList
from bridge.wiring.counterparts import Counterparts
from bridge.wiring.federating import Federating
from bridge.wiring.foundation import Foundation
from bridge.wiring.visits import Visits


def build_help_desk(base: Foundation, federation: Federation, access: Access) -> HelpDesk:
    """Return what finds help for whoever is refused something."""
    titles = {name: provider.title for name, provider in base.providers.items()}
    return HelpDesk(
        federation=federation, access=access, accounts=base.accounts, provider_titles=titles, clock=base.clock
    )


def build_pages(
    base: Foundation, counterparts: Counterparts, federating: Federating, visits: Visits, desk: HelpDesk
) -> Iterator[Blueprint]:
    """Yield the doors, from signing in to signing out."""
    federation, access = federating.federation, visits.access
    providers, accounts, clock = base.providers, base.accounts, base.clock
    habits, links = HabitStore(base.redis, base.sealer, clock), Links(base.sealer, clock)
    session_list = SessionList(visits.sessions, base.audit)
    handed_out = HandedOutList(base.records.search, base.records.secrets, clock)
    yield LanguageSwitch(access).blueprint()
    yield Login(
        federation=federation,
        desk=SignInDesk(
            service_providers=counterparts.service_providers,
            relying_parties=counterparts.relying_parties,
            pending=PendingSignIns(base.redis, base.sealer, clock),
            replay=counterparts.replay,
            clock=clock,
        ),
        sessions=visits.sessions,
        unconfirmed=visits.unconfirmed,
        access=access,
        providers=providers,
        accounts=accounts,
    ).blueprint()
    yield Logout(
        desk=SignOutDesk(
            service_providers=counterparts.service_providers,
            relying_parties=counterparts.relying_parties,
            replay=counterparts.replay,
        ),
        sessions=visits.sessions,
        terminals=visits.terminals,
        unconfirmed=visits.unconfirmed,
        guesses=visits.guesses,
        access=access,
        audit=base.audit,
        credentials=federating.credentials,
        providers=providers,
    ).blueprint()
    knowledge = RoleKnowledge(base.configuration.role_policies)
    yield Portal(
        federation=federation,
        access=access,
        providers=providers,
        accounts=accounts,
        habits=habits,
        knowledge=knowledge,
        clock=clock,
        desk=desk,
    ).blueprint()
    yield FindPages(
        federation=federation,
        access=access,
        providers=providers,
        accounts=accounts,
        knowledge=knowledge,
        clock=clock,
    ).blueprint()
    yield LinkPages(
        federation=federation,
        access=access,
        providers=providers,
        accounts=accounts,
        habits=habits,
        links=links,
        knowledge=knowledge,
        public_url=base.public_url,
    ).blueprint()
    yield OwnSessions(
        access,
        session_list,
        handed_out,
        provider_titles={name: provider.title for name, provider in providers.items()},
        account_titles={name: account.title for name, account in accounts.items()},
        idle_seconds=base.settings.session.idle_seconds,
        clock=clock,
    ).blueprint()
    yield API(
        federation=federation,
        access=access,
        session_list=session_list,
        handed_out=handed_out,
        accounts=accounts,
        links=links,
        public_url=base.public_url,
    ).blueprint()
    yield Published(
        base.public_url, base.keys, counterparts.service_providers, find_client_jwks(providers, base.keys)
    ).blueprint()
