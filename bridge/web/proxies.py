"""Forwarded headers, believed only from configured proxies (threat WEB-07)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from bridge.addresses import read_address, read_network

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def trust_proxies(application: "WSGIApplication", addresses: Iterable[str], count: int) -> "WSGIApplication":
    """Return an application that takes the client's address and scheme from ``count`` proxies in front of it.

    Args:
        application: the application.
        addresses: the networks from which a proxy may connect; the headers of anybody else are ignored.
        count: how many proxies each request passes through.
    """
    networks = [read_network(address) for address in addresses]

    def believe_addresses_only(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if read_address(environ["REMOTE_ADDR"]) is None:
            environ["REMOTE_ADDR"] = environ["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"]
        return application(environ, start_response)

    behind_proxies = ProxyFix(believe_addresses_only, x_for=count, x_proto=count)

    def choose(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        peer = read_address(environ.get("REMOTE_ADDR"))
        trusted = peer is not None and any(peer in network for network in networks)
        return (behind_proxies if trusted else application)(environ, start_response)

    return choose
