"""What the stand-in provider knows: people, the applications that trust it, and the tiles of its portal.

All of it stands in one YAML file (``config/sandbox-idp.yaml``) that is read once. Paths in it are relative to it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from bridge.errors import Problem, SettingsError


def _resolve_file(reference: object, info: ValidationInfo) -> object:
    if not isinstance(reference, str) or not reference.startswith("file:"):
        raise ValueError("a secret is given by reference: file:PATH")
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / reference.removeprefix("file:")


Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
URL = Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=1024)]
SecretFile = Annotated[Path, BeforeValidator(_resolve_file)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(_Entry):
    """Somebody who works here."""

    uid: Slug
    name: str = Field(pattern=r"\S")
    mail: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    department: str
    title: str
    groups: tuple[str, ...] = ()
    mfa: bool = False
    """Whether the person has a security key registered."""

    @property
    def initials(self) -> str:
        """What the portal shows in place of a photograph."""
        first, *others = self.name.split()
        return first[0] + others[-1][0] if others else first[0]


class ServiceProvider(_Entry):
    """A SAML service provider that trusts us. Its addresses and certificates come from its metadata."""

    name: Slug
    title: str
    entity_id: str = Field(min_length=1, max_length=1024)
    metadata_url: URL
    name_id_format: Literal["persistent", "emailAddress"] = "persistent"
    encrypt: bool = False
    """Whether assertions are encrypted, with the first encryption certificate of its metadata."""


class OIDCClient(_Entry):
    """An OpenID Connect relying party that trusts us."""

    client_id: str = Field(min_length=1, max_length=255)
    title: str
    client_secret: SecretFile
    """``file:PATH``; the file is made with a random secret where it is missing."""
    redirect_uris: tuple[URL, ...] = Field(min_length=1)
    initiate_login_uri: URL | None = None
    """Where a sign-in that starts at our portal begins (OpenID Connect Core 4)."""


class _Tile(_Entry):
    name: Slug
    title: str
    description: str


class IdPInitiatedTile(_Tile):
    """Posts an unsolicited SAML response."""

    kind: Literal["saml-idp-initiated"]
    service_provider: Slug
    relay_state: str | None = None


class SPInitiatedTile(_Tile):
    """Leads to an application that then asks us by SAML."""

    kind: Literal["saml-sp-initiated"]
    link: URL


class OIDCTile(_Tile):
    """Asks a relying party to begin (third-party initiated login)."""

    kind: Literal["oidc"]
    client: str


Tile = Annotated[IdPInitiatedTile | SPInitiatedTile | OIDCTile, Field(discriminator="kind")]


class IdPState(_Entry):
    """Everything the provider is told at its start."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#]+$")]
    """Our address, without a path. It is the OIDC issuer; the SAML entity ID is below it."""
    name: str
    people: tuple[Person, ...] = Field(min_length=1)
    saml_service_providers: tuple[ServiceProvider, ...] = ()
    oidc_clients: tuple[OIDCClient, ...] = ()
    tiles: tuple[Tile, ...] = ()

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for kind, names in (
            ("uid", [person.uid for person in self.people]),
            ("service provider", [provider.name for provider in self.saml_service_providers]),
            ("entity_id", [provider.entity_id for provider in self.saml_service_providers]),
            ("client_id", [client.client_id for client in self.oidc_clients]),
            ("tile", [tile.name for tile in self.tiles]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} given twice: {', '.join(twice)}")
        for tile in self.tiles:
            if isinstance(tile, IdPInitiatedTile) and not self.find_service_provider(tile.service_provider):
                raise ValueError(f"tile {tile.name} names no known service provider: {tile.service_provider}")
            if isinstance(tile, OIDCTile):
                client = self.find_client(tile.client)
                if client is None or client.initiate_login_uri is None:
                    raise ValueError(f"tile {tile.name} names no client with initiate_login_uri: {tile.client}")
        return self

    @property
    def saml_entity_id(self) -> str:
        """Our SAML entity ID, which is also where our metadata is."""
        return f"{self.url}/saml/metadata"

    def find_person(self, uid: str) -> Person | None:
        """Return the person of this uid, or None."""
        return next((person for person in self.people if person.uid == uid), None)

    def find_service_provider(self, name: str) -> ServiceProvider | None:
        """Return the service provider of this name in the configuration, or None."""
        return next((provider for provider in self.saml_service_providers if provider.name == name), None)

    def find_client(self, client_id: str) -> OIDCClient | None:
        """Return the relying party of this client ID, or None."""
        return next((client for client in self.oidc_clients if client.client_id == client_id), None)

    def find_tile(self, name: str) -> Tile | None:
        """Return the tile of this name, or None."""
        return next((tile for tile in self.tiles if tile.name == name), None)


def load_state(file: Path) -> IdPState:
    """Return the state that ``file`` describes.

    Raises :class:`SettingsError` with every problem found, each with its place in the file.
    """
    text = file.read_text(encoding="utf-8")
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        fix = "Correct the YAML here."
        raise SettingsError([Problem(file, line, column, str(error.problem), fix)]) from error
    try:
        return IdPState.model_validate(data, context={"folder": file.parent})
    except ValidationError as error:
        raise SettingsError(_find_problems(file, document, error)) from error


def _find_problems(file: Path, document: yaml.Node | None, error: ValidationError) -> Iterator[Problem]:
    for fault in error.errors():
        node = document
        for key in fault["loc"]:
            if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
                node = node.value[key]
            elif isinstance(node, yaml.MappingNode):
                # A key that is not there is a missing one, or the union's tag: stay where we are.
                node = next((value for name, value in node.value if name.value == key), node)
        line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node else (1, 1)
        where = ".".join(str(key) for key in fault["loc"]) or "file"
        yield Problem(file, line, column, f"{where}: {fault['msg']}", "See config/sandbox-idp.yaml for the form.")
