"""The identity providers: how fresh their metadata is, what ends, and what a roll-over would do."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response

from bridge.clock import Clock
from bridge.identity.endings import (
    WARN_DAYS,
    Ending,
    describe_end,
    describe_freshness,
    find_key_endings,
    find_provider_endings,
    find_status,
)
from bridge.identity.providers import OIDCProvider, Provider, SAMLProvider
from bridge.identity.saml.rehearsal_counts import Rehearsed
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.keys import KeyFolder
from bridge.language import translate
from bridge.web.admin.administration import Administration


@dataclass(frozen=True)
class EndingRow:
    """Something that ends, in words."""

    what: str
    end: str
    within: int | None
    """The least of the bounds (in days) within which it ends; None if it is not near."""
    urgent: bool


@dataclass(frozen=True)
class ProviderCard:
    """What the page says of one provider."""

    title: str
    name: str
    protocol: str
    party: str
    """Its entity ID or issuer."""
    source: str
    freshness: str
    fault: str
    rows: tuple[EndingRow, ...]
    held: tuple[str, ...]
    rehearsed: Rehearsed | None


class Providers:
    """The page about identity providers."""

    def __init__(
        self,
        administration: Administration,
        providers: Mapping[str, Provider],
        service_providers: Mapping[str, ServiceProvider],
        keys: KeyFolder,
        clock: Clock,
    ) -> None:
        """Take the frame, the settings, what is known of the SAML ones, and our own keys."""
        self._administration = administration
        self._providers = providers
        self._service_providers = service_providers
        self._keys = keys
        self._clock = clock

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("admin_providers", __name__, url_prefix="/admin")
        routes.add_url_rule("/providers", "overview", self.overview)
        return routes

    def overview(self) -> Response:
        """Show each provider, and our own keys."""
        now = self._clock.now()
        cards = [
            self._describe_saml(provider, now) if isinstance(provider, SAMLProvider) else _describe_oidc(provider)
            for provider in self._providers.values()
        ]
        keys = tuple(_describe_endings(find_key_endings(self._keys.describe()), now))
        return self._administration.render("admin_providers.html", cards=cards, keys=keys)

    def _describe_saml(self, provider: SAMLProvider, now: datetime) -> ProviderCard:
        known = self._service_providers[provider.name]
        status = find_status(provider.name, known.provider_metadata, known.rehearsal.staged)
        return ProviderCard(
            title=provider.title,
            name=provider.name,
            protocol="SAML",
            party=provider.entity_id,
            source=translate("a file") if status.is_local else provider.metadata.partition("?")[0],
            freshness=describe_freshness(status, now, signed=bool(provider.metadata_signing_certificate), local="read"),
            fault=status.fault,
            rows=tuple(_describe_endings(find_provider_endings(status, now), now)),
            held=tuple(certificate.short for certificate in status.metadata.held) if status.metadata else (),
            rehearsed=known.rehearsal.read(now),
        )


def _describe_oidc(provider: OIDCProvider) -> ProviderCard:
    return ProviderCard(
        title=provider.title,
        name=provider.name,
        protocol="OpenID Connect",
        party=provider.issuer,
        source=provider.issuer,
        freshness=translate("fetched at the start and every 45 minutes"),
        fault="",
        rows=(),
        held=(),
        rehearsed=None,
    )


def _describe_endings(endings: Iterable[Ending], now: datetime) -> Iterator[EndingRow]:
    for ending in endings:
        within = ending.find_bound(now)
        yield EndingRow(ending.what, describe_end(ending.at, now), within, urgent=within == WARN_DAYS[0])
