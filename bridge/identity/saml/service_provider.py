"""Our role towards one SAML identity provider: publish, ask, and verify the answer.

The provider's metadata is loaded when it is first needed and kept. See ``metadata_cache`` for how long.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from bridge.clock import Clock, SystemClock
from bridge.errors import KeyMissing, SAMLMetadata
from bridge.identity.ended import EndedAtProvider
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.logout import (
    build_logout_request,
    build_logout_response,
    verify_logout_request,
    verify_logout_response,
)
from bridge.identity.saml.logout_binding import MAX_RELAY_STATE_BYTES, LogoutMessage
from bridge.identity.saml.metadata_cache import MetadataCache
from bridge.identity.saml.rehearsal import Rehearsal
from bridge.identity.saml.request import (
    PostForm,
    Redirect,
    build_authn_request,
    build_post_form,
    build_redirect,
    build_sp_metadata,
)
from bridge.identity.saml.response import Expected, verify_response
from bridge.identity.saml.saved_metadata import SavedMetadata
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.step_up import StepUp, tighten_saml
from bridge.identity.verified import VerifiedIdentity
from bridge.keys import DecryptionKeys, SigningKey


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
        decryption: DecryptionKeys | None = None,
        clock: Clock | None = None,
        saved: SavedMetadata | None = None,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        """Take the settings, and how to get the provider's metadata: from a file, or through ``bridge.outbound``.

        ``saved`` is where the last good copy of metadata from an address is kept; ``rehearsal`` has what is staged.
        ``also_published`` are keys that do not sign now, but did recently or will soon. Without ``decryption`` keys, or
        where the settings refuse encryption, our metadata asks for none. Raises KeyMissing if the settings require it.
        """
        decryption = DecryptionKeys() if decryption is None or provider.encryption == "refuse" else decryption
        if provider.encryption == "require" and not decryption.published:
            raise KeyMissing(f"{provider.name} must encrypt, and there is no saml-decryption key")
        self.provider = provider
        self.entity_id = f"{public_url}/saml/{provider.name}/metadata"
        self.acs_url = f"{public_url}/saml/{provider.name}/acs"
        self.slo_url = f"{public_url}/saml/{provider.name}/slo"
        self.sts_entity_id = f"{public_url}/saml/{provider.name}/sts"
        self.sts_url = f"{public_url}/"
        self._signing_key = signing_key
        self._decryption_keys = decryption.private_keys
        self._clock = clock or SystemClock()
        self._rehearsal = rehearsal or Rehearsal(provider.name)
        self._metadata = MetadataCache(provider, load_metadata, saved=saved)
        self._own_metadata = build_sp_metadata(
            entity_id=self.entity_id,
            acs_url=self.acs_url,
            slo_url=self.slo_url,
            name_id_format=provider.name_id_format,
            certificates=[key.certificate for key in (signing_key, *also_published)],
            encryption_certificates=[key.certificate for key in decryption.published],
            encryption_cbc=provider.encryption_cbc,
        )

    @property
    def rehearsal(self) -> Rehearsal:
        """What is staged for the provider, and what it would do."""
        return self._rehearsal

    @property
    def provider_metadata(self) -> MetadataCache:
        """What the provider says about itself, as far as we know."""
        return self._metadata

    def metadata_xml(self) -> bytes:
        """Return what an administrator of the provider registers."""
        return self._own_metadata

    def begin(
        self, relay_state: str, login_hint: str | None = None, step_up: StepUp | None = None
    ) -> Redirect | PostForm:
        """Return a signed request, by the binding in the settings. The caller remembers its ``request_id``.

        ``login_hint`` is an e-mail address that goes along only where the settings say so.

        Raises ProviderUnavailable, or SAMLMetadata if the provider does not offer the binding.
        """
        now = self._clock.now()
        metadata = self._metadata.load(now)
        by_redirect = self.provider.request_binding == "redirect"
        sso_url = metadata.sso_redirect_url if by_redirect else metadata.sso_post_url
        if sso_url is None:
            raise SAMLMetadata(f"the provider has no sign-in address for the {self.provider.request_binding} binding")
        asking = tighten_saml(self.provider, step_up)
        request = build_authn_request(
            sp_entity_id=self.entity_id,
            acs_url=self.acs_url,
            sso_url=sso_url,
            name_id_format=self.provider.name_id_format,
            now=now,
            requested_authn_contexts=asking.requested_authn_contexts,
            force_authn=asking.force_authn,
            subject=login_hint if self.provider.subject_in_request else None,
        )
        build = build_redirect if by_redirect else build_post_form
        return build(request, sso_url, relay_state, self._signing_key)

    def verify(
        self,
        encoded: str,
        request_id: str | None,
        now: datetime,
        asked_at: datetime | None = None,
        *,
        step_up: StepUp | None = None,
        trace: SAMLTrace | None = None,
    ) -> VerifiedIdentity:
        """Return who the provider says this is. ``request_id`` and ``asked_at`` are None if nobody asked.

        With a ``step_up`` the answer must show what was asked for. ``trace`` takes down which check has begun.

        Raises a leaf of IdentityError. The caller makes sure that ``message_id`` is used once.
        """
        trace = trace or SAMLTrace()
        trace.at = "provider_metadata"
        trace.metadata = metadata = self._metadata.load(now)
        expected = Expected(
            provider=tighten_saml(self.provider, step_up),
            keys=metadata.keys_at(now),
            sp_entity_id=self.entity_id,
            acs_url=self.acs_url,
            request_id=request_id,
            now=now,
            decryption_keys=self._decryption_keys,
            asked_at=asked_at,
        )
        return self._rehearsal.verify(encoded, expected, metadata.certificates, trace)

    def verify_for_sts(self, encoded: str, now: datetime, trace: SAMLTrace) -> VerifiedIdentity:
        """Return who the provider says calls the STS endpoint: with an audience and a recipient of that one's own.

        So what was meant for the portal opens nothing there, and the reverse. Nobody here asks for such a response; the
        provider is set up for it, or is not. Raises what :meth:`verify` raises (threat STS-13).
        """
        trace.at = "provider_metadata"
        trace.metadata = metadata = self._metadata.load(now)
        expected = Expected(
            provider=self.provider.model_copy(update={"idp_initiated": True}),
            keys=metadata.keys_at(now),
            sp_entity_id=self.sts_entity_id,
            acs_url=self.sts_url,
            request_id=None,
            now=now,
            decryption_keys=self._decryption_keys,
        )
        return verify_response(encoded, expected, trace)

    def verify_logout_request(self, message: LogoutMessage) -> EndedAtProvider:
        """Return what the provider says is over.

        Raises a leaf of IdentityError. The caller makes sure that ``message_id`` is used once.
        """
        return verify_logout_request(message, self._expect_logout(None))

    def verify_logout_response(self, message: LogoutMessage, request_id: str) -> None:
        """The provider answers our request. Raises a leaf of IdentityError."""
        verify_logout_response(message, self._expect_logout(request_id))

    def answer_logout(self, message: LogoutMessage, over: EndedAtProvider) -> Redirect | PostForm | None:
        """Return the signed answer to a verified request, to the address that the provider publishes for answers.

        By redirect where that is offered, since a page of ours is not shown in the provider's frame. The RelayState
        goes back as it came (Bindings 3.4.3), if it is one. None: the provider wants no answers.
        """
        now = self._clock.now()
        metadata = self._metadata.load(now)
        address = metadata.slo_redirect or metadata.slo_post
        if address is None:
            return None
        response = build_logout_response(
            sp_entity_id=self.entity_id, destination=address.response_url, request_id=over.message_id, now=now
        )
        relay_state = message.relay_state
        if relay_state is not None and len(relay_state.encode()) > MAX_RELAY_STATE_BYTES:
            relay_state = None
        build = build_post_form if metadata.slo_redirect is None else build_redirect
        return build(response, address.response_url, relay_state, self._signing_key, "SAMLResponse")

    def begin_logout(self, identity: VerifiedIdentity, request_id: str, relay_state: str) -> Redirect | PostForm | None:
        """Return a signed request to end the provider's own session; None if it publishes no address for that.

        Raises ProviderUnavailable or SAMLMetadata.
        """
        now = self._clock.now()
        metadata = self._metadata.load(now)
        address = metadata.slo_redirect or metadata.slo_post
        if address is None:
            return None
        request = build_logout_request(
            request_id=request_id,
            sp_entity_id=self.entity_id,
            destination=address.url,
            identity=identity,
            now=now,
        )
        build = build_post_form if metadata.slo_redirect is None else build_redirect
        return build(request, address.url, relay_state, self._signing_key)

    def _expect_logout(self, request_id: str | None) -> Expected:
        now = self._clock.now()
        return Expected(
            provider=self.provider,
            keys=self._metadata.load(now).keys_at(now),
            sp_entity_id=self.entity_id,
            acs_url=self.slo_url,
            request_id=request_id,
            now=now,
        )
