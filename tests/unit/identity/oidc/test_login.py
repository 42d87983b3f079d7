"""The authorization request. Callback, token response and everything hostile are in tests/attacks/oidc."""

import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

from bridge.attack.oidc.tokens import PROVIDER
from bridge.identity.oidc.discovery import ProviderMetadata
from bridge.identity.oidc.login import build_authorization_url, build_question, new_verifier


def build(endpoint="https://idp.example/authorize", login_hint=None, **settings):
    metadata = ProviderMetadata("https://idp.example", endpoint, "https://t", "https://k", None, promises_issuer=True)
    question = build_question(
        PROVIDER.model_copy(update=settings),
        redirect_uri="https://bridge.example/oidc/corp/callback",
        state="the state",
        nonce="the nonce",
        code_verifier="v" * 64,
        login_hint=login_hint,
    )
    return build_authorization_url(metadata, question)


def test_the_request_asks_for_a_code_with_state_nonce_and_s256():
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 64).digest()).rstrip(b"=").decode()
    assert parse_qs(urlsplit(build()).query) == {
        "response_type": ["code"],
        "client_id": ["rambridge"],
        "redirect_uri": ["https://bridge.example/oidc/corp/callback"],
        "scope": ["openid profile email"],
        "state": ["the state"],
        "nonce": ["the nonce"],
        "code_challenge": [challenge],
        "code_challenge_method": ["S256"],
    }


def test_a_maximum_age_and_other_scopes_are_asked_for():
    asked = parse_qs(urlsplit(build(max_age_seconds=300, scopes=("openid", "groups"))).query)
    assert asked["max_age"] == ["300"]
    assert asked["scope"] == ["openid groups"]


def test_a_context_and_a_prompt_are_asked_for():
    asked = parse_qs(urlsplit(build(acr_values=("urn:mfa", "urn:pwd"), prompt="login")).query)
    assert asked["acr_values"] == ["urn:mfa urn:pwd"]
    assert asked["prompt"] == ["login"]


def test_the_endpoints_own_query_is_kept():
    asked = parse_qs(urlsplit(build("https://idp.example/authorize?p=B2C_1_policy")).query)
    assert asked["p"] == ["B2C_1_policy"]
    assert asked["client_id"] == ["rambridge"]


def test_a_verifier_has_the_form_that_pkce_asks_for():
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", new_verifier())
