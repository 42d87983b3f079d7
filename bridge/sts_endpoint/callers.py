"""Decides who signed a call: a role session whose credentials we released, with its token, now, and for the first time.

The order is deliberate. A key that nobody has costs the same as a wrong secret. A nonce is remembered after the
signature was checked, so that a stranger can neither use up somebody's nonce nor fill the memory. Threats STS-01,
STS-02, STS-03, STS-05.
"""

import contextlib

from bridge.clock import Clock
from bridge.store_connection import RedisClient, build_key, store_errors
from bridge.sts_endpoint.issued import IssuedCredentials, IssuedSession
from bridge.sts_wire.reply import STSFault, build_fault
from bridge.sts_wire.signature import TIME_WINDOW, Signature, check_timestamp, verify_signature

_NOBODYS_SECRET = "0" * 30


class Callers:
    """Verifies signed calls."""

    def __init__(self, issued: IssuedCredentials, redis: RedisClient, clock: Clock) -> None:
        """Take the memory of credentials, the store for nonces, and the clock."""
        self._issued = issued
        self._redis = redis
        self._clock = clock

    def verify(self, signature: Signature) -> IssuedSession:
        """Return the session that signed; the call is as it was signed, recent, and presented for the first time.

        Raises:
            STSFault: with the vendor's code.
            StoreUnavailable: the credentials cannot be looked up, or replay cannot be ruled out.
        """
        now = self._clock.now()
        check_timestamp(signature, now)
        session = self._issued.find(signature.access_key_id)
        if session is None:
            with contextlib.suppress(STSFault):
                verify_signature(signature, _NOBODYS_SECRET)
            raise build_fault("InvalidAccessKeyId.NotFound")
        verify_signature(signature, session.secret)
        if not signature.security_token:
            raise build_fault("MissingSecurityToken")
        if not session.has_token(signature.security_token):
            raise build_fault("InvalidSecurityToken.MismatchWithAccessKey")
        if session.expires_at <= now:
            raise build_fault("InvalidSecurityToken.Expired")
        # A nonce is used once whatever the scheme, method and parameters are; 15 minutes early and 15 late.
        key = build_key("sts-nonce", signature.access_key_id, signature.nonce)
        with store_errors():
            first = self._redis.set(key, b"", nx=True, px=2 * TIME_WINDOW)
        if first is None:
            raise build_fault("SignatureNonceUsed")
        return session
