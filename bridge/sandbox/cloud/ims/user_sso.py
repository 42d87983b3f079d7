"""Sign-in of RAM users by the company's identity provider: the account's settings for it, and its default domain."""

import base64

from bridge.sandbox.cloud.entities import UserSSO
from bridge.sandbox.cloud.ims.saml_providers import read_algorithm, read_metadata
from bridge.sandbox.cloud.management.operation import Request, Result, declare
from bridge.sandbox.cloud.management.parameters import read_flag, read_text
from bridge.sts_wire.reply import Fields, build_missing_common


def _set(request: Request) -> Result:
    """Change what is sent; without metadata there is nothing to switch on."""
    account, parameters = request.account, request.parameters
    before = account.user_sso
    if "MetadataDocument" in parameters:
        source: dict[str, str | None] = {"metadata": read_metadata(parameters, "MetadataDocument")}
    elif before is not None:
        source = {"metadata": before.metadata, "metadata_url": before.metadata_url}
    else:
        raise build_missing_common("MetadataDocument")
    settings = UserSSO.model_validate(
        {
            **source,
            "enabled": read_flag(parameters, "SsoEnabled", default=before.enabled if before else False),
            "login_with_domain": read_flag(
                parameters, "SsoLoginWithDomain", default=before.login_with_domain if before else True
            ),
            "auxiliary_domain": read_text(
                parameters, "AuxiliaryDomain", 64, (before.auxiliary_domain if before else None) or ""
            )
            or None,
            "authn_sign_algorithm": read_algorithm(parameters, before.authn_sign_algorithm if before else "rsa-sha1"),
        }
    )
    changed = account.model_copy(update={"user_sso": settings})
    return changed, {"UserSsoSettings": _show(request, settings)}


def _get(request: Request) -> Result:
    settings = request.account.user_sso
    nothing: Fields = {"SsoEnabled": False, "MetadataDocument": "", "AuxiliaryDomain": "", "SsoLoginWithDomain": True}
    return request.account, {"UserSsoSettings": _show(request, settings) if settings else nothing}


def _get_default_domain(request: Request) -> Result:
    return request.account, {"DefaultDomainName": f"{request.account.alias}.onaliyun.com"}


def _show(request: Request, settings: UserSSO) -> Fields:
    document = request.load_metadata(settings)
    return {
        "SsoEnabled": settings.enabled,
        "MetadataDocument": base64.b64encode(document).decode(),
        "AuxiliaryDomain": settings.auxiliary_domain or "",
        "SsoLoginWithDomain": settings.login_with_domain,
        "AuthnSignAlgo": settings.authn_sign_algorithm,
    }


OPERATIONS = {
    "SetUserSsoSettings": declare(
        _set, "*", "SsoEnabled", "MetadataDocument", "AuxiliaryDomain", "SsoLoginWithDomain", "AuthnSignAlgo"
    ),
    "GetUserSsoSettings": declare(_get, "*"),
    "GetDefaultDomain": declare(_get_default_domain, "*"),
}
