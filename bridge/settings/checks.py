"""What only shows when several settings are read together: production rules, references, bounds of the cloud.

Each function yields every problem that it finds and changes nothing. What one value may look like stands with the
setting itself: in ``service.py``, ``identity/providers.py``, ``exchange/accounts.py`` and ``entitlements/rules.py``.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from cryptography.x509 import load_pem_x509_certificate

from bridge.entitlements.rules import AdministratorEntry, RoleGrant, RuleDocument, UserGrant, find_accounts
from bridge.errors import Problem
from bridge.exchange.accounts import Account
from bridge.identity.providers import PERSON, TENANT, OIDCProvider, SAMLProvider
from bridge.yaml_documents import Loc, Positions

MIN_ROLE_MAX_DURATION_SECONDS = 3600
"""RAM allows no smaller ``MaxSessionDuration``; STS, 900 s."""
MAX_ROLE_MAX_DURATION_SECONDS = 43_200
DEFAULT_ROLE_MAX_DURATION_SECONDS = 3600
SHORT_DURATION_SECONDS = 1800
"""Below this, several SDKs ask for new credentials on each call."""

RESERVED_PROVIDER_NAMES = frozenset({"confirm"})
"""Names that would be taken for another page: ``/sign-in/confirm``."""

_ANY_TENANT = frozenset({"common", "organizations", "consumers"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_FORM_ACTION = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)
_RAM_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def is_loopback(host: str | None) -> bool:
    """Return whether a host name stays on this machine."""
    return host in _LOOPBACK


def split_web_url(url: str) -> SplitResult | None:
    """Return the parts of an http or https URL, or None where a strict reader would not take it for one."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return None
    return parts if parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc else None


def find_provider_problems(
    provider: SAMLProvider | OIDCProvider, positions: Positions, *, development: bool
) -> Iterator[Problem]:
    """Yield what is wrong with one identity provider."""
    if provider.name in RESERVED_PROVIDER_NAMES:
        yield positions.problem(("name",), f"`{provider.name}` is part of an address of ours", "Choose another name.")
    if isinstance(provider, SAMLProvider):
        yield from _find_metadata_problems(provider, positions, development=development)
    else:
        yield from _find_issuer_problems(provider, positions, development=development)


def _find_metadata_problems(provider: SAMLProvider, positions: Positions, *, development: bool) -> Iterator[Problem]:
    if "://" in provider.metadata:
        yield from find_url_problems(provider.metadata, positions, ("metadata",), development=development)
    elif not (positions.file.parent / provider.metadata).is_file():
        yield positions.problem(
            ("metadata",),
            f"the metadata file {provider.metadata} does not exist",
            "Save the identity provider's metadata there, or write its https address. "
            "The path is relative to this file.",
        )
    certificate = provider.metadata_signing_certificate
    if certificate is not None and not _is_certificate(positions.file.parent / certificate):
        yield positions.problem(
            ("metadata_signing_certificate",),
            f"{certificate} is not a file with a certificate in PEM",
            "Save there what the provider or the federation publishes for verifying its metadata.",
        )
    for name in ("approved_certificates", "staged_certificates"):
        for number, path in enumerate(getattr(provider, name)):
            if not _is_certificate(positions.file.parent / path):
                yield positions.problem(
                    (name, number),
                    f"{path} is not a file with a certificate in PEM",
                    "Save there a certificate that the provider signs with, or will.",
                )
    if "://" not in provider.metadata:
        for name in ("approved_certificates", "metadata_max_validity_days"):
            if getattr(provider, name):
                message = f"`{name}` is for metadata from an address: nobody but you changes this file"
                yield positions.problem((name,), message, "Remove it.", at_key=True)


def _is_certificate(path: Path) -> bool:
    try:
        load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _find_issuer_problems(provider: OIDCProvider, positions: Positions, *, development: bool) -> Iterator[Problem]:
    yield from find_url_problems(provider.issuer, positions, ("issuer",), development=development)
    yield from _find_client_problems(provider, positions)
    yield from _find_tenant_problems(provider, positions)
    if "?" in provider.issuer or "#" in provider.issuer:
        yield positions.problem(
            ("issuer",),
            "an issuer has no query and no fragment (OpenID Connect Discovery 2)",
            "Write it exactly as `issuer` stands in the provider's /.well-known/openid-configuration.",
        )
    yield from _find_groups_endpoint_problems(provider, positions, development=development)
    if "openid" not in provider.scopes:
        yield positions.problem(("scopes",), "without the scope `openid` there is no ID token", "Add `- openid`.")
    if provider.email_verified_required and provider.claims.get("email", "email") != "email":
        yield positions.problem(
            ("claims", "email"),
            "`email_verified` vouches for the provider's own claim `email`, not for this one",
            "Remove `email` from `claims`, or `email_verified_required`.",
        )


def _find_groups_endpoint_problems(
    provider: OIDCProvider, positions: Positions, *, development: bool
) -> Iterator[Problem]:
    endpoint, loc = provider.groups_endpoint, ("groups_endpoint", "url")
    if endpoint is None:
        return
    yield from find_url_problems(endpoint.url, positions, loc, development=development)
    segments = urlsplit(endpoint.url).path.split("/") if split_web_url(endpoint.url) else [PERSON]
    if segments.count(PERSON) != 1 or endpoint.url.count(PERSON) != 1:
        yield positions.problem(
            loc,
            "the person must be one whole part of the path",
            "Write `{person}` there: https://graph.microsoft.com/v1.0/users/{person}/getMemberObjects.",
        )
    if TENANT in provider.issuer:
        yield positions.problem(
            ("groups_endpoint",),
            "with `{tenantid}` in the issuer, no token endpoint is that of the person's tenant",
            "Write a file for each tenant, with its ID in the issuer.",
            at_key=True,
        )


def _find_tenant_problems(provider: OIDCProvider, positions: Positions) -> Iterator[Problem]:
    segments = urlsplit(provider.issuer).path.split("/") if split_web_url(provider.issuer) else []
    templated = TENANT in provider.issuer
    if templated and not provider.tenants:
        yield positions.problem(
            ("issuer",),
            "this issuer stands for every tenant that there is, and anybody can have one",
            "List the IDs of yours under `tenants`, or write the ID of your only one in place of `{tenantid}`.",
        )
    if provider.tenants and not templated:
        yield positions.problem(
            ("tenants",), "`tenants` is for an issuer with `{tenantid}` in it", "Remove it.", at_key=True
        )
    if _ANY_TENANT & set(segments) and "login.microsoftonline.com" in provider.issuer:
        yield positions.problem(
            ("issuer",),
            "this issuer stands for every tenant that there is, and no token is by it",
            "Write the ID of your tenant in its place, or `{tenantid}` and a list `tenants`.",
        )
    if templated and segments.count(TENANT) != 1:
        yield positions.problem(
            ("issuer",),
            "`{tenantid}` must be one whole part of the path",
            "Write it as the provider publishes it: https://login.microsoftonline.com/{tenantid}/v2.0.",
        )
    signed_for = provider.client_assertion_audience if provider.client_authentication == "private_key_jwt" else None
    if templated and signed_for == "issuer":
        yield positions.problem(
            ("client_authentication",),
            "an issuer with `{tenantid}` is nobody whom an assertion could be for",
            "Add `client_assertion_audience: token_endpoint`.",
        )


def _find_client_problems(provider: OIDCProvider, positions: Positions) -> Iterator[Problem]:
    method = provider.client_authentication
    needed = {"private_key_jwt": None, "federated": "client_assertion_file"}.get(method, "client_secret")
    for name, fix in (
        ("client_secret", "Add `client_secret: env:NAME` or `client_secret: file:PATH`."),
        ("client_assertion_file", "Write the path of the file that holds the assertion."),
    ):
        present = getattr(provider, name) is not None
        if name == needed and not present:
            at: Loc = ("client_authentication",) if "client_authentication" in provider.model_fields_set else ()
            yield positions.problem(at, f"`client_authentication: {method}` needs `{name}`", fix)
        elif name != needed and present:
            message = f"`client_authentication: {method}` never uses `{name}`"
            yield positions.problem((name,), message, "Remove it.", at_key=True)
    if "client_assertion_audience" in provider.model_fields_set and method != "private_key_jwt":
        message = f"`client_authentication: {method}` never uses `client_assertion_audience`"
        yield positions.problem(("client_assertion_audience",), message, "Remove it.", at_key=True)
    file = provider.client_assertion_file
    if file is not None and not (positions.file.parent / file).is_file():
        yield positions.problem(
            ("client_assertion_file",),
            f"the file {file} does not exist now",
            "See that it is there when the service runs; the path is relative to this file.",
            severity="warning",
        )


def find_account_problems(account: Account, positions: Positions, *, development: bool) -> Iterator[Problem]:
    """Yield what is wrong with one Alibaba Cloud account."""
    yield from find_url_problems(account.endpoint, positions, ("endpoint",), development=development, origin=True)
    yield from _find_key_problems(account, positions)
    yield from _find_role_problems(account, positions)
    yield from _find_console_problems(account, positions, development=development)
    if account.ca_file is not None and not (positions.file.parent / account.ca_file).is_file():
        yield positions.problem(
            ("ca_file",),
            f"the file {account.ca_file} does not exist",
            "Correct the path, which is relative to this file.",
        )
    if account.default_domain is not None and not _DOMAIN.fullmatch(account.default_domain):
        yield positions.problem(
            ("default_domain",),
            f"{account.default_domain!r} is not a domain",
            f"Write it as RAM shows it, such as {account.id}.onaliyun.com.",
        )


def _find_key_problems(account: Account, positions: Positions) -> Iterator[Problem]:
    for name in ("access_key_id", "access_key_secret"):
        present = getattr(account, name) is not None
        if account.trust == "access_key" and not present:
            yield positions.problem(
                ("trust",),
                f"`trust: access_key` needs `{name}`",
                f"Add `{name}: env:NAME` or `{name}: file:PATH`, or use `trust: saml`, which needs no key.",
            )
        elif account.trust != "access_key" and present:
            yield positions.problem((name,), f"`trust: {account.trust}` never uses `{name}`", "Remove it.", at_key=True)
    if account.trust == "access_key":
        yield positions.problem(
            ("trust",),
            "this account is entered with a long-term AccessKey, which works for whoever copies it",
            "Prefer `trust: saml`. Else let its RAM policy allow sts:AssumeRole only, and only from this network.",
            severity="warning",
            kind="long-term-key",
        )


def _find_role_problems(account: Account, positions: Positions) -> Iterator[Problem]:
    for role, seconds in account.role_max_duration_seconds.items():
        loc: Loc = ("role_max_duration_seconds", role)
        if not _RAM_NAME.fullmatch(role):
            yield positions.problem(
                loc, f"{role!r} is not the name of a RAM role", "Write its name, not its ARN.", at_key=True
            )
        if not MIN_ROLE_MAX_DURATION_SECONDS <= seconds <= MAX_ROLE_MAX_DURATION_SECONDS:
            yield positions.problem(
                loc,
                f"RAM has no role with a MaxSessionDuration of {seconds} s",
                f"Write what the role says: {MIN_ROLE_MAX_DURATION_SECONDS} to {MAX_ROLE_MAX_DURATION_SECONDS}.",
            )


def _find_console_problems(account: Account, positions: Positions, *, development: bool) -> Iterator[Problem]:
    console = account.custom_console
    if console is None:
        return
    if account.console != "saml" and not (console.federation_url and console.home_url):
        yield positions.problem(
            ("console",),
            f"`console: {account.console}` needs addresses that `custom_console` does not have",
            "Add `federation_url` and `home_url` to `custom_console`, or write `console: saml`.",
        )
    if not development:
        yield positions.problem(
            ("custom_console",),
            "sign-in forms for this account go to addresses that are not Alibaba Cloud's own",
            "Remove `custom_console`; it is for the sandbox.",
            severity="warning",
            kind="insecure",
        )
    for name in ("role_sso_url", "user_sso_url", "federation_url", "home_url"):
        url = getattr(console, name)
        if url is None:
            continue
        yield from find_url_problems(url, positions, ("custom_console", name), development=development)
    for number, source in enumerate(console.form_action):
        if not _FORM_ACTION.fullmatch(source):
            yield positions.problem(
                ("custom_console", "form_action", number),
                f"{source!r} is not an origin",
                "Write scheme, host and port only, such as https://signin.example.com.",
            )


def find_rule_problems(
    document: RuleDocument, providers: Collection[str], accounts: Mapping[str, Account | None]
) -> Iterator[Problem]:
    """Yield what a rule file refers to that does not exist, and limits that can never be reached.

    ``accounts`` has None for an account whose own file cannot be used.
    """
    for number, entry in document.entries:
        loc: Loc = ("rules", number)
        for place, provider in enumerate(entry.provider or ()):
            if provider not in providers:
                yield _unknown(document.positions, (*loc, "provider", place), "provider", provider, providers)
        for place, target in enumerate(entry.deny or ()):
            if target.account is not None and target.account not in accounts:
                yield _unknown(
                    document.positions, (*loc, "deny", place, "account"), "account", target.account, accounts
                )
        for place, grant in enumerate(entry.grant or ()):
            if grant.account is not None and grant.account not in accounts:
                yield _unknown(
                    document.positions, (*loc, "grant", place, "account"), "account", grant.account, accounts
                )
                continue
            for name in find_accounts(grant, accounts):
                at = (*loc, "grant", place)
                yield from _find_duration_problems(grant, accounts[name], document.positions, at)
                yield from _find_role_list_problems(grant, accounts[name], document.positions, at)


def find_people_problems(
    key: str, entries: Iterable[AdministratorEntry], positions: Positions, providers: Collection[str]
) -> Iterator[Problem]:
    """Yield the providers that do not exist in what ``bridge.yaml`` says under ``administrators`` or ``auditors``."""
    for number, entry in enumerate(entries):
        for place, provider in enumerate(entry.provider or ()):
            if provider not in providers:
                loc = (key, number, "provider", place)
                yield _unknown(positions, loc, "provider", provider, providers)


def _find_role_list_problems(
    grant: RoleGrant | UserGrant, account: Account | None, positions: Positions, loc: Loc
) -> Iterator[Problem]:
    """Roles that the account does not list, and names that claims make up where it lists none (threat MAP-03)."""
    if account is None:
        return
    for place, role in grant.role_names:
        if "${" in role and account.roles is None:
            yield positions.problem(
                (*loc, *place),
                f"a claim decides which role this is, and the account {account.name} does not list its roles",
                f"List under `roles` in the file of {account.name} which ones may be granted.",
                severity="warning",
                kind="role-from-claim",
            )
        elif "${" not in role and account.roles is not None and role not in account.roles:
            yield positions.problem(
                (*loc, *place),
                f"the account {account.name} does not list the role {role}",
                f"Write one of: {', '.join(account.roles)}; or add it to `roles` in the account's file.",
                kind="unknown-role",
            )


def _find_duration_problems(
    grant: RoleGrant | UserGrant, account: Account | None, positions: Positions, loc: Loc
) -> Iterator[Problem]:
    at = (*loc, "duration_seconds")
    seconds = grant.duration_seconds
    if seconds < SHORT_DURATION_SECONDS:
        yield positions.problem(
            at,
            f"sessions of {seconds} s are so short that several SDKs ask for new ones on each call",
            f"Write {SHORT_DURATION_SECONDS} or more, unless that is what you want.",
            severity="warning",
            kind="short-session",
        )
    if account is None or "duration_seconds" not in grant.model_fields_set:
        return
    limits = {f"the account {account.name} (`max_duration_seconds`)": account.max_duration_seconds}
    for _, role in grant.role_names:
        of_role = account.role_max_duration_seconds.get(role, DEFAULT_ROLE_MAX_DURATION_SECONDS)
        limits[f"the role {role} (`role_max_duration_seconds` of the account)"] = of_role
    owner, limit = min(limits.items(), key=lambda item: item[1])
    if seconds > limit:
        yield positions.problem(
            at,
            f"{seconds} s is never reached: {owner} allows {limit} s",
            f"Write {limit} or less, or raise the other limit to what RAM says.",
            severity="warning",
            kind="duration-never-reached",
        )


def find_url_problems(
    url: str, positions: Positions, loc: Loc, *, development: bool, origin: bool = False
) -> Iterator[Problem]:
    """Yield what is wrong with an address that stands at ``loc``; an ``origin`` has no path."""
    parts = split_web_url(url)
    if parts is None:
        yield positions.problem(loc, f"`{loc[-1]}` is not a web address", "Write https://host or https://host/path.")
        return
    if origin and (parts.path or parts.query or parts.fragment):
        yield positions.problem(loc, f"`{loc[-1]}` must not have a path", f"Write {parts.scheme}://{parts.netloc}.")
    if parts.scheme == "http" and not development:
        yield positions.problem(
            loc,
            f"`{loc[-1]}` is plain http, which anybody on the way can read and change",
            "Write an https address, or set `development: true` in bridge.yaml on a machine that serves nobody.",
            kind="insecure",
        )


def _unknown(positions: Positions, loc: Loc, kind: str, name: str, known: Collection[str]) -> Problem:
    names = ", ".join(sorted(known)) or "none"
    return positions.problem(
        loc, f"there is no {kind} named `{name}`", f"Write one of: {names}.", kind=f"unknown-{kind}"
    )
