"""What programs on people's machines ask, and the pages on which people let them in."""

from collections.abc import Iterator

from flask import Blueprint

from bridge.authorization.codes import Codes
from bridge.authorization.consent import ConsentPage
from bridge.authorization.endpoints import Endpoints
from bridge.authorization.pushed import PushedRequests
from bridge.federation import Federation
from bridge.portal_protocol.device_page import DevicePage
from bridge.portal_protocol.devices import Devices
from bridge.portal_protocol.opening import TerminalOpening
from bridge.portal_protocol.protocol import PortalProtocol
from bridge.sessions.tickets import Tickets
from bridge.wiring.foundation import Foundation
from bridge.wiring.visits import Visits


def build_terminal_doors(base: Foundation, federation: Federation, visits: Visits) -> Iterator[Blueprint]:
    """Yield the doors."""
    redis, sealer, clock, audit = base.redis, base.sealer, base.clock, base.audit
    issuer, resource = base.public_url, f"{base.public_url}/api/v1"
    devices, opening = Devices(redis, sealer, clock), TerminalOpening(visits.sessions, visits.terminals, audit)
    pushed = PushedRequests(redis, sealer)
    codes = Codes(redis, sealer, clock, remembered_seconds=base.settings.session.absolute_seconds)
    yield DevicePage(visits.access, devices, visits.guesses, audit, base.providers).blueprint()
    yield PortalProtocol(
        federation=federation,
        devices=devices,
        opening=opening,
        terminals=visits.terminals,
        guesses=visits.guesses,
        accounts=base.accounts,
        public_url=issuer,
        clock=clock,
    ).blueprint()
    yield ConsentPage(
        access=visits.access,
        codes=codes,
        tickets=Tickets(sealer),
        pushed=pushed,
        audit=audit,
        providers=base.providers,
        issuer=issuer,
        resource=resource,
        clock=clock,
    ).blueprint()
    yield Endpoints(
        codes=codes,
        pushed=pushed,
        devices=devices,
        grants=visits.grants,
        opening=opening,
        sessions=visits.sessions,
        terminals=visits.terminals,
        guesses=visits.guesses,
        audit=audit,
        issuer=issuer,
        resource=resource,
    ).blueprint()
