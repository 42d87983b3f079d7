"""The composition root: a configuration goes in, a wired Flask application comes out.

With ``wiring`` and ``parties`` the only place that builds clients. Nothing below looks anything up: each part receives
what it uses.
"""

from itertools import chain
from urllib.parse import urlsplit

from flask import Flask

from bridge.audit_tasks import AuditTasks
from bridge.clock import Clock, SystemClock
from bridge.outbound import Outbound
from bridge.settings import Configuration
from bridge.store_connection import RedisClient, store_errors
from bridge.web.assets import install_assets
from bridge.web.errors import HELP_DESK, install_errors
from bridge.web.headers import install_headers
from bridge.web.health import create_health
from bridge.web.languages import install_languages
from bridge.wiring.administration import build_administration
from bridge.wiring.auditing import add_audit_pages
from bridge.wiring.counterparts import build_counterparts
from bridge.wiring.federating import build_federating
from bridge.wiring.foundation import lay_foundation
from bridge.wiring.governing import build_governing
from bridge.wiring.outer_doors import put_doors_before
from bridge.wiring.pages import build_help_desk, build_pages
from bridge.wiring.terminals import build_terminal_doors
from bridge.wiring.visits import build_visits

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
    base = lay_foundation(configuration, store_url, clock or SystemClock(), outbound)
    tasks = AuditTasks(configuration.audit, base.records, base.audit, base.outbound, base.public_url)
    counterparts = build_counterparts(base)
    governing = build_governing(base)
    if follow_rules:
        governing.follower.begin()
        governing.follower.start()
        tasks.start(sequences=sequences)
    governing.history.start(governing.rules, base.settings.rules.kept_claims)
    federating = build_federating(base, governing)
    visits = build_visits(base, federating.federation)

    app = _create_flask(base.public_url)
    app.extensions["audit_tasks"] = tasks
    app.jinja_env.globals["several_providers"] = len(base.providers) > 1
    app.extensions[HELP_DESK] = desk = build_help_desk(base, federating.federation, visits.access)
    visits.access.install(app)
    for blueprint in chain(
        build_pages(base, counterparts, federating, visits, desk),
        build_terminal_doors(base, federating.federation, visits),
        build_administration(base, counterparts, governing, visits.access),
    ):
        app.register_blueprint(blueprint)
    add_audit_pages(app, base, governing.rules, visits.access)
    app.register_blueprint(
        create_health(
            {"store": lambda: _ping(base.redis), "audit": base.audit.check},
            governing.follower.describe,
            federating.exchange.describe,
            tasks.describe,
        )
    )
    put_doors_before(app, base, counterparts, federating)
    return app


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
    install_languages(app)
    install_assets(app)
    install_errors(app)
    install_headers(app, https=public_url.startswith("https:"))
    return app


def _ping(redis: RedisClient) -> None:
    with store_errors():
        redis.ping()
