"""``bridge.yaml``: what an operator can set for this service itself."""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, TypedDict
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, SecretStr, TypeAdapter, model_validator

from bridge.described import Described
from bridge.destinations import Destinations, is_loopback_network, is_never_allowed
from bridge.entitlements.rules import AdministratorEntry, AuditorEntry
from bridge.errors import Problem
from bridge.settings.checks import is_loopback, split_web_url
from bridge.store_address import parse_store_url
from bridge.yaml_documents import Positions, load_document, refusal

_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql+psycopg://"
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}", re.ASCII)


def _check_public_url(url: str) -> str:
    parts = split_web_url(url)
    if parts is None or url != f"{parts.scheme}://{parts.netloc.lower()}":
        raise refusal(
            "`public_url` is not the origin of a web site",
            "Write scheme, host and port in lower case, without a path or final slash: https://bridge.example.com.",
        )
    return url


def _check_listen(address: str) -> str:
    if not _LISTEN.fullmatch(address):
        raise refusal("`listen` is not an address and a port", "Write, for example, 127.0.0.1:8080.")
    return address


def _check_store(url: str) -> str:
    if url != "embedded":
        try:
            parse_store_url(url)
        except ValueError as error:
            raise refusal(
                f"the address in `store` {error}", "Write `embedded`, or an address such as rediss://host:6379/0."
            ) from error
    return url


def _check_audit(url: str) -> str:
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return url
    if not url.startswith(_POSTGRESQL):
        raise refusal("`audit` is not a database that we know", f"Write {_SQLITE}PATH or {_POSTGRESQL}user@host/name.")
    try:
        password = urlsplit(url).password
    except ValueError:
        password = ""
    if password is not None:
        raise refusal(
            "a password must not stand in the address of the database",
            "Remove it, and add `audit_password: env:NAME` or `audit_password: file:PATH`.",
        )
    return url


def _check_network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise refusal(f"{text!r} is not an address or network", "Write, for example, 10.0.0.0/8.") from error
    return text


class SessionLimits(Described):
    """How long a person stays signed in here."""

    idle_seconds: int = Field(default=1800, ge=60, le=86_400)
    """Without any request, in seconds."""
    absolute_seconds: int = Field(default=36_000, ge=300, le=604_800)
    """At most, in seconds, whatever happens."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.idle_seconds > self.absolute_seconds:
            raise refusal("`idle_seconds` is longer than `absolute_seconds`", "Make it the shorter one.")
        return self


class TrustedProxies(Described):
    """The reverse proxies whose forwarded headers are believed; nobody else's are."""

    count: int = Field(default=0, ge=0, le=8)
    """How many of them each request passes through."""
    addresses: tuple[Annotated[str, AfterValidator(_check_network)], ...] = ()
    """The addresses or networks from which they connect."""

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if bool(self.count) != bool(self.addresses):
            raise refusal(
                "`trusted_proxies` needs `count` and `addresses`",
                "Write both, or leave both out where there is no proxy.",
            )
        return self


class OutboundLimits(Described):
    """What our own requests may reach beyond public addresses at port 443."""

    allowed_networks: tuple[Annotated[str, AfterValidator(_check_network)], ...] = ()
    """Addresses or networks that are not public, such as those of identity providers in the intranet."""
    allowed_ports: tuple[Annotated[int, Field(ge=1, le=65_535)], ...] = ()
    """Ports beside 443. In development every port is allowed."""


Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9._*-]{1,64}$")]
"""A name, in which ``*`` stands for any letters."""


class Ceiling(Described):
    """The most that rules may grant; a rule that grants more is an error."""

    accounts: tuple[Pattern, ...] = Field(default=("*",), min_length=1)
    """For grants in these accounts; `*` stands for any letters."""
    roles: tuple[Pattern, ...] | None = Field(default=None, min_length=1)
    """For grants of these roles, and of RAM users whose terminal gets one of them. Absent: for every grant."""
    max_duration_seconds: int | None = Field(default=None, ge=900, le=43_200)
    """A grant's `duration_seconds` may not be longer; in seconds."""
    amr: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The rule must require a method, and may accept these only."""
    acr: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The same for authentication contexts. With `amr` beside it, the rule needs one of the two."""
    max_age_seconds: int | None = Field(default=None, ge=60, le=86_400)
    """The rule must require a sign-in that is no older, in seconds."""
    networks: tuple[Annotated[str, AfterValidator(_check_network)], ...] | None = Field(default=None, min_length=1)
    """The rule must have `networks`, each of them within one of these."""

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        if not self.model_fields_set - {"accounts", "roles"}:
            raise refusal("this ceiling limits nothing", "Add `max_duration_seconds`, `amr`, `acr` or another limit.")
        return self


class RulesSettings(Described):
    """How rules come into force, and what is kept to try a change of them on."""

    rollout: Literal["files", "promote"] = "files"
    """What brings new rules into force: `files` that change in config/rules/, or only `rambridge rules promote`."""
    keep_days: int = Field(default=30, ge=0, le=400)
    """How long the mapping inputs of each sign-in are kept, sealed, so that a change can be tried on them; 0: never."""
    kept_claims: tuple[str, ...] | None = None
    """The claims that may be kept. Where this is absent: those that some rule reads."""
    max_changed_share: float | None = Field(default=None, ge=0, le=1)
    """Of the people who signed in, the share whose roles may change at once before a second administrator is asked."""
    ceilings: tuple[Ceiling, ...] = ()
    """The most that rules may grant, such as one hour and a second factor for `*Admin*`."""

    @model_validator(mode="after")
    def _check_share(self) -> Self:
        if self.max_changed_share is not None and self.keep_days == 0:
            raise refusal(
                "`max_changed_share` is measured on kept sign-ins, and `keep_days` is 0",
                "Keep them for some days, or remove `max_changed_share`.",
            )
        return self


class STSLimits(Described):
    """How often programs may call the STS endpoint; above it they are told to wait (`Throttling`)."""

    calls_per_minute_per_address: int = Field(default=1200, ge=1, le=10_000_000)
    """From one address (of IPv6: one /64)."""
    calls_per_minute_per_caller: int = Field(default=300, ge=1, le=10_000_000)
    """On behalf of one workload or person."""


class StoreCredentials(TypedDict):
    """What :func:`bridge.store_connection.connect_store` takes beside the address."""

    username: str
    password: str
    ca_file: Path | None


class Settings(Described):
    """This service. After loading, every path is absolute."""

    public_url: Annotated[str, AfterValidator(_check_public_url)]
    """The origin under which browsers and identity providers reach us, without a final slash."""
    development: bool = False
    """Allows plain http in the addresses of all parties. Only for a machine that serves nobody."""
    listen: Annotated[str, AfterValidator(_check_listen)] = "127.0.0.1:8080"
    """Where the server accepts connections; TLS ends at a reverse proxy before it."""
    workers: int = Field(default=2, ge=1, le=64)
    """Processes. One for each core is a good start."""
    threads: int = Field(default=8, ge=1, le=128)
    """Threads in each process."""
    store: Annotated[str, AfterValidator(_check_store)] = "embedded"
    """Sessions and replay memory: `embedded`, or redis://, rediss://, unix://, redis+sentinel://, redis+cluster://."""
    store_user: str = ""
    """The Redis ACL user."""
    store_password: SecretStr | None = None
    """A reference: `env:NAME` or `file:PATH`."""
    store_ca_file: Path | None = None
    """A PEM bundle to trust for Redis instead of the system's. Relative to this file."""
    audit: Annotated[str, AfterValidator(_check_audit)] = "sqlite:///../var/audit.db"
    """The audit log: sqlite:///PATH, relative to this file, or postgresql+psycopg://user@host/name."""
    audit_password: SecretStr | None = None
    """A reference: `env:NAME` or `file:PATH`."""
    data_folder: Path = Path("../var")
    """What the service keeps on disk, relative to this file."""
    key_folder: Path = Path("../certs")
    """Our signing and sealing keys, relative to this file."""
    session: SessionLimits = SessionLimits()
    trusted_proxies: TrustedProxies = TrustedProxies()
    outbound: OutboundLimits = OutboundLimits()
    rules: RulesSettings = RulesSettings()
    sts: STSLimits = STSLimits()
    administrators: tuple[AdministratorEntry, ...] = ()
    """Who may see the pages for administrators: whoever meets one of these. Nobody without one."""
    auditors: tuple[AuditorEntry, ...] = ()
    """Who may read the whole audit log, under `/audit`: whoever meets one of these. Nobody without one."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that the log still shows."""

    def store_credentials(self) -> StoreCredentials:
        """Return what to present to Redis."""
        password = self.store_password.get_secret_value() if self.store_password else ""
        return {"username": self.store_user, "password": password, "ca_file": self.store_ca_file}

    def destinations(self) -> Destinations:
        """Return what our own requests may reach."""
        return Destinations.read(
            development=self.development,
            networks=self.outbound.allowed_networks,
            ports=self.outbound.allowed_ports,
        )

    def database_url(self) -> str:
        """Return the address of the database for everything but the audit log, as :meth:`audit_url` does.

        With SQLite a file of its own, so that nothing waits for the audit log's writer, nor it for anything.
        """
        return f"{_SQLITE}{self.data_folder / 'bridge.db'}" if self.audit.startswith(_SQLITE) else self.audit_url()

    def audit_url(self) -> str:
        """Return the address of the audit database with its password: never print or log it."""
        if self.audit_password is None:
            return self.audit
        user, _, place = self.audit.removeprefix(_POSTGRESQL).rpartition("@")
        return f"{_POSTGRESQL}{user}:{quote(self.audit_password.get_secret_value(), safe='')}@{place}"


SETTINGS: TypeAdapter[Settings] = TypeAdapter(Settings)


def load_settings(folder: Path) -> Settings:
    """Return what ``bridge.yaml`` alone says, whatever the other files hold: enough to reach keys and audit log.

    Raises:
        SettingsError: with every error of that file.
    """
    folder = folder.resolve()
    settings, _ = load_document(folder / "bridge.yaml", SETTINGS)
    return resolve_paths(settings, folder)


def find_settings_problems(settings: Settings, positions: Positions, *, development: bool) -> Iterator[Problem]:
    """Yield what only shows when several settings of ``bridge.yaml`` are read together."""
    host = urlsplit(settings.public_url).hostname
    if development:
        if not is_loopback(host):
            yield positions.problem(
                ("development",),
                "`development: true` allows plain http, and this service is reachable by others",
                "Remove it for everything but a trial on your own machine.",
                severity="warning",
                kind="insecure",
            )
    else:
        yield from _find_production_problems(settings, positions)
    yield from _find_outbound_problems(settings, positions, development=development)
    if settings.audit_password is not None and not settings.audit.startswith(f"{_POSTGRESQL}"):
        yield positions.problem(("audit_password",), "SQLite has no password", "Remove `audit_password`.", at_key=True)
    if settings.store_ca_file and not (positions.file.parent / settings.store_ca_file).is_file():
        yield positions.problem(
            ("store_ca_file",), f"the file {settings.store_ca_file} does not exist", "Correct the path."
        )


def _find_production_problems(settings: Settings, positions: Positions) -> Iterator[Problem]:
    if not settings.public_url.startswith("https:"):
        yield positions.problem(
            ("public_url",),
            "`public_url` is plain http: cookies and assertions would travel readable",
            "Write the https address, or set `development: true` on a machine that serves nobody.",
            kind="insecure",
        )
    if settings.store == "embedded":
        return
    credentials = settings.store_credentials()
    weakness = parse_store_url(settings.store).find_weakness(credentials["username"], credentials["password"])
    if weakness:
        yield positions.problem(
            ("store",),
            f"STORE_INSECURE: {weakness}",
            "Write a rediss:// address, `store_user` and `store_password`.",
            kind="insecure",
        )


def _find_outbound_problems(settings: Settings, positions: Positions, *, development: bool) -> Iterator[Problem]:
    for number, text in enumerate(settings.outbound.allowed_networks):
        loc = ("outbound", "allowed_networks", number)
        if is_never_allowed(ip_network(text)):
            yield positions.problem(
                loc,
                f"{text} is never allowed: it is the cloud's metadata service, link-local, multicast or reserved",
                "Remove it.",
            )
        elif is_loopback_network(ip_network(text)) and not development:
            yield positions.problem(
                loc,
                f"{text} would let addresses in the configuration reach services of this machine itself",
                "Write the networks of your identity providers only, such as 10.20.0.0/16.",
            )


def resolve_paths(settings: Settings, folder: Path) -> Settings:
    """Return the settings with every path absolute; they are written relative to ``folder``."""
    audit = settings.audit
    if audit.startswith(_SQLITE):
        audit = f"{_SQLITE}{(folder / audit.removeprefix(_SQLITE)).resolve()}"
    paths = {
        "audit": audit,
        "data_folder": (folder / settings.data_folder).resolve(),
        "key_folder": (folder / settings.key_folder).resolve(),
        "store_ca_file": (folder / settings.store_ca_file).resolve() if settings.store_ca_file else None,
    }
    return settings.model_copy(update=paths)
