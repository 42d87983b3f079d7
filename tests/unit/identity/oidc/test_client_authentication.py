"""How we prove to a provider who we are, at a provider that checks it."""

import base64
import json

import pytest
from joserfc.jwk import KeySet

from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.clock import SystemClock
from bridge.errors import OIDCClientAssertion, OIDCTokenResponse
from bridge.exchange.metadata import build_jwks
from bridge.identity.oidc.relying_party import RelyingParty
from bridge.keys import KeyFolder, create_missing, rotate
from tests.attacks.oidc.test_flow import OUTBOUND, PUBLIC_URL, relying_party, sign_in
from tests.ready_keys import put_keys


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("certs")
    put_keys(path)
    return path


@pytest.fixture
def op(folder):
    with OpenIDProvider() as running:
        running.client_keys = published(folder)
        yield running


def published(folder):
    return KeySet.import_key_set(build_jwks(KeyFolder(folder).published("oidc-client")))


def party(op, folder, purpose="oidc-client", **settings):
    settings = {"client_secret": None, "client_authentication": "private_key_jwt"} | settings
    provider = relying_party(op, **settings).provider
    return RelyingParty(provider, PUBLIC_URL, OUTBOUND, SystemClock(), client_key=KeyFolder(folder).signing(purpose))


@pytest.mark.parametrize("audience", ["issuer", "token_endpoint"])
def test_we_sign_an_assertion_for_this_provider_for_a_minute(op, folder, audience):
    identity = sign_in(op, party(op, folder, client_assertion_audience=audience))
    assert identity.subject == "ada"
    [claims] = op.assertions.values()
    assert claims["aud"] == (op.issuer if audience == "issuer" else f"{op.url}/token")
    assert claims["exp"] - claims["iat"] == 60
    sent = op.requests[1]
    assert sent.form["client_id"] == "rambridge"
    assert "client_secret" not in sent.form
    assert "Authorization" not in sent.headers
    header = json.loads(base64.urlsafe_b64decode(sent.form["client_assertion"].partition(".")[0] + "=="))
    assert header == {"alg": "RS256", "kid": KeyFolder(folder).signing("oidc-client").id, "typ": "JWT"}


def test_no_assertion_is_sent_twice(op, folder):
    client = party(op, folder)
    for _ in range(3):
        assert sign_in(op, client).subject == "ada"
    assert len(op.assertions) == 3


def test_a_provider_that_took_our_keys_before_a_rotation_accepts_us_after_it(op, tmp_path):
    create_missing(tmp_path, SystemClock())
    op.client_keys = published(tmp_path)
    rotate(tmp_path, "oidc-client", SystemClock())
    assert sign_in(op, party(op, tmp_path)).subject == "ada"


def test_no_other_key_of_ours_proves_who_we_are(op, folder):
    with pytest.raises(OIDCTokenResponse, match="invalid_client"):
        sign_in(op, party(op, folder, "oidc-issuer"))


def test_somebody_elses_assertion_is_read_at_each_use(op, folder, tmp_path):
    file = tmp_path / "token"
    settings = {"client_authentication": "federated", "client_assertion_file": str(file)}
    federated = party(op, folder, **settings)
    # The cluster's token: signed by somebody whom the provider trusts to vouch for us.
    own = party(op, folder)
    for _ in range(2):
        sign_in(op, own)
        file.write_text(f"{last_assertion(op)}\n")
        op.assertions.clear()
        assert sign_in(op, federated).subject == "ada"
        assert last_assertion(op) == file.read_text().strip()


def last_assertion(op):
    return [request for request in op.requests if request.path == "/token"][-1].form["client_assertion"]


@pytest.mark.parametrize(
    "content",
    [None, "", "\n", "secret", "a.b", "a.b.c.d", "a.b.c\nd.e.f", "a.b. c", "\u0430.b.c", "a.b." + "c" * 20_000],
    ids=["absent", "empty", "newline", "no token", "two parts", "four parts", "two tokens", "blank", "letter", "long"],
)
def test_a_file_without_an_assertion_is_not_sent(op, folder, tmp_path, content):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    federated = party(op, folder, client_authentication="federated", client_assertion_file=str(file))
    with pytest.raises(OIDCClientAssertion) as refused:
        sign_in(op, federated)
    assert "/token" not in op.paths()
    assert not content or content.strip() == "" or content not in refused.value.detail


def test_without_a_key_nothing_is_sent(op):
    settings = {"client_secret": None, "client_authentication": "private_key_jwt"}
    with pytest.raises(OIDCClientAssertion):
        sign_in(op, relying_party(op, **settings))
