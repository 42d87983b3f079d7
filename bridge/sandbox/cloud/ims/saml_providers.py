"""SAML identity providers: an administrator uploads their metadata as base64."""

import base64
import binascii
from typing import Any, Literal

from bridge.clock import format_utc
from bridge.sandbox.cloud.entities import Account, SAMLProvider
from bridge.sandbox.cloud.management.faults import already_exists, invalid_length, limit_exceeded, not_found
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import (
    Parameters,
    find_named,
    is_taken,
    list_page,
    read_name,
    read_required,
    read_text,
    replace_named,
)
from bridge.sandbox.cloud.saml_metadata import parse_idp_metadata
from bridge.sts_wire.reply import STSFault, Value, build_malformed

MAX_PROVIDERS = 100
MAX_METADATA_CHARACTERS = 100_000
"""Encoded. Not documented; far more than the metadata of one provider."""
Algorithm = Literal["rsa-sha1", "rsa-sha256"]


def _create(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    name = read_name(parameters, "SAMLProviderName", 128)
    metadata = read_metadata(parameters, "EncodedSAMLMetadataDocument")
    if is_taken(account.saml_providers, name):
        raise already_exists("SAMLProvider", name)
    if len(account.saml_providers) >= MAX_PROVIDERS:
        raise limit_exceeded("SAMLProvider", MAX_PROVIDERS)
    provider = SAMLProvider(
        name=name,
        description=read_text(parameters, "Description", 256),
        metadata=metadata,
        authn_sign_algorithm=read_algorithm(parameters, "rsa-sha1"),
        created_at=request.now,
        updated_at=request.now,
    )
    changed = account.model_copy(update={"saml_providers": (*account.saml_providers, provider)})
    return changed, {"SAMLProvider": _show(account, provider)}


def _get(request: Request) -> Result:
    provider = _find(request)
    document = base64.b64encode(request.load_metadata(provider)).decode()
    shown = {**_show(request.account, provider), "EncodedSAMLMetadataDocument": document}
    return request.account, {"SAMLProvider": shown}


def _update(request: Request) -> Result:
    account, parameters = request.account, request.parameters
    provider = _find(request)
    changes: dict[str, Any] = {
        "description": read_text(parameters, "NewDescription", 256, provider.description),
        "authn_sign_algorithm": read_algorithm(parameters, provider.authn_sign_algorithm),
        "updated_at": request.now,
    }
    if "NewEncodedSAMLMetadataDocument" in parameters:
        changes |= {"metadata": read_metadata(parameters, "NewEncodedSAMLMetadataDocument"), "metadata_url": None}
    changed = provider.model_copy(update=changes)
    providers = replace_named(account.saml_providers, provider.name, changed)
    return account.model_copy(update={"saml_providers": providers}), {"SAMLProvider": _show(account, changed)}


def _list(request: Request) -> Result:
    account = request.account

    def show(provider: SAMLProvider) -> dict[str, Value]:
        return {name: value for name, value in _show(account, provider).items() if name != "AuthnSignAlgo"}

    return account, list_page(request.parameters, account.saml_providers, "SAMLProvider", show)


def _delete(request: Request) -> Result:
    account = request.account
    providers = replace_named(account.saml_providers, _find(request).name)
    return account.model_copy(update={"saml_providers": providers}), {}


def _find(request: Request) -> SAMLProvider:
    name = read_name(request.parameters, "SAMLProviderName", 128)
    provider = find_named(request.account.saml_providers, name)
    if provider is None:
        raise not_found("SAMLProvider", name)
    return provider


def read_metadata(parameters: Parameters, name: str) -> str:
    """Return the uploaded metadata, which describes one identity provider with a signing certificate."""
    encoded = read_required(parameters, name)
    if len(encoded) > MAX_METADATA_CHARACTERS:
        raise invalid_length(name)
    try:
        document = base64.b64decode(encoded, validate=True)
        parse_idp_metadata(document)
        return document.decode()
    except (ValueError, binascii.Error, STSFault) as error:
        raise build_malformed(name, f"The parameter {name} is not the metadata of an identity provider.") from error


def read_algorithm(parameters: Parameters, default: Algorithm) -> Algorithm:
    """Return ``AuthnSignAlgo``, or the default where it was not sent."""
    match parameters.get("AuthnSignAlgo", default):
        case "rsa-sha1" | "rsa-sha256" as algorithm:
            return algorithm
        case _:
            raise build_malformed("AuthnSignAlgo")


def _show(account: Account, provider: SAMLProvider) -> dict[str, Value]:
    return {
        "SAMLProviderName": provider.name,
        "Arn": str(account.build_arn("saml-provider", provider.name)),
        "Description": provider.description,
        "AuthnSignAlgo": provider.authn_sign_algorithm,
        "CreateDate": format_utc(provider.created_at),
        "UpdateDate": format_utc(provider.updated_at),
    }


_RESOURCE = "saml-provider/{SAMLProviderName}"
OPERATIONS = {
    "CreateSAMLProvider": declare(
        _create, _RESOURCE, "SAMLProviderName", "EncodedSAMLMetadataDocument", "Description", "AuthnSignAlgo"
    ),
    "GetSAMLProvider": declare(_get, _RESOURCE, "SAMLProviderName"),
    "UpdateSAMLProvider": declare(
        _update, _RESOURCE, "SAMLProviderName", "NewEncodedSAMLMetadataDocument", "NewDescription", "AuthnSignAlgo"
    ),
    "ListSAMLProviders": declare(_list, "saml-provider/*", "Marker", "MaxItems"),
    "DeleteSAMLProvider": declare(_delete, _RESOURCE, "SAMLProviderName"),
}
