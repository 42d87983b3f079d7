"""Where a SAML provider's metadata comes from: a file of the administrator, or an address."""

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from bridge.errors import FetchFailed, FetchRefused, FetchTooLarge, ProviderUnavailable, SAMLMetadata
from bridge.outbound import Limits, Outbound

LIMITS = Limits(max_bytes=5_000_000)
"""A federation's metadata may hold many entities."""


def find_source(place: str, outbound: Outbound) -> Callable[[], bytes]:
    """Return what loads the metadata, given as in the settings: a path, or an address.

    Loading raises ProviderUnavailable if the address cannot be asked, SAMLMetadata if the answer is too large.
    """
    if "://" not in place:
        return Path(place).read_bytes

    def load() -> bytes:
        try:
            answer = outbound.get(place, limits=LIMITS)
        except FetchTooLarge as error:
            raise SAMLMetadata(error.detail) from error
        except (FetchFailed, FetchRefused) as error:
            raise ProviderUnavailable(error.detail) from error
        if answer.status != HTTPStatus.OK:
            raise ProviderUnavailable(f"{place} answered with status {answer.status}")
        return answer.body

    return load
