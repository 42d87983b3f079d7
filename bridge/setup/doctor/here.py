"""The checks of this installation itself: keys, certificates, the store, and what we publish."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from socket import SOCK_STREAM, gaierror, getaddrinfo
from urllib.parse import urlsplit

from bridge.errors import BridgeError, FetchFailed, FetchRefused, KeyMissing, KeyUnusable
from bridge.exchange.metadata import build_discovery, build_jwks, entity_id
from bridge.identity.endings import (
    WARN_DAYS,
    Ending,
    describe_end,
    find_key_endings,
    find_provider_endings,
    read_status,
)
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.keys import PURPOSES, KeyFolder, SigningKey
from bridge.outbound import Outbound
from bridge.setup.doctor.finding import Finding, Result
from bridge.setup.metadata import same_metadata

_OK = 200


def check_keys(keys: KeyFolder, now: datetime) -> Iterator[Finding]:
    """Yield whether every key is there and readable, and which end or have ended."""
    try:
        described = keys.describe()
        missing = [
            each for each in PURPOSES if not any((row.purpose, row.slot) == (each, "current") for row in described)
        ]
    except (KeyMissing, KeyUnusable) as error:
        yield Finding("keys", "our keys", "failed", error.detail, "Run `rambridge keys list`, and mend what it names.")
        return
    if missing:
        yield Finding("keys", "our keys", "failed", f"missing: {', '.join(missing)}", "Run `rambridge keys create`.")
        return
    advice = "Run `rambridge keys rotate PURPOSE` (twice where the next key ends too), then `rambridge setup apply`."
    yield from _check_endings("keys", "our keys", find_key_endings(described), now, advice)


def check_providers(
    providers: Iterable[SAMLProvider | OIDCProvider], data_folder: Path, now: datetime
) -> Iterator[Finding]:
    """Yield for each identity provider whether its metadata can be used, and which of its certificates end."""
    for provider in providers:
        status = read_status(provider, data_folder, now)
        if isinstance(provider, OIDCProvider):
            continue
        if status.fault and status.metadata is None:
            advice = "Start the service once, so that it fetches them; or correct `metadata`."
            yield Finding("certificates", provider.name, "warning", status.fault, advice)
            continue
        advice = "Get the provider's next certificate: docs/operating.md, “When the provider gets a new certificate”."
        yield from _check_endings("certificates", provider.name, find_provider_endings(status, now), now, advice)


def check_reachable(check: str, subject: str, ask: Callable[[], object], advice: str) -> Finding:
    """Return whether something answers; what it answers does not matter. ``ask`` raises an error of the tree."""
    try:
        ask()
    except BridgeError as error:
        return Finding(check, subject, "failed", error.detail, advice)
    return Finding(check, subject, "ok", "it answers")


def check_published_metadata(outbound: Outbound, public_url: str, ours: bytes) -> Finding:
    """Return whether the running service publishes the metadata that our keys make."""
    address = entity_id(public_url)
    try:
        answer = outbound.get(address)
    except (FetchFailed, FetchRefused) as error:
        advice = "Start the service; if it runs, see the proxy and the name: people cannot reach it either."
        return Finding("published-metadata", "our metadata", "warning", error.detail, advice)
    if answer.status == _OK and same_metadata(answer.body, ours):
        return Finding("published-metadata", "our metadata", "ok", "it is what our keys make")
    advice = "Restart the service: keys were changed since it started, or another node has other keys."
    return Finding(
        "published-metadata", address, "failed", f"status {answer.status}, and not what our keys make", advice
    )


def check_discovery(outbound: Outbound, public_url: str, keys: tuple[SigningKey, ...]) -> Iterator[Finding]:
    """Yield whether STS can have our discovery document and keys, as far as that can be told from here."""
    address = f"{public_url}/.well-known/openid-configuration"
    jwks_url = f"{public_url}/cloud/oidc/keys"
    try:
        document = parse_object(outbound.get(address).body)
        published = parse_object(outbound.get(jwks_url).body)
    except (FetchFailed, FetchRefused) as error:
        advice = "STS fetches our keys from this address: start the service, and let its proxy answer the internet."
        yield Finding("discovery", "our issuer", "failed", error.detail, advice)
        return
    except ValueError:
        yield Finding(
            "discovery", address, "failed", "no JSON object", "Let the proxy pass this path on to the service."
        )
        return
    if (
        document.get("issuer") != public_url
        or document.get("jwks_uri") != build_discovery(public_url, jwks_url)["jwks_uri"]
    ):
        found = f"it speaks for {document.get('issuer')!r}"
        yield Finding("discovery", address, "failed", found, "Let this address lead to this service.")
    elif published != build_jwks(keys):
        advice = "Restart the service: keys were changed since it started, or another node has other keys."
        yield Finding("discovery", jwks_url, "failed", "the keys are not those of our key folder", advice)
    else:
        yield Finding("discovery", address, "ok", "issuer and keys are ours")
    yield _check_public(public_url)


def _check_public(public_url: str) -> Finding:
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        return Finding(
            "discovery", host, "warning", "http: only the sandbox takes that", "Use https for a real account."
        )
    try:
        addresses = sorted({str(each[4][0]) for each in getaddrinfo(host, parts.port or 443, type=SOCK_STREAM)})
    except (gaierror, UnicodeError):
        return Finding(
            "discovery", host, "failed", "the name does not resolve here", "Correct `public_url`, or the DNS."
        )
    private = [each for each in addresses if not ip_address(each.partition("%")[0]).is_global]
    if private:
        advice = "See that the internet's DNS has a public address for it: STS must reach it."
        return Finding("discovery", host, "warning", f"here it is {', '.join(private)}, a private address", advice)
    return Finding("discovery", host, "ok", f"a public name: {', '.join(addresses)}")


def _check_endings(
    check: str, subject: str, endings: Iterable[Ending], now: datetime, advice: str
) -> Iterator[Finding]:
    near = False
    for ending in endings:
        if ending.find_bound(now) is not None:
            near = True
            result: Result = "failed" if ending.at <= now else "warning"
            yield Finding(check, subject, result, f"{ending.what} {describe_end(ending.at, now)}", advice)
    if not near:
        yield Finding(check, subject, "ok", f"none ends within {WARN_DAYS[-1]} days")
