"""The composition root: a configuration goes in, a wired Flask application comes out.

The only place that builds clients. Nothing below it looks anything up: each part receives what it uses.
"""

import functools
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bridge.audit.events import BACKGROUND, MetadataKeysChanged
from bridge.audit.log import AuditLog
from bridge.audit.reader import AuditReader
from bridge.audit.schema import open_database
from bridge.clock import Clock, SystemClock
from bridge.delivery.console import Console
from bridge.errors import AuditUnavailable, FetchFailed, FetchRefused, FetchTooLarge, ProviderUnavailable, SAMLMetadata
from bridge.exchange.assume import Exchange
from bridge.exchange.sts_client import STSClient
from bridge.federation import Federation
from bridge.identity.endings import describe_near, find_key_endings, find_provider_endings, find_status
from bridge.identity.guesses import GuessLimit
from bridge.identity.oidc.client_keys import build_client_jwks
from bridge.identity.oidc.key_warmer import KeyWarmer
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.pending import PendingSignIns, UnconfirmedSignIns
from bridge.identity.providers import OIDCProvider, Provider, SAMLProvider
from bridge.identity.replay import ReplayMemory
from bridge.identity.saml.metadata_cache import KeyChange
from bridge.identity.saml.metadata_refresher import MetadataRefresher, repeat_daily
from bridge.identity.saml.rehearsal import Rehearsal, StagedCertificate, read_staged
from bridge.identity.saml.rehearsal_counts import RehearsalCounter
from bridge.identity.saml.saved_metadata import find_saved_metadata
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.identity.sign_in import SignInDesk
from bridge.identity.sign_out import SignOutDesk
from bridge.keys import KeyFolder, SigningKey
from bridge.outbound import Limits, Outbound
from bridge.sealing import Sealer
from bridge.sessions.store import SessionStore
from bridge.settings import Configuration
from bridge.store_connection import RedisClient, connect_store, store_errors
from bridge.web.access import Access
from bridge.web.admin.administration import Administration
from bridge.web.admin.providers import Providers
from bridge.web.admin.sign_ins import SignIns
from bridge.web.api import API
from bridge.web.assets import install_assets
from bridge.web.errors import install_errors
from bridge.web.headers import install_headers
from bridge.web.health import create_health
from bridge.web.language import translate
from bridge.web.login import Login
from bridge.web.logout import Logout
from bridge.web.portal import Portal
from bridge.web.proxies import trust_proxies
from bridge.web.published import Published, entity_id

_logger = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 400_000
"""A SAML response of 256 kB in base64, and a little more."""


METADATA_LIMITS = Limits(max_bytes=5_000_000)
"""A federation's metadata may hold many entities."""


def create_app(
    configuration: Configuration, store_url: str, clock: Clock | None = None, outbound: Outbound | None = None
) -> Flask:
    """Return the service as a WSGI application. Call it after a fork: the audit log owns a thread.

    Args:
        configuration: everything that the operator has written.
        store_url: the address of Redis; the embedded store's where that is in use.
        clock: the machine's where absent.
        outbound: the door for our own requests; one that leads where the settings allow it where absent.

    Raises:
        KeyMissing: a key is not in the key folder.
        AuditUnavailable: the audit database cannot be opened.
    """
    clock = clock or SystemClock()
    settings = configuration.settings
    public_url, providers, accounts = settings.public_url, configuration.providers, configuration.accounts
    keys = KeyFolder(settings.key_folder)
    outbound = outbound or Outbound(development=settings.development, destinations=settings.destinations())
    redis = connect_store(store_url, **settings.store_credentials())
    sealer = Sealer(*keys.sealing_keys())
    records = _open_records(settings.audit_url())
    audit = AuditLog(records, clock)
    service_providers = _build_service_providers(configuration, keys, outbound, redis, clock)
    caches = {name: each.provider_metadata for name, each in service_providers.items()}
    for name, cache in caches.items():
        cache.report_key_changes(functools.partial(_record_key_change, audit, service_providers[name].provider))
        MetadataRefresher(cache, clock).start()
    repeat_daily(lambda: _warn_of_endings(service_providers, keys, clock), list(caches.values()), clock)
    federation = _build_federation(configuration, keys, outbound, audit, clock)
    sessions = SessionStore(
        redis,
        sealer,
        clock,
        idle_seconds=settings.session.idle_seconds,
        absolute_seconds=settings.session.absolute_seconds,
    )
    relying_parties = {
        name: RelyingParty(
            provider,
            public_url,
            outbound,
            clock,
            client_key=_client_key(provider, keys),
            decryption=keys.decryption("oidc-decryption"),
        )
        for name, provider in providers.items()
        if isinstance(provider, OIDCProvider)
    }
    KeyWarmer(relying_parties.values()).start()
    desk = SignInDesk(
        service_providers=service_providers,
        relying_parties=relying_parties,
        pending=PendingSignIns(redis, sealer, clock),
        replay=ReplayMemory(redis, clock),
        clock=clock,
    )
    unconfirmed = UnconfirmedSignIns(redis, sealer, clock)
    access = Access(sessions, federation, public_url)
    login = Login(
        federation=federation,
        desk=desk,
        sessions=sessions,
        unconfirmed=unconfirmed,
        access=access,
        providers=providers,
        accounts=accounts,
    )
    logout = Logout(
        desk=SignOutDesk(
            service_providers=service_providers,
            relying_parties=relying_parties,
            replay=ReplayMemory(redis, clock),
        ),
        sessions=sessions,
        unconfirmed=unconfirmed,
        guesses=GuessLimit(redis, clock),
        access=access,
        audit=audit,
        providers=providers,
    )
    portal = Portal(federation=federation, access=access, providers=providers, accounts=accounts, clock=clock)
    administration = Administration(access, providers)

    app = _create_flask(public_url)
    access.install(app)
    app.jinja_env.globals["several_providers"] = len(providers) > 1
    app.register_blueprint(login.blueprint())
    app.register_blueprint(logout.blueprint())
    app.register_blueprint(portal.blueprint())
    app.register_blueprint(SignIns(administration, AuditReader(records)).blueprint())
    app.register_blueprint(Providers(administration, providers, service_providers, keys, clock).blueprint())
    app.register_blueprint(API(federation, access, accounts).blueprint())
    app.register_blueprint(Published(public_url, keys, service_providers, _client_jwks(providers, keys)).blueprint())
    app.register_blueprint(create_health({"store": lambda: _ping(redis), "audit": audit.check}))
    proxies = settings.trusted_proxies
    if proxies.count:
        app.wsgi_app = trust_proxies(app.wsgi_app, proxies.addresses, proxies.count)  # type: ignore[method-assign, assignment]
    return app


def _build_federation(
    configuration: Configuration, keys: KeyFolder, outbound: Outbound, audit: AuditLog, clock: Clock
) -> Federation:
    accounts, public_url = configuration.accounts, configuration.settings.public_url
    exchange = Exchange(
        accounts,
        issuer=public_url,
        entity_id=entity_id(public_url),
        keys=keys,
        sts=STSClient(outbound, clock),
        clock=clock,
    )
    console = Console(accounts, entity_id(public_url), keys, clock)
    return Federation(
        audit=audit,
        rules=configuration.rules,
        administrators=configuration.administrators,
        exchange=exchange,
        console=console,
        clock=clock,
    )


def _create_flask(public_url: str) -> Flask:
    app = Flask("bridge.web", static_folder="static", template_folder="templates")
    app.config.update(
        DEBUG=False,  # whatever FLASK_DEBUG says: it shows people what only the log may know
        MAX_CONTENT_LENGTH=MAX_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_REQUEST_BYTES,
        MAX_FORM_PARTS=100,
        PROPAGATE_EXCEPTIONS=False,
        TRUSTED_HOSTS=[urlsplit(public_url).netloc],
    )
    app.jinja_env.globals["_"] = translate
    app.jinja_env.globals["lang"] = "en"
    install_assets(app)
    install_errors(app)
    install_headers(app, https=public_url.startswith("https:"))
    return app


def _build_service_providers(
    configuration: Configuration, keys: KeyFolder, outbound: Outbound, redis: RedisClient, clock: Clock
) -> dict[str, ServiceProvider]:
    providers = {name: each for name, each in configuration.providers.items() if isinstance(each, SAMLProvider)}
    staged = {name: _read_staged(provider) for name, provider in providers.items()}
    counter = RehearsalCounter(redis) if any(staged.values()) else None
    return {
        name: ServiceProvider(
            provider,
            configuration.settings.public_url,
            keys.signing("saml-sp"),
            _metadata_source(provider.metadata, outbound),
            also_published=keys.published("saml-sp")[1:],
            decryption=keys.decryption(),
            clock=clock,
            saved=find_saved_metadata(provider, configuration.settings.data_folder),
            rehearsal=Rehearsal(name, staged[name], counter),
        )
        for name, provider in providers.items()
    }


def _read_staged(provider: SAMLProvider) -> tuple[StagedCertificate, ...]:
    try:
        return read_staged(provider)
    except SAMLMetadata as error:
        _logger.warning("provider %s: nothing is rehearsed: %s", provider.name, error.detail)
        return ()


def _client_key(provider: OIDCProvider, keys: KeyFolder) -> SigningKey | None:
    return keys.signing("oidc-client") if provider.client_authentication == "private_key_jwt" else None


def _client_jwks(providers: Mapping[str, Provider], keys: KeyFolder) -> dict[str, dict[str, Any]]:
    documents = {
        name: build_client_jwks(provider, keys)
        for name, provider in providers.items()
        if isinstance(provider, OIDCProvider)
    }
    return {name: document for name, document in documents.items() if document}


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


def _metadata_source(place: str, outbound: Outbound) -> Callable[[], bytes]:
    if "://" not in place:
        return Path(place).read_bytes

    def load() -> bytes:
        try:
            answer = outbound.get(place, limits=METADATA_LIMITS)
        except FetchTooLarge as error:
            raise SAMLMetadata(error.detail) from error
        except (FetchFailed, FetchRefused) as error:
            raise ProviderUnavailable(error.detail) from error
        if answer.status != HTTPStatus.OK:
            raise ProviderUnavailable(f"{place} answered with status {answer.status}")
        return answer.body

    return load


def _open_records(url: str) -> Engine:
    try:
        return open_database(url)
    except SQLAlchemyError as error:
        raise AuditUnavailable(f"the audit database cannot be opened: {type(error).__name__}") from error


def _ping(redis: RedisClient) -> None:
    with store_errors():
        redis.ping()
