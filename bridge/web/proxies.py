"""Forwarded headers, believed only from configured proxies (threat WEB-07)."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def trust_proxies(application: "WSGIApplication", addresses: Iterable[str], count: int) -> "WSGIApplication":
    """Return an application that takes the client's address and scheme from ``count`` proxies in front of it.

    Args:
        application: the application.
        addresses: the networks from which a proxy may connect; the headers of anybody else are ignored.
        count: how many proxies each request passes through.
    """
    networks = [ip_network(address) for address in addresses]

    def believe_addresses_only(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if not _is_address(environ["REMOTE_ADDR"]):
            environ["REMOTE_ADDR"] = environ["werkzeug.proxy_fix.orig"]["REMOTE_ADDR"]
        return application(environ, start_response)

    behind_proxies = ProxyFix(believe_addresses_only, x_for=count, x_proto=count)

    def choose(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        trusted = _is_address(peer) and any(ip_address(peer) in network for network in networks)
        return (behind_proxies if trusted else application)(environ, start_response)

    return choose


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
