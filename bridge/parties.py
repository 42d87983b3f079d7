"""The identity providers of a configuration as a process deals with them: built, and renewed beside the sign-ins.

A part of the composition root: it is called once for each process, and nothing below it knows it.
"""

import functools
import logging
from collections.abc import Collection, Mapping
from typing import Any

from bridge.audit.events import BACKGROUND, MetadataKeysChanged
from bridge.audit.log import AuditLog
from bridge.clock import Clock, SystemClock
from bridge.errors import AuditUnavailable, KeyMissing, SAMLMetadata
from bridge.identity.endings import describe_near, find_key_endings, find_provider_endings, find_status
from bridge.identity.oidc.client_keys import build_client_jwks
from bridge.identity.oidc.key_warmer import KeyWarmer, Warmable
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.oidc.workload_keys import WorkloadKeys
from bridge.identity.oidc.workload_token import WorkloadVerifier
from bridge.identity.providers import OIDCProvider, Provider, SAMLProvider
from bridge.identity.replay import ReplayMemory
from bridge.identity.saml.metadata_cache import KeyChange
from bridge.identity.saml.metadata_refresher import MetadataRefresher, repeat_daily
from bridge.identity.saml.metadata_source import find_source
from bridge.identity.saml.rehearsal import Rehearsal, StagedCertificate, read_staged
from bridge.identity.saml.rehearsal_counts import RehearsalCounter
from bridge.identity.saml.saved_metadata import find_saved_metadata
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.keys import KeyFolder, SigningKey
from bridge.outbound import Outbound
from bridge.settings import Configuration
from bridge.store_connection import RedisClient

_logger = logging.getLogger(__name__)


def check_keys(configuration: Configuration) -> None:
    """Every key that the service will load is there. Raises KeyMissing, or what loading one raises.

    A process that finds out later cannot take the configuration back.
    """
    keys = KeyFolder(configuration.settings.key_folder)
    keys.sealing_keys()
    keys.sealing_keys("audit-records")
    keys.checkpoint_keys()
    keys.signing("saml-sp")
    build_relying_parties(configuration, keys, Outbound(development=False), SystemClock())
    for provider in configuration.providers.values():
        if isinstance(provider, SAMLProvider) and provider.encryption == "require" and not keys.decryption().published:
            raise KeyMissing(f"{provider.name} must encrypt, and there is no saml-decryption key")


def build_service_providers(
    configuration: Configuration, keys: KeyFolder, outbound: Outbound, redis: RedisClient | None, clock: Clock
) -> dict[str, ServiceProvider]:
    """Return us, as each SAML provider sees us, by the provider's name. Without ``redis`` no rehearsal is counted.

    Raises KeyMissing.
    """
    providers = {name: each for name, each in configuration.providers.items() if isinstance(each, SAMLProvider)}
    staged = {name: _read_staged(provider) for name, provider in providers.items()}
    counter = RehearsalCounter(redis) if redis is not None and any(staged.values()) else None
    return {
        name: ServiceProvider(
            provider,
            configuration.settings.public_url,
            keys.signing("saml-sp"),
            find_source(provider.metadata, outbound),
            also_published=keys.published("saml-sp")[1:],
            decryption=keys.decryption(),
            clock=clock,
            saved=find_saved_metadata(provider, configuration.settings.data_folder),
            rehearsal=Rehearsal(name, staged[name], counter),
        )
        for name, provider in providers.items()
    }


def build_relying_parties(
    configuration: Configuration, keys: KeyFolder, outbound: Outbound, clock: Clock
) -> dict[str, RelyingParty]:
    """Return us, as each OpenID provider sees us, by the provider's name. Raises KeyMissing."""
    return {
        name: RelyingParty(
            provider,
            configuration.settings.public_url,
            outbound,
            clock,
            client_key=_client_key(provider, keys),
            decryption=keys.decryption("oidc-decryption"),
        )
        for name, provider in configuration.providers.items()
        if isinstance(provider, OIDCProvider)
    }


def build_workload_verifiers(
    configuration: Configuration, outbound: Outbound, redis: RedisClient, clock: Clock
) -> dict[str, WorkloadVerifier]:
    """Return what verifies the tokens of each workload issuer, by its name."""
    replay = ReplayMemory(redis, clock)
    return {
        name: WorkloadVerifier(workload, WorkloadKeys(workload, outbound, clock), replay, clock)
        for name, workload in configuration.workloads.items()
    }


def keep_renewed(
    service_providers: Mapping[str, ServiceProvider],
    parties: Collection[Warmable],
    audit: AuditLog,
    keys: KeyFolder,
    clock: Clock,
) -> None:
    """Start the threads that renew what the providers publish, record changed keys, and warn of what ends."""
    caches = [each.provider_metadata for each in service_providers.values()]
    for each in service_providers.values():
        each.provider_metadata.report_key_changes(functools.partial(_record_key_change, audit, each.provider))
        MetadataRefresher(each.provider_metadata, clock).start()
    KeyWarmer(parties).start()
    repeat_daily(lambda: _warn_of_endings(service_providers, keys, clock), caches, clock)


def find_client_jwks(providers: Mapping[str, Provider], keys: KeyFolder) -> dict[str, dict[str, Any]]:
    """Return the keys that we publish for each OpenID provider that needs some, by its name (RFC 7517)."""
    documents = {
        name: build_client_jwks(provider, keys)
        for name, provider in providers.items()
        if isinstance(provider, OIDCProvider)
    }
    return {name: document for name, document in documents.items() if document}


def _read_staged(provider: SAMLProvider) -> tuple[StagedCertificate, ...]:
    try:
        return read_staged(provider)
    except SAMLMetadata as error:
        _logger.warning("provider %s: nothing is rehearsed: %s", provider.name, error.detail)
        return ()


def _client_key(provider: OIDCProvider, keys: KeyFolder) -> SigningKey | None:
    return keys.signing("oidc-client") if provider.client_authentication == "private_key_jwt" else None


def _warn_of_endings(service_providers: Mapping[str, ServiceProvider], keys: KeyFolder, clock: Clock) -> None:
    """Log what ends within 30 days: at the start, and then once a day."""
    now = clock.now()
    endings = {"our own keys": list(find_key_endings(keys.describe()))}
    for name, each in service_providers.items():
        status = find_status(name, each.provider_metadata, each.rehearsal.staged)
        endings[f"provider {name}"] = list(find_provider_endings(status, now))
    for line in describe_near(endings, now):
        _logger.warning("%s", line)


def _record_key_change(audit: AuditLog, provider: SAMLProvider, change: KeyChange) -> None:
    event = MetadataKeysChanged(
        provider=provider.name,
        source=provider.metadata.partition("?")[0],
        added=change.added,
        removed=change.removed,
        held=change.held,
        signed=provider.metadata_signing_certificate is not None,
    )
    try:
        audit.append(BACKGROUND, event)
    except AuditUnavailable as error:  # a sign-in with the new key cannot be recorded either, so it is refused
        _logger.error("the change of keys of provider %s was not recorded: %s", provider.name, error.detail)  # noqa: TRY400
