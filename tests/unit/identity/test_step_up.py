import pytest

from bridge.attack.saml.messages import make_provider
from bridge.identity.providers import OIDCProvider
from bridge.identity.step_up import StepUp, plan_step_up, tighten_oidc, tighten_saml
from tests.factories import make_identity

MFA, KEY = "https://refeds.org/profile/mfa", "urn:key"


def step_up(**changes):
    return StepUp(**{"entitlement": "0" * 16, "issuer": "https://idp.example", "subject": "ada"} | changes)


def make_oidc(**changes):
    settings = {"name": "corp", "title": "Corp", "protocol": "oidc", "issuer": "https://op.example", "client_id": "us"}
    return OIDCProvider.model_validate(settings | changes)


def test_only_what_the_provider_knows_is_asked_for_in_the_order_of_the_rule():
    provider = make_provider(step_up_contexts=[MFA, KEY, "urn:other"])
    plan = plan_step_up("e", make_identity(), provider, acr=("urn:unknown", KEY, MFA), max_age_seconds=None)
    assert (plan.acr, plan.anew) == ((KEY, MFA), False)
    assert plan.is_for(make_identity())
    assert not plan.is_for(make_identity(subject="other"))
    assert not plan.is_for(make_identity(issuer="https://other.example"))


@pytest.mark.parametrize(
    ("asked", "anew"), [({"acr": (MFA,)}, False), ({}, True), ({"acr": (MFA,), "max_age_seconds": 60}, True)]
)
def test_a_new_authentication_is_asked_for_where_age_counts_or_nothing_else_can_be_named(asked, anew):
    assert tighten_saml(make_provider(), step_up(**asked)).force_authn is anew
    assert tighten_oidc(make_oidc(), step_up(**asked)).prompt == ("login" if anew else None)


def test_without_a_step_up_the_settings_stay():
    for provider, tighten in ((make_provider(), tighten_saml), (make_oidc(), tighten_oidc)):
        assert tighten(provider, None) is provider


def test_what_the_settings_demand_is_never_lifted_but_for_the_contexts_that_are_asked_for():
    saml = tighten_saml(make_provider(requested_authn_contexts=[KEY], force_authn=True), step_up(acr=(MFA,)))
    assert (saml.requested_authn_contexts, saml.force_authn) == ((MFA,), True)
    saml = tighten_saml(make_provider(requested_authn_contexts=[KEY]), step_up(max_age_seconds=60))
    assert saml.requested_authn_contexts == (KEY,)
    strict = make_oidc(required_acr=[KEY], acr_values=[KEY], max_age_seconds=120, prompt="consent")
    oidc = tighten_oidc(strict, step_up(acr=(MFA,), max_age_seconds=600))
    assert (oidc.required_acr, oidc.acr_values, oidc.max_age_seconds) == ((KEY, MFA), (MFA,), 120)
    assert tighten_oidc(strict, step_up(max_age_seconds=60)).max_age_seconds == 60
    assert tighten_oidc(strict, step_up(max_age_seconds=60)).required_acr == (KEY,)
    assert tighten_oidc(strict, step_up(max_age_seconds=60)).acr_values == (KEY,)
    assert tighten_oidc(make_oidc(), step_up(acr=(MFA,))).required_acr == (), "a method may do as well"
