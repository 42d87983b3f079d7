"""All hostile cases of OpenID Connect."""

from bridge.attack.case import Case
from bridge.attack.oidc import (
    cases_claims,
    cases_flow,
    cases_form,
    cases_hashes,
    cases_logout_token,
    cases_pushed,
    cases_signature,
    cases_tenants,
    cases_userinfo,
)

TOKENS = [
    *cases_signature.TOKENS,
    *cases_form.TOKENS,
    *cases_claims.TOKENS,
    *cases_hashes.TOKENS,
    *cases_tenants.TOKENS,
]
CASES: list[Case] = [
    *TOKENS,
    *cases_logout_token.LOGOUT_TOKENS,
    *cases_flow.CALLBACKS,
    *cases_flow.TOKEN_RESPONSES,
    *cases_flow.TOKEN_MEMBERS,
    *cases_flow.METADATA,
    *cases_flow.DOCUMENTS,
    *cases_flow.KEY_SETS,
    *cases_pushed.PUSHED,
    *cases_userinfo.USERINFO,
]
