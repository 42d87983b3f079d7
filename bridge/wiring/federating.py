"""The way from an identity to credentials and consoles."""

from dataclasses import dataclass

from bridge.delivery.console import Console
from bridge.delivery.sign_in_token import SignInTokens
from bridge.exchange.assume import Exchange
from bridge.exchange.cache import CredentialsCache
from bridge.exchange.metadata import entity_id
from bridge.exchange.sts_client import STSClient
from bridge.exchange.waiting_room import WaitingRoom
from bridge.federation import Federation
from bridge.sts_endpoint.issued import IssuedCredentials
from bridge.wiring.foundation import Foundation
from bridge.wiring.governing import Governing


@dataclass(frozen=True)
class Federating:
    """The federation, and the parts of it that others ask as well."""

    federation: Federation
    exchange: Exchange
    credentials: CredentialsCache
    issued: IssuedCredentials


def build_federating(base: Foundation, governing: Governing) -> Federating:
    """Return it. Raises KeyMissing, KeyUnusable."""
    configuration, settings, clock = base.configuration, base.settings, base.clock
    audience = entity_id(base.public_url)
    exchange = Exchange(
        base.accounts,
        issuer=base.public_url,
        entity_id=audience,
        keys=base.keys,
        sts=STSClient(base.outbound, clock),
        clock=clock,
    )
    room = WaitingRoom(max(1, settings.threads - 1))
    credentials = CredentialsCache(exchange, base.redis, base.sealer, clock, room)
    issued = IssuedCredentials(base.redis, base.sealer, clock)
    federation = Federation(
        audit=base.audit,
        rules=governing.rules,
        administrators=configuration.administrators,
        auditors=configuration.auditors,
        exchange=exchange,
        credentials=credentials,
        console=Console(base.accounts, audience, f"{base.public_url}/", base.keys, SignInTokens(base.outbound), clock),
        history=governing.history,
        clock=clock,
        remember=issued.remember,
    )
    return Federating(federation, exchange, credentials, issued)
