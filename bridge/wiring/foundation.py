"""What everything else is built on: the configuration, the clock, the store, the keys and the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.audit.log import AuditLog
from bridge.audit_log import OpenedLog, open_audit_log
from bridge.clock import Clock
from bridge.exchange.accounts import Account
from bridge.identity.providers import Provider
from bridge.keys import KeyFolder
from bridge.outbound import Outbound
from bridge.sealing import Sealer
from bridge.settings import Configuration, Settings
from bridge.store_connection import RedisClient, connect_store


@dataclass(frozen=True)
class Foundation:
    """What everything else is built on."""

    configuration: Configuration
    clock: Clock
    outbound: Outbound
    redis: RedisClient
    keys: KeyFolder
    sealer: Sealer
    records: OpenedLog
    audit: AuditLog

    @property
    def settings(self) -> Settings:
        """The service's own settings."""
        return self.configuration.settings

    @property
    def public_url(self) -> str:
        """The service's address, without a slash at its end."""
        return self.settings.public_url

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The identity providers of people, by name."""
        return self.configuration.providers

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The cloud accounts, by name."""
        return self.configuration.accounts


def lay_foundation(
    configuration: Configuration, store_url: str, clock: Clock, outbound: Outbound | None = None
) -> Foundation:
    """Return it; with ``outbound`` absent, our own requests go where the settings allow it.

    Raises KeyMissing, KeyUnusable, AuditUnavailable.
    """
    settings = configuration.settings
    keys = KeyFolder(settings.key_folder)
    records = open_audit_log(settings, clock)
    return Foundation(
        configuration=configuration,
        clock=clock,
        outbound=outbound or Outbound(development=settings.development, destinations=settings.destinations()),
        redis=connect_store(store_url, **settings.store_credentials()),
        keys=keys,
        sealer=Sealer(*keys.sealing_keys()),
        records=records,
        audit=records.build_log(configuration.audit),
    )
