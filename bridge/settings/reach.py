"""Which addresses of the configuration our own requests could never reach, said before somebody waits for one."""

from collections.abc import Iterator

from bridge.destinations import Destinations
from bridge.errors import Problem
from bridge.exchange.accounts import Account
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.workloads import Workload
from bridge.settings.checks import split_web_url
from bridge.yaml_documents import Loc, Positions

_IN_A_VPC = "100.100.1.1"
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
    if isinstance(content, Account):
        yield from _find_way_problems(content, positions, destinations)
    if isinstance(content, OIDCProvider) and content.groups_endpoint is not None:
        yield from _find_problems(content.groups_endpoint.url, positions, ("groups_endpoint", "url"), destinations)


def _find_way_problems(account: Account, positions: Positions, destinations: Destinations) -> Iterator[Problem]:
    proxy, endpoint = split_web_url(account.proxy or ""), split_web_url(account.endpoint)
    fault = destinations.find_host_fault(proxy.hostname) if proxy and proxy.hostname else None
    if fault:
        yield positions.problem(
            ("proxy",),
            f"`proxy` cannot be reached: {fault}",
            "Correct the address, or allow it under `outbound` in bridge.yaml.",
            kind="unreachable",
        )
    if endpoint and (endpoint.hostname or "").startswith("sts-vpc.") and destinations.find_address_fault(_IN_A_VPC):
        yield positions.problem(
            ("endpoint",),
            "names of VPC endpoints lead to addresses in 100.64.0.0/10, and `outbound` does not allow those",
            "Add 100.64.0.0/10 to `outbound.allowed_networks` in bridge.yaml. The metadata service stays forbidden.",
            severity="warning",
            kind="unreachable",
        )


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
