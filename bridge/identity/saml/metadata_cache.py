"""The provider's metadata, kept between sign-ins: fetched rarely, by one thread at a time."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.errors import FetchFailed, FetchRefused, ProviderUnavailable
from bridge.identity.saml.metadata import IdPMetadata, parse_idp_metadata

REFRESH_AFTER = timedelta(hours=1)
KEEP_AT_MOST = timedelta(hours=24)
"""How long metadata that cannot be refreshed stays in use."""
RETRY_AFTER = timedelta(seconds=15)


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
