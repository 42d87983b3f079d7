"""Providers whose tenants share keys, as Entra ID's do (OIDC-13): whoever has a tenant can have tokens signed."""

import json
from dataclasses import replace
from functools import cache

import pytest

from bridge.attack.oidc.cases_logout_token import forge_logout
from bridge.attack.oidc.cases_tenants import MALLORYS, OURS, SISTER, TEMPLATE, TOKENS, issuer
from bridge.attack.oidc.openid_provider import DISCOVERY, OpenIDProvider
from bridge.attack.oidc.tokens import ABSENT, Keys, expected, forge, keys
from bridge.attack.scripted_server import Request
from bridge.errors import OIDCIssuer, OIDCKeyId, OIDCMetadata, OIDCMixUp, OIDCTenant
from bridge.identity.oidc.discovery import WELL_KNOWN
from bridge.identity.oidc.id_token import verify_id_token
from bridge.identity.oidc.key_set import parse_key_set
from bridge.identity.oidc.logout_token import verify_logout_token
from bridge.identity.providers import TENANT
from tests.attacks.oidc.refusal import assert_refused_unlike_its_twin, corpus
from tests.attacks.oidc.test_flow import changed, relying_party, sign_in
from tests.attacks.oidc.test_logout_token import expect


@cache
def key_set(restricted_to):
    entry = keys().rsa.as_dict(private=False)
    return Keys(parse_key_set(json.dumps({"keys": [entry | {"issuer": restricted_to}]}).encode()))


def verify(restricted_to=TEMPLATE, **claims):
    question = expected(issuer=TEMPLATE, tenants=(OURS, SISTER))
    question = replace(question, keys=key_set(restricted_to))
    return verify_id_token(forge({"iss": issuer(OURS), "tid": OURS} | claims), question)


@corpus(TOKENS)
def test_a_token_of_no_listed_tenant_is_refused_unlike_its_twin(case):
    assert_refused_unlike_its_twin(case)
    for tenant in (OURS, SISTER):
        identity = verify(iss=issuer(tenant), tid=tenant)
        assert (identity.issuer, identity.subject) == (issuer(tenant), "ada")


@pytest.mark.parametrize(
    "restricted_to",
    [issuer(MALLORYS), issuer(SISTER), issuer("common"), TEMPLATE + "/", "", "https://login.evil.example/{tenantid}"],
)
def test_t_oidc_13_a_key_signs_for_its_own_issuer_only(restricted_to):
    with pytest.raises(OIDCTenant):
        verify(restricted_to)
    for honest in (TEMPLATE, issuer(OURS)):
        assert verify(honest).subject == "ada"


def end(restricted_to=TEMPLATE, **claims):
    settings = {"issuer": TEMPLATE, "tenants": (OURS, SISTER)}
    question = replace(expect(**settings), keys=key_set(restricted_to))
    return verify_logout_token(forge_logout({"iss": issuer(OURS)} | claims), question)


@pytest.mark.parametrize("tenant", [OURS, SISTER])
def test_a_listed_tenant_ends_its_own_sessions(tenant):
    assert end(iss=issuer(tenant)).issuer == issuer(tenant)


@pytest.mark.parametrize("iss", [issuer(MALLORYS), TEMPLATE, issuer(""), issuer(OURS) + "/", [issuer(OURS)], ABSENT])
def test_t_oidc_15_nobody_but_a_listed_tenant_ends_a_session(iss):
    with pytest.raises(OIDCIssuer):
        end(iss=iss)
    assert end().issuer == issuer(OURS)


@pytest.mark.parametrize("restricted_to", [issuer(MALLORYS), issuer(SISTER)])
def test_t_oidc_15_a_key_of_another_tenant_ends_no_session(restricted_to):
    with pytest.raises(OIDCTenant):
        end(restricted_to)
    assert end(issuer(OURS)).issuer == issuer(OURS)


@pytest.mark.parametrize("restricted_to", [7, [TEMPLATE], {"iss": TEMPLATE}, True])
def test_t_oidc_13_a_key_for_nobody_in_particular_is_skipped(restricted_to):
    ours, strange = keys().ec.as_dict(private=False), keys().rsa.as_dict(private=False)
    entries = [ours, strange | {"issuer": restricted_to}]
    assert parse_key_set(json.dumps({"keys": entries}).encode()).by_id.keys() == {"ec"}


def test_t_oidc_13_one_key_for_two_issuers_is_for_neither():
    entry = keys().rsa.as_dict(private=False)
    entries = [entry | {"issuer": issuer(tenant)} for tenant in (OURS, MALLORYS)]
    question = replace(
        expected(issuer=TEMPLATE, tenants=(OURS,)),
        keys=Keys(parse_key_set(json.dumps({"keys": entries}).encode())),
    )
    with pytest.raises(OIDCKeyId):
        verify_id_token(forge({"iss": issuer(OURS), "tid": OURS}), question)


def test_an_issuer_without_a_place_for_a_tenant_does_not_look_at_tid():
    assert verify_id_token(forge({"tid": MALLORYS}), expected()).subject == "ada"


# ── The whole flow ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def op():
    """Return a provider whose document stands where no tenant's is, and that says no ``iss`` in the callback."""
    with OpenIDProvider() as running:
        running.issuer = f"{running.url}/{TENANT}/v2.0"
        running.metadata = {"authorization_response_iss_parameter_supported": None}
        document = running.answer(Request("GET", DISCOVERY, [], {}, b""))
        running.replies[f"/organizations/v2.0{WELL_KNOWN}"] = document
        yield running


def come_from(op, tenant, query=None):
    op.claims = {"iss": op.issuer.replace(TENANT, tenant), "tid": tenant}
    party = relying_party(op, tenants=(OURS, SISTER))
    return sign_in(op, party, changed(iss=query and op.issuer.replace(TENANT, query)))


def test_people_of_each_listed_tenant_sign_in(op):
    for tenant in (OURS, SISTER):
        assert come_from(op, tenant).issuer == f"{op.url}/{tenant}/v2.0"
        assert come_from(op, tenant, query=tenant).subject == "ada"
    with pytest.raises(OIDCTenant):
        come_from(op, MALLORYS)


@pytest.mark.parametrize("named", [MALLORYS, TENANT, "common"])
def test_t_oidc_18_an_answer_by_another_tenant_is_a_mix_up(op, named):
    with pytest.raises(OIDCMixUp):
        come_from(op, OURS, query=named)


@pytest.mark.parametrize("tenant", [OURS, "organizations"])
def test_t_oidc_21_a_document_of_one_tenant_does_not_speak_for_all(op, tenant):
    template, op.issuer = op.issuer, op.issuer.replace(TENANT, tenant)
    op.replies[f"/organizations/v2.0{WELL_KNOWN}"] = op.answer(Request("GET", DISCOVERY, [], {}, b""))
    with pytest.raises(OIDCMetadata):
        sign_in(op, relying_party(op, issuer=template, tenants=(OURS,)))
