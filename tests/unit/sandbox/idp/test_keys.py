import stat
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from bridge.sandbox.idp.keys import load_or_create_client_secret, load_or_create_keys
from bridge.sandbox.idp.state import OIDCClient

NOW = datetime.now(UTC)


def test_keys_are_made_once_and_are_the_same_afterwards(tmp_path):
    folder = tmp_path / "sandbox"
    made = load_or_create_keys(folder, "Acme Identity", NOW)
    again = load_or_create_keys(folder, "Acme Identity", NOW)
    assert made.saml_private_key == again.saml_private_key
    assert made.oidc_key.kid == again.oidc_key.kid
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_certificate_belongs_to_the_saml_key_and_not_to_the_oidc_key(tmp_path):
    keys = load_or_create_keys(tmp_path, "Acme Identity", NOW)
    certificate = x509.load_pem_x509_certificate(keys.saml_certificate)
    private_key = serialization.load_pem_private_key(keys.saml_private_key, None)
    assert certificate.public_key() == private_key.public_key()
    assert certificate.public_key().public_numbers() != keys.oidc_key.public_key.public_numbers()


def test_client_secret_is_made_once(tmp_path):
    client = OIDCClient.model_validate(
        {
            "client_id": "a",
            "title": "A",
            "client_secret": "file:sub/secret",
            "redirect_uris": ["http://localhost/cb"],
        },
        context={"folder": tmp_path},
    )
    secret = load_or_create_client_secret(client)
    assert len(secret) == 43
    assert load_or_create_client_secret(client) == secret
    assert stat.S_IMODE((tmp_path / "sub" / "secret").stat().st_mode) == 0o600
