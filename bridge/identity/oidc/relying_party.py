"""One OpenID provider's relying party: how a sign-in begins and how it ends."""

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from bridge.clock import Clock
from bridge.errors import KeyMissing, OIDCMetadata
from bridge.identity.ended import EndedAtProvider
from bridge.identity.oidc.client_authentication import ClientProof, authenticate
from bridge.identity.oidc.client_token import ClientToken
from bridge.identity.oidc.discovery import Discovery, ProviderMetadata
from bridge.identity.oidc.encrypted_token import open_token
from bridge.identity.oidc.frontchannel_logout import read_front_channel_logout
from bridge.identity.oidc.groups_endpoint import GroupLookup
from bridge.identity.oidc.id_token import ExpectedToken, verify_id_token
from bridge.identity.oidc.login import (
    build_authorization_url,
    build_question,
    parse_callback,
    push_question,
    redeem_code,
)
from bridge.identity.oidc.logout_token import ExpectedLogoutToken, verify_logout_token
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.oidc.userinfo import fetch_userinfo
from bridge.identity.pending import PendingSignIn
from bridge.identity.providers import OIDCProvider
from bridge.identity.step_up import StepUp, tighten_oidc
from bridge.identity.verified import VerifiedIdentity
from bridge.keys import DecryptionKeys, SigningKey
from bridge.outbound import Outbound


class RelyingParty:
    """Us, as one provider knows us; shared by all threads."""

    def __init__(
        self,
        provider: OIDCProvider,
        public_url: str,
        outbound: Outbound,
        clock: Clock,
        *,
        client_key: SigningKey | None = None,
        decryption: DecryptionKeys = DecryptionKeys(),  # noqa: B008  it cannot change
    ) -> None:
        """Take our own public address, without a slash at its end, and our keys.

        ``client_key`` signs for ``private_key_jwt``, ``decryption`` opens encrypted ID tokens. Nothing is fetched yet.
        Raises KeyMissing if tokens may be encrypted and no key opens them.
        """
        if provider.encryption != "refuse" and not decryption.published:
            raise KeyMissing(f"{provider.name} may encrypt, and there is no oidc-decryption key")
        self.provider = provider
        self.redirect_uri = f"{public_url}/oidc/{provider.name}/callback"
        self.signed_out_uri = f"{public_url}/signed-out"
        self._outbound = outbound
        self._clock = clock
        self._client_key = client_key
        self._decryption = decryption
        self._discovery = Discovery(provider.issuer, outbound, clock)
        self._groups = self._find_group_lookup()

    def warm(self) -> None:
        """Have the provider's metadata and keys ready. Raises a leaf of IdentityError if they cannot be had."""
        self._discovery.warm()

    def begin(
        self,
        state: str,
        nonce: str,
        code_verifier: str,
        login_hint: str | None = None,
        step_up: StepUp | None = None,
    ) -> str:
        """Return the address to send the browser to.

        Args:
            state: the handle of the pending sign-in.
            nonce: what the ID token must repeat; at least 128 random bits.
            code_verifier: from ``login.new_verifier``; only its digest leaves the house.
            login_hint: whom the provider may expect; passed on if it is harmless.
            step_up: what to ask for beyond the settings.

        Raises:
            OIDCMetadata: what the provider publishes cannot be used.
            OIDCPushedRequest: the provider did not take our question.
            ProviderUnavailable: the provider cannot be asked.
        """
        metadata = self._discovery.metadata()
        question = build_question(
            tighten_oidc(self.provider, step_up),
            redirect_uri=self.redirect_uri,
            state=state,
            nonce=nonce,
            code_verifier=code_verifier,
            login_hint=login_hint,
        )
        offered = metadata.pushed_authorization_request_endpoint is not None
        if self.provider.par == "require" or (self.provider.par == "auto" and offered):
            question = push_question(metadata, self._outbound, self._proof(metadata), question)
        return build_authorization_url(metadata, question)

    def finish(
        self, query: Sequence[tuple[str, str]], pending: PendingSignIn, trace: OIDCTrace | None = None
    ) -> VerifiedIdentity:
        """Return who signed in.

        Args:
            query: the callback's parameters as they came, so that a repeated one is seen.
            pending: the question that the caller found by ``state``, and knows to be of this browser.
            trace: takes down which check has begun.

        Raises:
            IdentityError: the callback, the token response or the ID token is not acceptable.
            ProviderUnavailable: the provider could not be asked; the sign-in has to start again.
        """
        trace = trace or OIDCTrace()
        trace.at, trace.issuers = "provider_metadata", self.provider.issuers
        trace.metadata = metadata = self._discovery.metadata()
        code = parse_callback(query, pending, metadata, self.provider.issuers, trace)
        trace.at = "token_response"
        tokens = redeem_code(
            metadata,
            self._outbound,
            self._proof(metadata),
            code=code,
            code_verifier=pending.code_verifier,
            redirect_uri=self.redirect_uri,
        )
        allowed = frozenset(self.provider.algorithms)
        expected = ExpectedToken(
            provider=tighten_oidc(self.provider, pending.step_up),
            keys=self._discovery,
            algorithms=allowed if metadata.algorithms is None else allowed & metadata.algorithms,
            nonce=pending.nonce,
            now=self._clock.now(),
            code=code,
            access_token=tokens.access_token,
            userinfo=self._userinfo(metadata, tokens.access_token),
            groups=self._groups.fetch if self._groups else None,
        )
        trace.at = "decryption"
        token = open_token(tokens.id_token, self.provider, self._decryption)
        return verify_id_token(token, expected, trace)

    def verify_shown(self, token: str, now: datetime) -> VerifiedIdentity:
        """Return whom a token is about that somebody shows us, which signs nobody in.

        Every check of a sign-in is made but those that tie the token to one: nonce, ``at_hash`` and ``c_hash``.

        Raises:
            IdentityError: the ID token is not acceptable at that moment.
            ProviderUnavailable: the provider's metadata or keys cannot be had.
        """
        metadata = self._discovery.metadata()
        allowed = frozenset(self.provider.algorithms)
        expected = ExpectedToken(
            provider=self.provider,
            keys=self._discovery,
            algorithms=allowed if metadata.algorithms is None else allowed & metadata.algorithms,
            nonce="",
            now=now,
            code="",
            access_token="",
            groups=self._groups.fetch if self._groups else None,
            of_a_sign_in=False,
        )
        return verify_id_token(open_token(token, self.provider, self._decryption), expected)

    def end_session_url(self, state: str) -> str | None:
        """Return where a browser signs out at the provider; None if the provider has no such place.

        Without an ``id_token_hint``, since no token is kept: the provider may ask the person, who may decline. So
        that the browser comes back proves nothing, and ``state`` is there only because some providers insist.
        OpenID Connect RP-Initiated Logout 1.0, 2.

        Raises:
            IdentityError: the provider's metadata cannot be had, or not be used.
        """
        endpoint = self._discovery.metadata().end_session_endpoint
        if endpoint is None:
            return None
        query = urlencode(
            {
                "client_id": self.provider.client_id,
                "post_logout_redirect_uri": self.signed_out_uri,
                "state": state,
            }
        )
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    def verify_logout(self, token: str) -> EndedAtProvider:
        """Return what the provider says is over.

        Raises:
            IdentityError: the logout token is not acceptable.
            ProviderUnavailable: the provider's keys cannot be had.
        """
        metadata = self._discovery.metadata()
        allowed = frozenset(self.provider.algorithms)
        expected = ExpectedLogoutToken(
            provider=self.provider,
            keys=self._discovery,
            algorithms=allowed if metadata.algorithms is None else allowed & metadata.algorithms,
            now=self._clock.now(),
        )
        opened = open_token(token, self.provider, self._decryption, is_id_token=False)
        return verify_logout_token(opened, expected)

    def read_front_channel_logout(self, query: Sequence[tuple[str, str]]) -> EndedAtProvider:
        """Return what the provider's page says is over, without any proof.

        Raises:
            IdentityError: the request is not acceptable.
        """
        return read_front_channel_logout(query, self.provider, self._clock.now())

    def _proof(self, metadata: ProviderMetadata) -> ClientProof:
        return authenticate(self.provider, metadata, self._client_key, self._clock.now())

    def _find_group_lookup(self) -> GroupLookup | None:
        endpoint = self.provider.groups_endpoint
        if endpoint is None:
            return None
        token = ClientToken(self._find_token_endpoint, endpoint.scope, self._outbound, self._clock)
        return GroupLookup(self.provider, endpoint, token, self._outbound)

    def _find_token_endpoint(self) -> tuple[str, ClientProof]:
        metadata = self._discovery.metadata()
        return metadata.token_endpoint, self._proof(metadata)

    def _userinfo(self, metadata: ProviderMetadata, access_token: str) -> Callable[[str], Mapping[str, Any]] | None:
        """Return what asks for further claims, None where we are not to ask."""
        wanted, endpoint = self.provider.userinfo, metadata.userinfo_endpoint
        if wanted == "never" or (wanted == "when_offered" and endpoint is None):
            return None
        if endpoint is None:
            raise OIDCMetadata("the discovery document has no userinfo_endpoint")
        return functools.partial(fetch_userinfo, endpoint, access_token, outbound=self._outbound)
