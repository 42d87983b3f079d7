"""The composition root: a configuration goes in, a wired Flask application comes out.

With ``parties`` the only place that builds clients. Nothing below looks anything up: each part receives what it uses.
"""

from functools import partial
from urllib.parse import urlsplit

from flask import Flask

from bridge.audit.alerts.board import AlertBoard
from bridge.audit.log import AuditLog
from bridge.audit.proof.checkpoints import name_log
from bridge.audit.proof.record_proofs import RecordProofs
from bridge.audit.trail.store import find_stored_strays
from bridge.audit.trail.threads import Threads
from bridge.audit_log import open_audit_log
from bridge.audit_tasks import AuditTasks
from bridge.authorization.codes import Codes
from bridge.authorization.consent import ConsentPage
from bridge.authorization.endpoints import Endpoints
from bridge.authorization.pushed import PushedRequests
from bridge.clock import Clock, SystemClock
from bridge.database import open_engine
from bridge.delivery.console import Console
from bridge.delivery.links import Links
from bridge.delivery.sign_in_token import SignInTokens
from bridge.entitlements.rules import RulesInForce
from bridge.exchange.assume import Exchange
from bridge.exchange.cache import CredentialsCache
from bridge.exchange.metadata import entity_id
from bridge.exchange.sts_client import STSClient
from bridge.exchange.waiting_room import WaitingRoom
from bridge.federation import Federation
from bridge.governed_roles import find_scope
from bridge.history.history import History
from bridge.identity.guesses import GuessLimit
from bridge.identity.pending import PendingSignIns, UnconfirmedSignIns
from bridge.identity.replay import ReplayMemory
from bridge.identity.sign_in import SignInDesk
from bridge.identity.sign_out import SignOutDesk
from bridge.keys import KeyFolder
from bridge.language import translate, translate_number
from bridge.outbound import Outbound
from bridge.parties import (
    build_relying_parties,
    build_service_providers,
    build_workload_verifiers,
    find_client_jwks,
    keep_renewed,
)
from bridge.portal_protocol.device_page import DevicePage
from bridge.portal_protocol.devices import Devices
from bridge.portal_protocol.opening import TerminalOpening
from bridge.portal_protocol.protocol import PortalProtocol
from bridge.preview.gate import measure_change
from bridge.preview.runs import Runs
from bridge.rollout.announcement import RedisAnnouncement
from bridge.rollout.follower import Follower
from bridge.rollout.nodes import Nodes
from bridge.rollout.roll_out import RollOut
from bridge.rollout.starting import open_tables
from bridge.sealing import Sealer
from bridge.sessions.grants import Grants
from bridge.sessions.habits import HabitStore
from bridge.sessions.store import SessionStore
from bridge.sessions.tickets import Tickets
from bridge.settings import Configuration, Settings, compile_rule_files
from bridge.store_connection import RedisClient, connect_store, store_errors
from bridge.sts_endpoint.actions import Actions
from bridge.sts_endpoint.budget import Budget
from bridge.sts_endpoint.callers import Callers
from bridge.sts_endpoint.door import STSDoor
from bridge.sts_endpoint.issued import IssuedCredentials
from bridge.web.access import Access
from bridge.web.admin.administration import Administration
from bridge.web.admin.drafts import find_drafts
from bridge.web.admin.explain import Explain
from bridge.web.admin.preview import Preview
from bridge.web.admin.providers import Providers
from bridge.web.admin.rules import Rules
from bridge.web.admin.sign_ins import SignIns
from bridge.web.admin.versions import Versions
from bridge.web.api import API
from bridge.web.assets import install_assets
from bridge.web.auditor.pages import register_audit_pages
from bridge.web.errors import install_errors
from bridge.web.headers import install_headers
from bridge.web.health import create_health
from bridge.web.languages import LanguageSwitch, install_languages
from bridge.web.links import LinkPages
from bridge.web.login import Login
from bridge.web.logout import Logout
from bridge.web.portal import Portal
from bridge.web.proxies import trust_proxies
from bridge.web.published import Published

MAX_REQUEST_BYTES = 400_000
"""A SAML response of 256 kB in base64, and a little more."""


def create_app(
    configuration: Configuration,
    store_url: str,
    clock: Clock | None = None,
    outbound: Outbound | None = None,
    *,
    follow_rules: bool = True,
    sequences: bool = True,
) -> Flask:
    """Return the service as a WSGI application. Call it after a fork: the audit log owns a thread.

    Args:
        configuration: everything that the operator has written.
        store_url: the address of Redis; the embedded store's where that is in use.
        clock: the machine's where absent.
        outbound: the door for our own requests; one that leads where the settings allow it where absent.
        follow_rules: whether other rules can come into force, and the audit log has its tasks; else the rules of the
            configuration stay, and nothing runs beside the requests.
        sequences: whether this process gives audit records their order; not where another one on this machine does.

    Raises:
        KeyMissing: a key is not in the key folder.
        KeyUnusable: a key is not what it should be, or not that of the audit log.
        AuditUnavailable: the audit database cannot be opened.
        RolloutUnavailable: rules are promoted, and what is in force cannot be found out.
    """
    clock = clock or SystemClock()
    settings = configuration.settings
    public_url, providers, accounts = settings.public_url, configuration.providers, configuration.accounts
    keys = KeyFolder(settings.key_folder)
    outbound = outbound or Outbound(development=settings.development, destinations=settings.destinations())
    redis = connect_store(store_url, **settings.store_credentials())
    sealer = Sealer(*keys.sealing_keys())
    records = open_audit_log(settings, clock)
    audit = records.build_log(configuration.audit)
    tasks = AuditTasks(configuration.audit, records, audit, outbound, public_url)
    service_providers = build_service_providers(configuration, keys, outbound, redis, clock)
    relying_parties = build_relying_parties(configuration, keys, outbound, clock)
    workloads = build_workload_verifiers(configuration, outbound, redis, clock)
    keep_renewed(service_providers, (*relying_parties.values(), *workloads.values()), audit, keys, clock)
    rules = RulesInForce(configuration.rules)
    history = History(open_engine(settings.database_url()), sealer, clock, keep_days=settings.rules.keep_days)
    roll_out, nodes, follower = _build_roll_out(configuration, rules, redis, audit, history, clock)
    if follow_rules:
        follower.begin()
        follower.start()
        tasks.start(sequences=sequences)
    history.start(rules, settings.rules.kept_claims)
    issued = IssuedCredentials(redis, sealer, clock)
    exchange = _build_exchange(configuration, keys, outbound, clock)
    room = WaitingRoom(max(1, settings.threads - 1))
    credentials = CredentialsCache(exchange, redis, sealer, clock, room)
    federation = _build_federation(
        configuration, rules, keys, outbound, exchange, credentials, audit, history, clock, issued
    )
    sessions, terminals = _build_sessions(settings, redis, sealer, clock)
    guesses, replay = GuessLimit(redis, clock), ReplayMemory(redis, clock)
    desk = SignInDesk(
        service_providers=service_providers,
        relying_parties=relying_parties,
        pending=PendingSignIns(redis, sealer, clock),
        replay=replay,
        clock=clock,
    )
    unconfirmed = UnconfirmedSignIns(redis, sealer, clock)
    grants = Grants(terminals, redis, sealer, clock)
    access = Access(sessions, grants, federation, public_url)
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
            replay=replay,
        ),
        sessions=sessions,
        terminals=terminals,
        unconfirmed=unconfirmed,
        guesses=guesses,
        access=access,
        audit=audit,
        credentials=credentials,
        providers=providers,
    )
    habits, links = HabitStore(redis, sealer, clock), Links(sealer, clock)
    portal = Portal(
        federation=federation, access=access, providers=providers, accounts=accounts, habits=habits, clock=clock
    )
    app = _create_flask(public_url)
    app.extensions["audit_tasks"] = tasks
    access.install(app)
    app.jinja_env.globals["several_providers"] = len(providers) > 1
    administration = Administration(access, providers)
    for pages in (
        LanguageSwitch(access),
        login,
        logout,
        portal,
        LinkPages(
            federation=federation,
            access=access,
            providers=providers,
            accounts=accounts,
            habits=habits,
            links=links,
            public_url=public_url,
        ),
        API(
            federation=federation,
            access=access,
            sessions=sessions,
            audit=audit,
            accounts=accounts,
            links=links,
            public_url=public_url,
        ),
        Published(public_url, keys, service_providers, find_client_jwks(providers, keys)),
        *_build_terminal_doors(
            federation=federation,
            access=access,
            redis=redis,
            sealer=sealer,
            sessions=sessions,
            terminals=terminals,
            grants=grants,
            guesses=guesses,
            audit=audit,
            configuration=configuration,
            clock=clock,
        ),
        SignIns(administration, records.reader),
        Rules(administration, rules, history, providers, accounts, clock, roll_out.versions),
        Explain(
            administration,
            access=access,
            audit=audit,
            rules=rules,
            history=history,
            records=records.reader,
            providers={**providers, **configuration.workloads},
            clock=clock,
        ),
        Preview(
            administration,
            Runs(history, redis, sealer, clock),
            history,
            rules,
            clock,
            drafts=partial(find_drafts, configuration.folder / "rules", rules, roll_out, clock),
            compile_draft=partial(compile_rule_files, configuration),
            kept_claims=settings.rules.kept_claims,
        ),
        Versions(
            administration,
            access,
            roll_out,
            nodes,
            configuration.folder / "rules",
            clock,
            promoted=settings.rules.rollout == "promote",
        ),
        Providers(administration, providers, service_providers, keys, clock),
    ):
        app.register_blueprint(pages.blueprint())
    register_audit_pages(
        app,
        access=access,
        audit=audit,
        search=records.search,
        saved=records.saved_searches,
        proofs=RecordProofs(records.engine, records.sequencer, records.verifier_keys),
        alerts=AlertBoard(records.engine),
        threads=Threads(records.engine, records.secrets),
        find_strays=lambda: find_stored_strays(
            records.engine, find_scope(rules.current, accounts, configuration.audit.trail)
        ),
        secrets=records.secrets,
        providers=providers,
        accounts=accounts,
        clock=clock,
        log_name=name_log(public_url),
    )
    app.register_blueprint(
        create_health(
            {"store": lambda: _ping(redis), "audit": audit.check},
            follower.describe,
            exchange.describe,
            tasks.describe,
        )
    )
    budget = Budget(
        redis,
        clock,
        per_address=settings.sts.calls_per_minute_per_address,
        per_caller=settings.sts.calls_per_minute_per_caller,
    )
    actions = Actions(
        federation, accounts, workloads, service_providers, replay, Callers(issued, redis, clock), budget, clock
    )
    _put_doors_before(app, settings, actions, budget)
    return app


def _put_doors_before(app: Flask, settings: Settings, actions: Actions, budget: Budget) -> None:
    """Let the STS door, and before it what knows the proxies, see each request before the pages do."""
    proxies = settings.trusted_proxies
    door = STSDoor(app.wsgi_app, actions, budget, settings.public_url, knows_scheme=proxies.count > 0)
    app.wsgi_app = door  # type: ignore[method-assign]
    if proxies.count:
        app.wsgi_app = trust_proxies(app.wsgi_app, proxies.addresses, proxies.count)  # type: ignore[method-assign, assignment]


def _build_sessions(
    settings: Settings, redis: RedisClient, sealer: Sealer, clock: Clock
) -> tuple[SessionStore, SessionStore]:
    """Return the sessions of browsers and those of terminals."""
    absolute = settings.session.absolute_seconds
    browsers = SessionStore(redis, sealer, clock, idle_seconds=settings.session.idle_seconds, absolute_seconds=absolute)
    # A terminal is not left open on a desk: it waits for work.
    terminals = SessionStore(redis, sealer, clock, idle_seconds=absolute, absolute_seconds=absolute, kind="terminal")
    return browsers, terminals


def _build_terminal_doors(
    *,
    federation: Federation,
    access: Access,
    redis: RedisClient,
    sealer: Sealer,
    sessions: SessionStore,
    terminals: SessionStore,
    grants: Grants,
    guesses: GuessLimit,
    audit: AuditLog,
    configuration: Configuration,
    clock: Clock,
) -> tuple[DevicePage, PortalProtocol, ConsentPage, Endpoints]:
    """Return what programs on people's machines ask, and the pages on which people let them in."""
    settings, providers = configuration.settings, configuration.providers
    issuer, resource = settings.public_url, f"{settings.public_url}/api/v1"
    devices, opening = Devices(redis, sealer, clock), TerminalOpening(sessions, terminals, audit)
    pushed = PushedRequests(redis, sealer)
    codes = Codes(redis, sealer, clock, remembered_seconds=settings.session.absolute_seconds)
    return (
        DevicePage(access, devices, guesses, audit, providers),
        PortalProtocol(
            federation=federation,
            devices=devices,
            opening=opening,
            terminals=terminals,
            guesses=guesses,
            accounts=configuration.accounts,
            public_url=issuer,
            clock=clock,
        ),
        ConsentPage(
            access=access,
            codes=codes,
            tickets=Tickets(sealer),
            pushed=pushed,
            audit=audit,
            providers=providers,
            issuer=issuer,
            resource=resource,
            clock=clock,
        ),
        Endpoints(
            codes=codes,
            pushed=pushed,
            devices=devices,
            grants=grants,
            opening=opening,
            sessions=sessions,
            terminals=terminals,
            guesses=guesses,
            audit=audit,
            issuer=issuer,
            resource=resource,
        ),
    )


def _build_roll_out(  # noqa: PLR0917
    configuration: Configuration,
    rules: RulesInForce,
    redis: RedisClient,
    audit: AuditLog,
    history: History,
    clock: Clock,
) -> tuple[RollOut, Nodes, Follower]:
    settings = configuration.settings
    tables = open_tables(settings)
    announcement = RedisAnnouncement(redis, settings.public_url)
    compile_files = partial(compile_rule_files, configuration)
    roll_out = RollOut(
        tables,
        audit,
        clock,
        announcement,
        compile_files,
        max_changed_share=settings.rules.max_changed_share,
        measure=measure_change(history, settings.rules.keep_days, clock, settings.rules.kept_claims),
    )
    nodes = Nodes(tables)
    follower = Follower(
        configuration=configuration,
        rules=rules,
        roll_out=roll_out,
        nodes=nodes,
        announcement=announcement,
        audit=audit,
        clock=clock,
        compile_files=compile_files,
    )
    return roll_out, nodes, follower


def _build_exchange(configuration: Configuration, keys: KeyFolder, outbound: Outbound, clock: Clock) -> Exchange:
    public_url = configuration.settings.public_url
    return Exchange(
        configuration.accounts,
        issuer=public_url,
        entity_id=entity_id(public_url),
        keys=keys,
        sts=STSClient(outbound, clock),
        clock=clock,
    )


def _build_federation(  # noqa: PLR0917
    configuration: Configuration,
    rules: RulesInForce,
    keys: KeyFolder,
    outbound: Outbound,
    exchange: Exchange,
    credentials: CredentialsCache,
    audit: AuditLog,
    history: History,
    clock: Clock,
    issued: IssuedCredentials,
) -> Federation:
    accounts, public_url = configuration.accounts, configuration.settings.public_url
    console = Console(accounts, entity_id(public_url), f"{public_url}/", keys, SignInTokens(outbound), clock)
    return Federation(
        audit=audit,
        rules=rules,
        administrators=configuration.administrators,
        auditors=configuration.auditors,
        exchange=exchange,
        credentials=credentials,
        console=console,
        history=history,
        clock=clock,
        remember=issued.remember,
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
    app.jinja_env.globals["number"] = translate_number
    install_languages(app)
    install_assets(app)
    install_errors(app)
    install_headers(app, https=public_url.startswith("https:"))
    return app


def _ping(redis: RedisClient) -> None:
    with store_errors():
        redis.ping()
