"""The keys of a workload issuer: from its address, as an OpenID provider's, or from a file.

Issuers of workload tokens sign nobody in, so that their discovery documents have no endpoints but ``jwks_uri``
(GitHub), or ones that cannot be fetched (Kubernetes). Nothing else of the document is read.
"""

from datetime import timedelta

from bridge.clock import Clock
from bridge.errors import FetchRefused, OIDCMetadata, ProviderUnavailable
from bridge.identity.oidc.discovery import UNKNOWN_KEY_REFRESH, WARM_AFTER, WELL_KNOWN, fetch_document
from bridge.identity.oidc.key_set import KeySet, ProviderKey, parse_key_set
from bridge.identity.oidc.remembered import Remembered
from bridge.identity.oidc.strict_json import parse_object
from bridge.identity.workloads import Workload
from bridge.outbound import Outbound

MAX_FILE_BYTES = 256 * 1024


class WorkloadKeys:
    """The keys of one issuer; shared by all threads."""

    def __init__(self, workload: Workload, outbound: Outbound, clock: Clock) -> None:
        """Take the issuer. Nothing is fetched or read yet."""
        self._workload = workload
        self._outbound = outbound
        self._keys = Remembered(self._read_file if workload.keys_file else self._fetch, clock)

    def find_key(self, kid: str | None) -> ProviderKey | None:
        """Return the key with exactly this ``kid``, or the only key for None; None if there is no such key.

        Raises:
            OIDCMetadata, OIDCKeySet: what the issuer publishes cannot be used.
            ProviderUnavailable: it cannot be had, and was not had in the last day.
        """
        key = self._keys.get().find(kid)
        if key is None and kid is not None:
            key = self._keys.get_newer(UNKNOWN_KEY_REFRESH).find(kid)
        return key

    def warm(self, after: timedelta = WARM_AFTER) -> None:
        """Get keys that are not there, or are half an hour old. Raises what ``find_key`` raises."""
        self._keys.get_newer(after)

    def _fetch(self) -> KeySet:
        issuer = self._workload.issuer
        document = fetch_document(f"{issuer.rstrip('/')}{WELL_KNOWN}", self._outbound)
        try:
            members = parse_object(document)
        except ValueError as error:
            raise OIDCMetadata(f"the discovery document is {error}") from error
        if members.get("issuer") != issuer:
            raise OIDCMetadata("the discovery document is another issuer's")
        url = members.get("jwks_uri")
        if not isinstance(url, str):
            raise OIDCMetadata("the discovery document has no jwks_uri")
        try:
            self._outbound.check_url(url)
        except FetchRefused as error:
            raise OIDCMetadata(f"jwks_uri: {error.detail}") from error
        return parse_key_set(fetch_document(url, self._outbound))

    def _read_file(self) -> KeySet:
        file = self._workload.keys_file
        try:
            with open(str(file), "rb") as opened:  # noqa: PTH123  a part of it only
                content = opened.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ProviderUnavailable(f"{file} cannot be read: {type(error).__name__}") from error
        if len(content) > MAX_FILE_BYTES:
            raise ProviderUnavailable(f"{file} is longer than {MAX_FILE_BYTES} bytes")
        return parse_key_set(content)
