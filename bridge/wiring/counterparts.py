"""Who vouches for people and workloads, and what was seen of them before."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.identity.oidc.relying_party import RelyingParty
from bridge.identity.oidc.workload_token import WorkloadVerifier
from bridge.identity.replay import ReplayMemory
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.parties import (
    build_relying_parties,
    build_service_providers,
    build_workload_verifiers,
    keep_renewed,
)
from bridge.wiring.foundation import Foundation


@dataclass(frozen=True)
class Counterparts:
    """Us, as each provider sees us, by the provider's name; the same memory of what was used serves them all."""

    service_providers: Mapping[str, ServiceProvider]
    relying_parties: Mapping[str, RelyingParty]
    workloads: Mapping[str, WorkloadVerifier]
    replay: ReplayMemory


def build_counterparts(base: Foundation) -> Counterparts:
    """Return them, with what keeps their metadata and keys renewed already running. Raises KeyMissing, KeyUnusable."""
    configuration, keys, outbound, clock = base.configuration, base.keys, base.outbound, base.clock
    service_providers = build_service_providers(configuration, keys, outbound, base.redis, clock)
    relying_parties = build_relying_parties(configuration, keys, outbound, clock)
    workloads = build_workload_verifiers(configuration, outbound, base.redis, clock)
    keep_renewed(service_providers, (*relying_parties.values(), *workloads.values()), base.audit, keys, clock)
    return Counterparts(service_providers, relying_parties, workloads, ReplayMemory(base.redis, clock))
