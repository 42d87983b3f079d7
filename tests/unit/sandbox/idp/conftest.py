from dataclasses import dataclass

import pytest

from bridge.sandbox.browser import Browser
from bridge.sandbox.idp.app import create_idp
from bridge.sandbox.idp.state import IdPState
from tests.unit.sandbox.idp.parties import (
    MovableClock,
    RelyingParty,
    SigningKey,
    build_relying_party_app,
    serve,
)


@dataclass
class Provider:
    """The provider under test."""

    url: str
    state: IdPState
    clock: MovableClock
    secret: str

    @property
    def sso_url(self) -> str:
        return f"{self.url}/saml/sso"


@pytest.fixture(scope="session")
def sp_key():
    return SigningKey()


@pytest.fixture(scope="session")
def idp_keys_folder(tmp_path_factory):
    """One folder for the run: making RSA keys is most of the time of these tests."""
    return tmp_path_factory.mktemp("idp-keys")


@pytest.fixture
def rp(sp_key):
    received = []
    with serve(build_relying_party_app(received), "localhost") as port:
        yield RelyingParty(f"http://localhost:{port}", sp_key, received)


@pytest.fixture
def idp(rp, idp_keys_folder, tmp_path):
    clock = MovableClock()

    def fetch(url):
        if url != rp.entity_id:
            raise OSError(url)
        return rp.build_metadata()

    # The provider has to know its address before it exists: the port is taken first.
    ready = []
    with serve(lambda environ, respond: ready[0](environ, respond), "127.0.0.1") as port:  # noqa: PLW0108
        state = IdPState.model_validate(describe(f"http://127.0.0.1:{port}", rp), context={"folder": tmp_path})
        ready.append(create_idp(state, idp_keys_folder, clock, fetch))
        yield Provider(state.url, state, clock, (tmp_path / "secret").read_text())


@pytest.fixture
def browser():
    return Browser()


def describe(url, rp):
    common = {"department": "Platform", "title": "Engineer"}
    return {
        "url": url,
        "name": "Acme Identity",
        "people": [
            {
                "uid": "lin.wei",
                "name": "林薇",
                "mail": "lin.wei@acme.example",
                "groups": ["platform", "平台 <admins> & co"],
                "mfa": True,
                **common,
            },
            {"uid": "jonas", "name": "Jonas Lindqvist", "mail": "jonas@acme.example", "groups": [], **common},
        ],
        "saml_service_providers": [
            {"name": "rp", "title": "Relying Party", "entity_id": rp.entity_id, "metadata_url": rp.entity_id},
            {
                "name": "absent",
                "title": "Absent",
                "entity_id": f"{rp.url}/absent",
                "metadata_url": f"{rp.url}/absent",
            },
        ],
        "oidc_clients": [
            {
                "client_id": "rambridge",
                "title": "Relying Party",
                "client_secret": "file:secret",
                "redirect_uris": [rp.redirect_uri],
                "initiate_login_uri": f"{rp.url}/initiate",
            },
            {
                "client_id": "another",
                "title": "Another",
                "client_secret": "file:another-secret",
                "redirect_uris": [rp.redirect_uri],
            },
        ],
        "tiles": [
            {
                "name": "cloud",
                "title": "Cloud",
                "description": "Starts here.",
                "kind": "saml-idp-initiated",
                "service_provider": "rp",
                "relay_state": "from-tile",
            },
            {
                "name": "absent",
                "title": "Absent",
                "description": "Not running.",
                "kind": "saml-idp-initiated",
                "service_provider": "absent",
            },
            {
                "name": "there",
                "title": "There",
                "description": "Starts there.",
                "kind": "saml-sp-initiated",
                "link": f"{rp.url}/start",
            },
            {
                "name": "openid",
                "title": "OpenID",
                "description": "OpenID Connect.",
                "kind": "oidc",
                "client": "rambridge",
            },
        ],
    }
