"""Which addresses of the configuration our own requests could never reach, said before somebody waits for one."""

from collections.abc import Iterator

from bridge.destinations import Destinations
from bridge.errors import Problem
from bridge.exchange.accounts import Account
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.workloads import Workload
from bridge.settings.checks import split_web_url
from bridge.yaml_documents import Loc, Positions

_PORTS = {"https": 443, "http": 80}


def find_reach_problems(
    content: SAMLProvider | OIDCProvider | Account | Workload, positions: Positions, destinations: Destinations
) -> Iterator[Problem]:
    """Yield the port or the IP address that ``outbound`` does not allow. Names are resolved when they are used."""
    if isinstance(content, Workload):
        if content.keys_file is None:
            yield from _find_problems(content.issuer, positions, ("issuer",), destinations)
        return
    name = {"saml": "metadata", "oidc": "issuer"}.get(getattr(content, "protocol", ""), "endpoint")
    yield from _find_problems(getattr(content, name), positions, (name,), destinations)
    if isinstance(content, OIDCProvider) and content.groups_endpoint is not None:
        yield from _find_problems(content.groups_endpoint.url, positions, ("groups_endpoint", "url"), destinations)


def _find_problems(url: str, positions: Positions, loc: Loc, destinations: Destinations) -> Iterator[Problem]:
    parts = split_web_url(url)
    if parts is None or parts.hostname is None or (parts.scheme == "http" and not destinations.development):
        return  # each has a problem of its own
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    fault = destinations.find_host_fault(host) or destinations.find_port_fault(port)
    if fault:
        yield positions.problem(
            loc,
            f"`{loc[-1]}` cannot be asked: {fault}",
            "Correct the address, or allow it under `outbound` in bridge.yaml.",
            kind="unreachable",
        )
