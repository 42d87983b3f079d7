"""What other parties read about us: SP metadata, and our metadata, discovery document and keys for the cloud."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify

from bridge.errors import UnknownProvider
from bridge.exchange.metadata import build_discovery, build_jwks, describe_us
from bridge.identity.saml.service_provider import ServiceProvider
from bridge.keys import KeyFolder

CACHE_SECONDS = 300
SAML_METADATA = "application/samlmetadata+xml"


class Published:
    """Public documents; nothing in them is secret, and they may be cached for five minutes."""

    def __init__(
        self,
        public_url: str,
        keys: KeyFolder,
        service_providers: Mapping[str, ServiceProvider],
        client_jwks: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Take our public address, our keys, and by provider name our SAML roles and our keys as OpenID clients."""
        self._public_url = public_url
        self._keys = keys
        self._service_providers = service_providers
        self._client_jwks = client_jwks

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("published", __name__)
        routes.add_url_rule("/saml/<provider>/metadata", "saml_sp", self.service_provider_metadata)
        routes.add_url_rule("/cloud/saml/metadata", "saml_idp", self.identity_provider_metadata)
        routes.add_url_rule("/.well-known/openid-configuration", "discovery", self.discovery)
        routes.add_url_rule("/cloud/oidc/keys", "jwks", self.jwks)
        routes.add_url_rule("/oidc/<provider>/jwks", "client_jwks", self.client_jwks)
        return routes

    def service_provider_metadata(self, provider: str) -> Response:
        """Our SAML metadata as a service provider of one enterprise IdP."""
        party = self._service_providers.get(provider)
        if party is None:
            raise UnknownProvider(f"no SAML provider is called {provider[:64]!r}")
        return _cached(Response(party.metadata_xml(), mimetype=SAML_METADATA))

    def identity_provider_metadata(self) -> Response:
        """Our SAML metadata as the identity provider that RAM trusts."""
        document = describe_us(self._public_url, self._keys.published("saml-issuer"))
        return _cached(Response(document, mimetype=SAML_METADATA))

    def discovery(self) -> Response:
        """Our discovery document as the OIDC issuer that RAM trusts."""
        return _cached(jsonify(build_discovery(self._public_url, f"{self._public_url}/cloud/oidc/keys")))

    def jwks(self) -> Response:
        """Our public token keys."""
        return _cached(jsonify(build_jwks(self._keys.published("oidc-issuer"))))

    def client_jwks(self, provider: str) -> Response:
        """Our public keys as a client of one OpenID provider, which checks our assertions and encrypts with them."""
        document = self._client_jwks.get(provider)
        if document is None:
            raise UnknownProvider(f"no OpenID provider that needs keys of ours is called {provider[:64]!r}")
        return _cached(jsonify(document))


def _cached(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={CACHE_SECONDS}"
    return response
