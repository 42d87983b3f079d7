"""Issuers of tokens for workloads (CI jobs, pods, servers), as an administrator describes them: one file each.

A workload has no browser and signs in nowhere: it shows a token that its platform gave it, at the STS endpoint alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from bridge.described import Described
from bridge.identity.providers import Name, OIDCProvider

Preset = Literal["github-actions", "gitlab", "kubernetes"]
Audience = Annotated[str, Field(pattern=r"^[!-~]{1,255}$")]

DEFAULTS: Mapping[Preset, Mapping[str, Any]] = {
    "github-actions": {"issuer": "https://token.actions.githubusercontent.com", "algorithms": ["RS256"]},
    "gitlab": {"issuer": "https://gitlab.com", "algorithms": ["RS256"]},
    # A pod reads the same file again for each refresh of its credentials, so its token is shown many times.
    "kubernetes": {"algorithms": ["RS256", "ES256"], "single_use": False},
}
"""What a preset stands for; whatever the file itself says counts instead."""

OWNER_SEGMENTS: Mapping[Preset | None, str] = {
    "github-actions": r"repo:[^/:]+/",
    "gitlab": r"project_path:[^/:]+/",
    "kubernetes": r"system:serviceaccount:[^/:]+:",
    None: r"[^/:]+[:/][^/:]+[:/]",
}
"""How far a ``sub`` names its owner (regular expressions): no wildcard may stand before the end of that."""


def _wrap(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Texts = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=1024)], ...],
    Field(min_length=1),
    BeforeValidator(_wrap, json_schema_input_type=str | list[str]),
]


class Workload(Described):
    """Who vouches for some workloads, and which of its tokens are for us."""

    name: Name
    """How rules and records name it, and clients: ``acs:ram::ACCOUNT:oidc-provider/NAME``."""
    preset: Preset | None = None
    """Fills in what is not written here, as the platform's tokens are."""
    issuer: str = Field(default="", max_length=1024)
    """Compared exactly with ``iss``; needed unless the preset knows it."""
    audiences: tuple[Audience, ...] = Field(min_length=1)
    """What may stand in ``aud``. A token that is also for somebody else is refused: they could show it here."""
    keys_file: Path | None = None
    """The issuer's public keys (a JWK set), relative to this file, where its address cannot be reached from here."""
    algorithms: tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"], ...] = (
        "RS256",
        "ES256",
    )
    """The signature algorithms that we accept."""
    required_claims: dict[str, Texts] = Field(default_factory=dict)
    """Claims that every token must have with one of these values, such as ``repository_owner_id``."""
    single_use: bool = True
    """Whether a token is accepted once only."""
    clock_skew_seconds: int = Field(default=60, ge=0, le=300)
    """How far the issuer's clock and ours may differ, in seconds."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("preset") not in DEFAULTS:
            return values
        return {**DEFAULTS[values["preset"]], **values}

    @property
    def protocol(self) -> Literal["oidc"]:
        """Its tokens are OpenID Connect's."""
        return "oidc"

    def as_provider(self) -> OIDCProvider:
        """Return it as the checks of ID tokens know an issuer."""
        return OIDCProvider(
            name=self.name,
            title=self.name,
            protocol="oidc",
            issuer=self.issuer,
            client_id=self.audiences[0],
            algorithms=self.algorithms,
            clock_skew_seconds=self.clock_skew_seconds,
        )
