"""OIDC identity providers: an issuer, who may be the audience of its tokens, and the prints of its certificates.

The live service wants ``https``. The sandbox also takes ``http`` where the issuer is on this machine, as the demo's is.
"""

import re
from typing import Any

from bridge.clock import format_utc
from bridge.sandbox.cloud.entities import Account, OIDCProvider
from bridge.sandbox.cloud.management.faults import already_exists, invalid_length, limit_exceeded, not_found
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import (
    Parameters,
    find_named,
    is_taken,
    list_page,
    read_name,
    read_number,
    read_required,
    read_text,
    replace_named,
)
from bridge.sts_wire.reply import Fields, build_malformed

MAX_PROVIDERS = 100
MAX_CLIENT_IDS = 20
MAX_FINGERPRINTS = 5
_LONGEST_ISSUER = 255
_ISSUER = re.compile(r"(https://|http://(localhost|127\.0\.0\.1)[:/])[^\s?#@]+")
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/_-]{0,127}")
_FINGERPRINT = re.compile(r"[A-Za-z0-9]{1,128}")
_DEFAULT_HOURS, _MAX_HOURS = 12, 168


def _create(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    name = read_name(parameters, "OIDCProviderName", 128)
    issuer = _read_issuer(parameters)
    client_ids = _read_all(parameters, "ClientIds", _CLIENT_ID)
    fingerprints = _read_all(parameters, "Fingerprints", _FINGERPRINT) if "Fingerprints" in parameters else ()
    if is_taken(account.oidc_providers, name) or any(each.issuer == issuer for each in account.oidc_providers):
        raise already_exists("OIDCProvider", name)
    if len(account.oidc_providers) >= MAX_PROVIDERS:
        raise limit_exceeded("OIDCProvider", MAX_PROVIDERS)
    _check_counts(client_ids, fingerprints)
    provider = OIDCProvider(
        name=name,
        description=read_text(parameters, "Description", 256),
        issuer=issuer,
        client_ids=client_ids,
        fingerprints=fingerprints,
        issuance_limit_hours=read_number(parameters, "IssuanceLimitTime", 1, _MAX_HOURS, _DEFAULT_HOURS),
        created_at=request.now,
        updated_at=request.now,
    )
    changed = account.model_copy(update={"oidc_providers": (*account.oidc_providers, provider)})
    return changed, {"OIDCProvider": _show(account, provider)}


def _get(request: Request) -> Result:
    return request.account, {"OIDCProvider": _show(request.account, _find(request))}


def _update(request: Request) -> Result:
    parameters, provider = request.parameters, _find(request)
    client_ids = _read_all(parameters, "ClientIds", _CLIENT_ID) if "ClientIds" in parameters else provider.client_ids
    return _change(
        request,
        provider,
        description=read_text(parameters, "NewDescription", 256, provider.description),
        client_ids=client_ids,
        issuance_limit_hours=read_number(parameters, "IssuanceLimitTime", 1, _MAX_HOURS, provider.issuance_limit_hours),
    )


def _list(request: Request) -> Result:
    account = request.account
    return account, list_page(
        request.parameters, account.oidc_providers, "OIDCProvider", lambda each: _show(account, each)
    )


def _delete(request: Request) -> Result:
    providers = replace_named(request.account.oidc_providers, _find(request).name)
    return request.account.model_copy(update={"oidc_providers": providers}), {}


def _add_client_id(request: Request) -> Result:
    provider = _find(request)
    (client_id,) = _read_one(request.parameters, "ClientId", _CLIENT_ID)
    return _change(request, provider, client_ids=tuple(dict.fromkeys((*provider.client_ids, client_id))))


def _remove_client_id(request: Request) -> Result:
    """Remove a client ID; the last one stays, since a provider without any could not be used."""
    provider = _find(request)
    (client_id,) = _read_one(request.parameters, "ClientId", _CLIENT_ID)
    rest = tuple(each for each in provider.client_ids if each != client_id)
    if not rest:
        raise build_malformed("ClientId", "A provider needs at least one client ID.")
    return _change(request, provider, client_ids=rest)


def _add_fingerprint(request: Request) -> Result:
    provider = _find(request)
    (fingerprint,) = _read_one(request.parameters, "Fingerprint", _FINGERPRINT)
    return _change(request, provider, fingerprints=tuple(dict.fromkeys((*provider.fingerprints, fingerprint))))


def _remove_fingerprint(request: Request) -> Result:
    provider = _find(request)
    (fingerprint,) = _read_one(request.parameters, "Fingerprint", _FINGERPRINT)
    rest = tuple(each for each in provider.fingerprints if each != fingerprint)
    return _change(request, provider, fingerprints=rest)


def _change(request: Request, provider: OIDCProvider, **changes: Any) -> Result:
    account = request.account
    changed = provider.model_copy(update={**changes, "updated_at": request.now})
    _check_counts(changed.client_ids, changed.fingerprints)
    providers = replace_named(account.oidc_providers, provider.name, changed)
    return account.model_copy(update={"oidc_providers": providers}), {"OIDCProvider": _show(account, changed)}


def _find(request: Request) -> OIDCProvider:
    name = read_name(request.parameters, "OIDCProviderName", 128)
    provider = find_named(request.account.oidc_providers, name)
    if provider is None:
        raise not_found("OIDCProvider", name)
    return provider


def _read_issuer(parameters: Parameters) -> str:
    issuer = read_required(parameters, "IssuerUrl")
    if len(issuer) > _LONGEST_ISSUER:
        raise invalid_length("IssuerUrl")
    if not _ISSUER.fullmatch(issuer):
        raise build_malformed("IssuerUrl")
    return issuer


def _read_all(parameters: Parameters, name: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Return the values of a list with commas, each once."""
    values = tuple(dict.fromkeys(read_required(parameters, name).split(",")))
    if not all(pattern.fullmatch(value) for value in values):
        raise build_malformed(name)
    return values


def _read_one(parameters: Parameters, name: str, pattern: re.Pattern[str]) -> tuple[str]:
    value = read_required(parameters, name)
    if not pattern.fullmatch(value):
        raise build_malformed(name)
    return (value,)


def _check_counts(client_ids: tuple[str, ...], fingerprints: tuple[str, ...]) -> None:
    if len(client_ids) > MAX_CLIENT_IDS:
        raise limit_exceeded("OIDCProvider.ClientId", MAX_CLIENT_IDS)
    if len(fingerprints) > MAX_FINGERPRINTS:
        raise limit_exceeded("OIDCProvider.Fingerprint", MAX_FINGERPRINTS)


def _show(account: Account, provider: OIDCProvider) -> Fields:
    return {
        "OIDCProviderName": provider.name,
        "Arn": str(account.build_arn("oidc-provider", provider.name)),
        "Description": provider.description,
        "IssuerUrl": provider.issuer,
        "ClientIds": ",".join(provider.client_ids),
        "Fingerprints": ",".join(provider.fingerprints),
        "IssuanceLimitTime": provider.issuance_limit_hours,
        "CreateDate": format_utc(provider.created_at),
        "UpdateDate": format_utc(provider.updated_at),
        "GmtCreate": str(int(provider.created_at.timestamp() * 1000)),
        "GmtModified": str(int(provider.updated_at.timestamp() * 1000)),
    }


_RESOURCE = "oidc-provider/{OIDCProviderName}"
OPERATIONS = {
    "CreateOIDCProvider": declare(
        _create,
        _RESOURCE,
        "OIDCProviderName", "IssuerUrl", "ClientIds", "Fingerprints", "IssuanceLimitTime", "Description",
    ),
    "GetOIDCProvider": declare(_get, _RESOURCE, "OIDCProviderName"),
    "UpdateOIDCProvider": declare(
        _update, _RESOURCE, "OIDCProviderName", "NewDescription", "ClientIds", "IssuanceLimitTime"
    ),
    "ListOIDCProviders": declare(_list, "oidc-provider/*", "Marker", "MaxItems"),
    "DeleteOIDCProvider": declare(_delete, _RESOURCE, "OIDCProviderName"),
    "AddClientIdToOIDCProvider": declare(_add_client_id, _RESOURCE, "OIDCProviderName", "ClientId"),
    "RemoveClientIdFromOIDCProvider": declare(_remove_client_id, _RESOURCE, "OIDCProviderName", "ClientId"),
    "AddFingerprintToOIDCProvider": declare(_add_fingerprint, _RESOURCE, "OIDCProviderName", "Fingerprint"),
    "RemoveFingerprintFromOIDCProvider": declare(
        _remove_fingerprint, _RESOURCE, "OIDCProviderName", "Fingerprint"
    ),
}  # fmt: skip
