"""Where a provider is and which keys it signs with: fetched at first use, checked, and remembered.

Both documents are good for an hour. One that cannot be refreshed is used for up to a day more, so that a provider's
bad hour is not ours; one that shows a private key is forgotten at once. OpenID Connect Discovery 1.0; RFC 8414;
threats OIDC-16, OIDC-21.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bridge.clock import Clock
from bridge.errors import FetchFailed, FetchRefused, FetchTooLarge, OIDCMetadata, OIDCSize, ProviderUnavailable
from bridge.identity.oidc.key_set import KeySet, ProviderKey, parse_key_set
from bridge.identity.oidc.remembered import Remembered
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.providers import TENANT
from bridge.outbound import Outbound

WELL_KNOWN = "/.well-known/openid-configuration"
UNKNOWN_KEY_REFRESH = timedelta(seconds=60)
"""How often a ``kid`` that we do not know may make us fetch the keys again."""
WARM_AFTER = timedelta(minutes=30)
"""How old a copy may be that is left alone when there is time to look again."""

ANY_TENANT = "organizations"
"""Where Entra ID publishes what all tenants of companies share; its ``issuer`` has the place for the tenant."""

_OK = 200


@dataclass(frozen=True)
class ProviderMetadata:
    """What we need of a provider's discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    algorithms: frozenset[str] | None
    """The ID-token algorithms that the provider says it uses; None: it does not say."""
    promises_issuer: bool
    """Whether every authorization response carries ``iss`` (RFC 9207)."""
    userinfo_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    end_session_endpoint: str | None = None
    """Where a browser is sent to sign out there (RP-Initiated Logout 1.0); None: the provider has no such place."""


class Discovery:
    """One provider's metadata and keys; shared by all threads."""

    def __init__(self, issuer: str, outbound: Outbound, clock: Clock) -> None:
        """Take the configured issuer. Nothing is fetched yet."""
        self._issuer = issuer
        self._outbound = outbound
        self._metadata = Remembered(self._fetch_metadata, clock)
        self._keys = Remembered(self._fetch_keys, clock)

    def metadata(self) -> ProviderMetadata:
        """Return the provider's metadata.

        Raises:
            OIDCMetadata: it is not this issuer's, or not usable.
            ProviderUnavailable: it cannot be had, and was not had in the last day.
        """
        return self._metadata.get()

    def find_key(self, kid: str | None) -> ProviderKey | None:
        """Return the provider's key with this ``kid``, or its only one for None; None if there is no such key.

        A ``kid`` that is not known makes us look again, once a minute at most: whoever can post tokens must not be
        able to make us fetch.

        Raises:
            OIDCKeySet: the provider's keys cannot be used.
            ProviderUnavailable: they cannot be had, and were not had in the last day.
        """
        key = self._keys.get().find(kid)
        if key is None and kid is not None:
            key = self._keys.get_newer(UNKNOWN_KEY_REFRESH).find(kid)
        return key

    def warm(self) -> None:
        """Fetch metadata and keys that are not there, or are half an hour old. Raises what both methods above raise."""
        self._metadata.get_newer(WARM_AFTER)
        self._keys.get_newer(WARM_AFTER)

    def _fetch_metadata(self) -> ProviderMetadata:
        place = self._issuer.replace(TENANT, ANY_TENANT).rstrip("/") + WELL_KNOWN
        return parse_metadata(self._fetch(place), self._issuer, self._outbound)

    def _fetch_keys(self) -> KeySet:
        return parse_key_set(self._fetch(self.metadata().jwks_uri))

    def _fetch(self, url: str) -> bytes:
        return fetch_document(url, self._outbound)


def fetch_document(url: str, outbound: Outbound) -> bytes:
    """Return what a provider publishes at an address. Raises OIDCSize or ProviderUnavailable."""
    try:
        answer = outbound.get(url, headers={"Accept": "application/json"})
    except FetchTooLarge as error:
        raise OIDCSize(error.detail) from error
    except (FetchFailed, FetchRefused) as error:
        raise ProviderUnavailable(error.detail) from error
    if answer.status != _OK:
        raise ProviderUnavailable(f"{url} answered {answer.status}")
    return answer.body


def parse_metadata(document: bytes, issuer: str, outbound: Outbound) -> ProviderMetadata:
    """Return the metadata in a discovery document that is this issuer's own.

    Without the comparison of ``issuer``, whoever serves a document could speak for another provider (Discovery 4.3).
    An endpoint that we would not fetch is refused here, before a browser is sent to it.

    Raises:
        OIDCMetadata: it names another issuer, lacks what is required, or names an unusable address.
    """
    try:
        members = parse_object(document)
    except ValueError as error:
        raise OIDCMetadata(f"the discovery document is {error}") from error
    if members.get("issuer") != issuer:
        raise OIDCMetadata("the discovery document is another issuer's")
    algorithms = members.get("id_token_signing_alg_values_supported")
    if algorithms is not None and not _is_list_of_strings(algorithms):
        raise OIDCMetadata("the discovery document's algorithms are not a list of names")
    return ProviderMetadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(members, "authorization_endpoint", outbound),
        token_endpoint=_endpoint(members, "token_endpoint", outbound),
        jwks_uri=_endpoint(members, "jwks_uri", outbound),
        algorithms=None if algorithms is None else frozenset(algorithms),
        promises_issuer=members.get("authorization_response_iss_parameter_supported") is True,
        userinfo_endpoint=_optional_endpoint(members, "userinfo_endpoint", outbound),
        pushed_authorization_request_endpoint=_optional_endpoint(
            members, "pushed_authorization_request_endpoint", outbound
        ),
        end_session_endpoint=_optional_endpoint(members, "end_session_endpoint", outbound),
    )


def _endpoint(members: dict[str, Any], name: str, outbound: Outbound) -> str:
    url = members.get(name)
    if not isinstance(url, str):
        raise OIDCMetadata(f"the discovery document has no {name}")
    try:
        outbound.check_url(url)
    except FetchRefused as error:
        raise OIDCMetadata(f"{name}: {error.detail}") from error
    return url


def _optional_endpoint(members: dict[str, Any], name: str, outbound: Outbound) -> str | None:
    return None if members.get(name) is None else _endpoint(members, name, outbound)


def _is_list_of_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)
