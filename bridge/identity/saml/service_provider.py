"""Our role towards one SAML identity provider: publish, ask, and verify the answer.

The provider's metadata is loaded when it is first needed and kept. See :class:`MetadataCache` for how long.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.clock import Clock, SystemClock
from bridge.errors import FetchFailed, FetchRefused, ProviderUnavailable, SAMLMetadata
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.metadata import IdPMetadata, parse_idp_metadata
from bridge.identity.saml.request import (
    PostForm,
    Redirect,
    build_authn_request,
    build_post_form,
    build_redirect,
    build_sp_metadata,
)
from bridge.identity.saml.response import Expected, verify_response
from bridge.identity.verified import VerifiedIdentity
from bridge.keys import SigningKey

REFRESH_AFTER = timedelta(hours=1)
KEEP_AT_MOST = timedelta(hours=24)
"""How long metadata that cannot be refreshed stays in use."""
RETRY_AFTER = timedelta(seconds=15)


class ServiceProvider:
    """Us, as one provider sees us: with an entity ID and an ACS of its own, so that answers cannot be mixed up."""

    def __init__(
        self,
        provider: SAMLProvider,
        public_url: str,
        signing_key: SigningKey,
        load_metadata: Callable[[], bytes],
        *,
        also_published: Sequence[SigningKey] = (),
        clock: Clock | None = None,
    ) -> None:
        """Take the settings, and how to get the provider's metadata: from a file, or through ``bridge.outbound``.

        ``also_published`` are keys that do not sign now, but did recently or will soon.
        """
        self.provider = provider
        self.entity_id = f"{public_url}/saml/{provider.name}/metadata"
        self.acs_url = f"{public_url}/saml/{provider.name}/acs"
        self._signing_key = signing_key
        self._clock = clock or SystemClock()
        self._metadata = MetadataCache(provider.entity_id, load_metadata)
        self._own_metadata = build_sp_metadata(
            entity_id=self.entity_id,
            acs_url=self.acs_url,
            name_id_format=provider.name_id_format,
            certificates=[key.certificate for key in (signing_key, *also_published)],
        )

    def metadata_xml(self) -> bytes:
        """Return what an administrator of the provider registers."""
        return self._own_metadata

    def begin(self, relay_state: str) -> Redirect | PostForm:
        """Return a signed request, by the binding in the settings. The caller remembers its ``request_id``.

        Raises ProviderUnavailable, or SAMLMetadata if the provider does not offer the binding.
        """
        now = self._clock.now()
        metadata = self._metadata.load(now)
        by_redirect = self.provider.request_binding == "redirect"
        sso_url = metadata.sso_redirect_url if by_redirect else metadata.sso_post_url
        if sso_url is None:
            raise SAMLMetadata(f"the provider has no sign-in address for the {self.provider.request_binding} binding")
        request = build_authn_request(
            sp_entity_id=self.entity_id,
            acs_url=self.acs_url,
            sso_url=sso_url,
            name_id_format=self.provider.name_id_format,
            now=now,
        )
        build = build_redirect if by_redirect else build_post_form
        return build(request, sso_url, relay_state, self._signing_key)

    def verify(self, encoded: str, request_id: str | None, now: datetime) -> VerifiedIdentity:
        """Return who the provider says this is. ``request_id`` is None if nobody asked.

        Raises a leaf of IdentityError. The caller makes sure that ``message_id`` is used once.
        """
        expected = Expected(
            provider=self.provider,
            keys=self._metadata.load(now).keys_at(now),
            sp_entity_id=self.entity_id,
            acs_url=self.acs_url,
            request_id=request_id,
            now=now,
        )
        return verify_response(encoded, expected)


@dataclass(frozen=True)
class _Copy:
    metadata: IdPMetadata
    loaded_at: datetime


@dataclass(frozen=True)
class _Failure:
    error: ProviderUnavailable
    at: datetime


class MetadataCache:
    """A provider's metadata, loaded at first use and again after an hour.

    A refresh that fails leaves the old copy in use, for at most a day, and is tried again after 15 seconds. One thread
    refreshes; the others go on with the old copy meanwhile. Only while there is none do they wait.
    """

    def __init__(self, entity_id: str, load_bytes: Callable[[], bytes]) -> None:
        """Take the entity whose metadata it is, and where the bytes come from."""
        self._entity_id = entity_id
        self._load_bytes = load_bytes
        self._refreshing = threading.Lock()
        self._copy: _Copy | None = None
        self._failure: _Failure | None = None

    def load(self, now: datetime) -> IdPMetadata:
        """Return metadata that is at most a day old. Raises ProviderUnavailable or SAMLMetadata."""
        copy = self._copy
        if copy is not None and now < copy.loaded_at + REFRESH_AFTER:
            return copy.metadata
        usable = copy is not None and now < copy.loaded_at + KEEP_AT_MOST
        if self._refreshing.acquire(blocking=not usable):
            try:
                self._refresh(now)
            finally:
                self._refreshing.release()
        copy, failure = self._copy, self._failure
        if copy is not None and now < copy.loaded_at + KEEP_AT_MOST:
            return copy.metadata
        error = failure.error if failure is not None else ProviderUnavailable("the metadata is too old")
        raise type(error)(error.detail) from error

    def _refresh(self, now: datetime) -> None:
        """Load once more, unless another thread just did, or just failed."""
        if self._copy is not None and now < self._copy.loaded_at + REFRESH_AFTER:
            return
        if self._failure is not None and now < self._failure.at + RETRY_AFTER:
            return
        try:
            metadata = parse_idp_metadata(self._load_bytes(), self._entity_id, now)
        except ProviderUnavailable as error:
            self._failure = _Failure(error, now)
        except (FetchFailed, FetchRefused, OSError) as error:
            self._failure = _Failure(ProviderUnavailable(f"the metadata could not be loaded: {error}"), now)
        else:
            self._copy, self._failure = _Copy(metadata, now), None
