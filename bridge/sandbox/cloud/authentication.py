"""Decides who signed a request: a RAM user with its AccessKey, or a role session with temporary credentials.

The order is deliberate: the signature is checked before a nonce is remembered, so that a stranger can neither use
up somebody's nonce nor fill the memory.
"""

import contextlib
import hmac
import re
from ipaddress import ip_address

from bridge.clock import Clock
from bridge.sandbox.cloud.callers import Caller, UserCaller
from bridge.sandbox.cloud.credentials import CredentialStore, IssuedCredentials
from bridge.sandbox.cloud.directory import Directory
from bridge.sandbox.cloud.entities import AccessKey
from bridge.sandbox.store import ExpiringStore
from bridge.sts_wire.reply import STSFault, build_fault
from bridge.sts_wire.signature import TIME_WINDOW, Signature, check_timestamp, verify_signature

_TOKEN = re.compile(r"CAIS[A-Za-z0-9_-]{256}")
_NOBODYS_SECRET = "0" * 30


class Authenticator:
    """Verifies signed requests against the keys that the cloud knows."""

    def __init__(self, directory: Directory, issued: CredentialStore, clock: Clock) -> None:
        self._directory = directory
        self._issued = issued
        self._clock = clock
        self._nonces: ExpiringStore[bool] = ExpiringStore(clock)

    def verify_caller(self, signature: Signature, source_ip: str) -> Caller:
        """Return who signed; the request is as they signed it, recent, and presented for the first time.

        A long-term key may be limited to some networks; temporary credentials are not.
        """
        check_timestamp(signature, self._clock.now())
        caller, secret, key = self._find_key(signature)
        verify_signature(signature, secret)
        if key is not None and key.networks and not _is_within(key, source_ip):
            raise build_fault("NoPermission", "The access key may not be used from this network.")
        until = self._clock.now() + 2 * TIME_WINDOW
        if not self._nonces.claim(f"{signature.access_key_id} {signature.nonce}", value=True, until=until):
            raise build_fault("SignatureNonceUsed")
        return caller

    def _find_key(self, signature: Signature) -> tuple[Caller, str, AccessKey | None]:
        issued = self._issued.find(signature.access_key_id)
        if issued is not None:
            self._check_token(issued, signature)
            return issued.session, issued.access_key_secret, None
        owner = self._directory.state.find_key_owner(signature.access_key_id)
        if owner is None:
            raise _refuse_unknown_key(signature)
        account, user, key = owner
        if not key.active:
            raise build_fault("InvalidAccessKeyId.Inactive")
        if signature.security_token:
            raise build_fault("InvalidSecurityToken.MismatchWithAccessKey")
        return UserCaller(account, user), key.secret.get_secret_value(), key

    def _check_token(self, issued: IssuedCredentials, signature: Signature) -> None:
        """The token is the one issued with this key, and its session is not over (threat STS-05)."""
        if not signature.security_token:
            raise build_fault("MissingSecurityToken")
        if not _TOKEN.fullmatch(signature.security_token):
            raise build_fault("InvalidSecurityToken.Malformed")
        if not hmac.compare_digest(signature.security_token, issued.security_token):
            raise build_fault("InvalidSecurityToken.MismatchWithAccessKey")
        if issued.session.expires_at <= self._clock.now():
            raise build_fault("InvalidSecurityToken.Expired")


def _refuse_unknown_key(signature: Signature) -> STSFault:
    """Return the refusal of an unknown key after the work that a known one costs."""
    with contextlib.suppress(STSFault):
        verify_signature(signature, _NOBODYS_SECRET)
    return build_fault("InvalidAccessKeyId.NotFound")


def _is_within(key: AccessKey, source_ip: str) -> bool:
    """Whether the address is in one of the key's networks; an IPv4 address within IPv6 counts as itself."""
    try:
        address = ip_address(source_ip)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in network for network in key.networks)
