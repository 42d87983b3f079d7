"""What sees each request before the pages do: what knows the proxies, and behind it the STS-compatible endpoint."""

from flask import Flask

from bridge.sts_endpoint.actions import Actions
from bridge.sts_endpoint.budget import Budget
from bridge.sts_endpoint.callers import Callers
from bridge.sts_endpoint.door import STSDoor
from bridge.web.proxies import trust_proxies
from bridge.wiring.counterparts import Counterparts
from bridge.wiring.federating import Federating
from bridge.wiring.foundation import Foundation


def put_doors_before(app: Flask, base: Foundation, counterparts: Counterparts, federating: Federating) -> None:
    """Put them before the pages of ``app``."""
    settings, redis, clock = base.settings, base.redis, base.clock
    budget = Budget(
        redis,
        clock,
        per_address=settings.sts.calls_per_minute_per_address,
        per_caller=settings.sts.calls_per_minute_per_caller,
    )
    actions = Actions(
        federating.federation,
        base.accounts,
        counterparts.workloads,
        counterparts.service_providers,
        counterparts.replay,
        Callers(federating.issued, redis, clock),
        budget,
        clock,
    )
    proxies = settings.trusted_proxies
    app.wsgi_app = STSDoor(app.wsgi_app, actions, budget, base.public_url, knows_scheme=proxies.count > 0)  # type: ignore[method-assign]
    if proxies.count:
        app.wsgi_app = trust_proxies(app.wsgi_app, proxies.addresses, proxies.count)  # type: ignore[method-assign, assignment]
