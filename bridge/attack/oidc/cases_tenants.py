"""Hostile tokens of providers whose tenants share keys, as Entra ID's do (OIDC-13)."""

from typing import Any

from bridge.attack.oidc.corpus import row
from bridge.attack.oidc.tokens import ABSENT, forge
from bridge.errors import IdentityError, OIDCIssuer, OIDCTenant
from bridge.identity.providers import TENANT

OURS = "11111111-2222-3333-4444-5555aaaabbbb"
SISTER = "66666666-2222-3333-4444-5555aaaabbbb"
MALLORYS = "99999999-2222-3333-4444-5555aaaabbbb"
TEMPLATE = "https://login.example/{tenantid}/v2.0"


def issuer(tenant: str) -> str:
    return TEMPLATE.replace(TENANT, tenant)


_HOSTILE: dict[str, tuple[type[IdentityError], dict[str, Any]]] = {
    "tenant not listed": (OIDCTenant, {"iss": issuer(MALLORYS), "tid": MALLORYS}),
    "iss of ours, tid not listed": (OIDCTenant, {"tid": MALLORYS}),
    "tid missing": (OIDCTenant, {"tid": ABSENT}),
    "tid null": (OIDCTenant, {"tid": None}),
    "tid empty": (OIDCTenant, {"iss": issuer(""), "tid": ""}),
    "tid an array": (OIDCTenant, {"tid": [OURS]}),
    "tid an object": (OIDCTenant, {"tid": {OURS: True}}),
    "tid in capitals": (OIDCTenant, {"iss": issuer(OURS.upper()), "tid": OURS.upper()}),
    "tid with a blank": (OIDCTenant, {"tid": OURS + " "}),
    "tid climbs": (OIDCTenant, {"iss": issuer(f"{OURS}/../{MALLORYS}"), "tid": f"{OURS}/../{MALLORYS}"}),
    "tid the placeholder": (OIDCTenant, {"iss": TEMPLATE, "tid": TENANT}),
    "tid the wildcard": (OIDCTenant, {"iss": issuer("common"), "tid": "common"}),
    "tid ours, iss not listed": (OIDCIssuer, {"iss": issuer(MALLORYS)}),
    "tid ours, iss the sister's": (OIDCIssuer, {"iss": issuer(SISTER)}),
    "iss the template": (OIDCIssuer, {"iss": TEMPLATE}),
    "iss of the shared document": (OIDCIssuer, {"iss": issuer("organizations")}),
    "iss longer": (OIDCIssuer, {"iss": issuer(OURS) + "/"}),
    "iss of another host": (OIDCIssuer, {"iss": issuer(OURS).replace("login.", "login-")}),
    "iss missing": (OIDCIssuer, {"iss": ABSENT}),
}


def _forge(**claims: Any) -> str:
    return forge({"iss": issuer(OURS), "tid": OURS} | claims)


TOKENS = [
    row("OIDC-13", name, error, lambda claims=claims: _forge(**claims), _forge, issuer=TEMPLATE, tenants=(OURS, SISTER))
    for name, (error, claims) in _HOSTILE.items()
]
