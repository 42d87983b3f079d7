"""Workloads of the stand-in cloud that become roles without a key: a server, and pods of Kubernetes clusters."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bridge.sandbox.cloud.entities import RAMName

KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
AccountId = Annotated[str, Field(pattern=r"^[0-9]{16}$")]


class _Workload(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Instance(_Workload):
    """The server whose metadata service the sandbox answers as."""

    id: Annotated[str, Field(pattern=r"^i-[a-z0-9]{4,30}$")]
    account: AccountId
    role: RAMName | None = None
    """The attached RAM role, which must trust ``ecs.aliyuncs.com``."""
    region: str = "cn-hangzhou"
    zone: str = "cn-hangzhou-h"
    hardened: bool = False
    """Whether the metadata is for requests with a token only."""


class ServiceAccount(_Workload):
    """Who pods are in their cluster, and the role that they become."""

    namespace: KubernetesName
    name: KubernetesName
    role: RAMName

    @property
    def subject(self) -> str:
        """Return the ``sub`` of its tokens."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


class Cluster(_Workload):
    """A cluster with RRSA: it issues tokens to its pods, and the account has it as an OIDC provider."""

    id: KubernetesName
    account: AccountId
    service_accounts: tuple[ServiceAccount, ...] = Field(min_length=1)

    @property
    def provider_name(self) -> str:
        """Return the name of the OIDC provider that stands for the cluster in its account."""
        return f"ack-rrsa-{self.id}"

    def build_issuer(self, cloud_url: str) -> str:
        """Return the ``iss`` of its tokens."""
        return f"{cloud_url}/clusters/{self.id}"
