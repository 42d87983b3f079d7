"""The provider's metadata, kept between sign-ins and renewed beside them, never by them.

``metadata_refresher`` calls :meth:`MetadataCache.refresh` when :attr:`MetadataCache.due_at` has come. A sign-in takes
what is there. Nobody waits, but for the first attempt of a process that has no saved copy.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.errors import FetchFailed, FetchRefused, ProviderUnavailable, SAMLMetadata
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.metadata import IdPMetadata, SigningCertificate, hold_unapproved, read_idp_metadata
from bridge.identity.saml.saved_metadata import SavedMetadata

_logger = logging.getLogger(__name__)

REFRESH_AFTER = timedelta(hours=1)
"""Where the metadata has no ``cacheDuration``."""
REFRESH_AT_LEAST_AFTER = timedelta(minutes=5)
KEEP_AT_MOST = timedelta(hours=24)
"""How long metadata that cannot be refreshed stays in use, and the longest ``cacheDuration`` that counts."""
RETRY_AFTER = timedelta(seconds=15)
"""After a first failure; each further one doubles it."""
RETRY_AT_LEAST_AFTER = timedelta(minutes=5)
RETRY_WITHOUT_COPY = timedelta(minutes=1)
FIRST_ATTEMPT_SECONDS = 10.0
_NEVER = datetime.min.replace(tzinfo=UTC)
_MAX_DOUBLINGS = 8
_SPREAD = random.Random()  # noqa: S311  no secret depends on it


@dataclass(frozen=True)
class _Copy:
    metadata: IdPMetadata
    loaded_at: datetime


@dataclass(frozen=True)
class _Failure:
    error: ProviderUnavailable
    at: datetime
    count: int


@dataclass(frozen=True)
class KeyChange:
    """The provider publishes other certificates (SHA-256, hexadecimal) than before."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    held: tuple[str, ...]
    """Of all that are published now, those that no administrator has approved, where that is asked for."""


class MetadataCache:
    """A provider's metadata: the last good copy, for at most a day, and when to look for the next."""

    def __init__(
        self, provider: SAMLProvider, load_bytes: Callable[[], bytes], *, saved: SavedMetadata | None = None
    ) -> None:
        """Take the provider whose metadata it is, and where the bytes come from.

        Args:
            provider: the settings say what the metadata must be like.
            load_bytes: fetches the document, or reads it from the administrator's file.
            saved: where the last good copy is kept; None for a file of the administrator's, which is one itself.
        """
        self._provider = provider
        self._load_bytes = load_bytes
        self._saved = saved
        self._refreshing = threading.Lock()
        self._attempted = threading.Event()
        self._copy: _Copy | None = None
        self._failure: _Failure | None = None
        self._due_at = _NEVER
        self._wake: Callable[[], None] | None = None
        self._published: frozenset[str] | None = None
        self._on_key_change: Callable[[KeyChange], None] = lambda _: None

    @property
    def due_at(self) -> datetime:
        """When to refresh next."""
        return self._due_at

    @property
    def is_local(self) -> bool:
        """Whether the metadata is a file of the administrator's: reading it waits for nobody."""
        return self._saved is None

    @property
    def entity_id(self) -> str:
        """The entity whose metadata it is."""
        return self._provider.entity_id

    def current(self) -> tuple[IdPMetadata, datetime] | None:
        """Return the last good copy, however old, and when it was loaded; None before there was one."""
        return (self._copy.metadata, self._copy.loaded_at) if self._copy else None

    def last_failure(self) -> tuple[ProviderUnavailable, datetime] | None:
        """Return why the last attempt failed, and when; None if it did not."""
        return (self._failure.error, self._failure.at) if self._failure else None

    def renew_in_background(self, wake: Callable[[], None]) -> None:
        """From now on somebody else refreshes; ``wake`` tells them that a person needs it."""
        self._wake = wake

    def report_key_changes(self, report: Callable[[KeyChange], None]) -> None:
        """From now on ``report`` hears of each change of the published certificates, before it takes effect."""
        self._on_key_change = report

    def wait_for_first_attempt(self) -> None:
        """Return when the metadata has been loaded or not, or after ten seconds."""
        self._attempted.wait(FIRST_ATTEMPT_SECONDS)

    def load(self, now: datetime) -> IdPMetadata:
        """Return metadata that is at most a day old. Raises ProviderUnavailable or SAMLMetadata."""
        copy = self._find_usable(now)
        if copy is None:
            if self._wake is None or self.is_local:
                self.refresh(now, only_if_wanted=True)
            else:
                self.wait_for_first_attempt()
                if self._find_usable(now) is None:
                    self._wake()
            copy = self._find_usable(now)
        if copy is not None:
            return copy.metadata
        error = self._failure.error if self._failure else ProviderUnavailable("the metadata is too old")
        raise type(error)(error.detail) from error

    def restore(self, now: datetime) -> None:
        """Take the saved copy if there is a good one; whether it is new enough is decided when it is used."""
        saved = self._saved.read() if self._saved else None
        if saved is None:
            return
        document, fetched_at = saved
        try:
            found = read_idp_metadata(document, self._provider, now)
            metadata = hold_unapproved(found, self._provider)
        except ProviderUnavailable as error:
            _logger.warning("the saved metadata of %s is not used: %s", self.entity_id, error.detail)
            return
        self._copy, self._published = _Copy(metadata, min(fetched_at, now)), _thumbprints(found.certificates)
        if self._find_usable(now) is not None:
            self._attempted.set()  # else a person who comes before the first attempt waits for it

    def refresh(self, now: datetime, *, only_if_wanted: bool = False) -> None:
        """Load once more; one thread at a time. A failure leaves the old copy, and is not raised.

        With ``only_if_wanted``, not if a copy is usable meanwhile, or an attempt just failed.
        """
        with self._refreshing:
            if only_if_wanted and (self._find_usable(now) is not None or self._has_just_failed(now)):
                return
            try:
                document = self._load_bytes()
                found = read_idp_metadata(document, self._provider, now)
                self._note_keys(found)
                metadata = hold_unapproved(found, self._provider)
            except ProviderUnavailable as error:
                self._fail(error, now)
            except (FetchFailed, FetchRefused, OSError) as error:
                self._fail(ProviderUnavailable(f"the metadata could not be loaded: {error}"), now)
            except Exception as error:  # noqa: BLE001  without a failure it would be due again at once, for ever
                self._fail(SAMLMetadata(f"reading the metadata failed: {type(error).__name__}"), now)
            else:
                self._succeed(document, metadata, now)
            finally:
                self._attempted.set()

    def hurry(self, now: datetime) -> None:
        """A person needs metadata and there is none: be due at once, unless an attempt just failed."""
        if self._find_usable(now) is None and not self._has_just_failed(now):
            self._due_at = now

    def _note_keys(self, found: IdPMetadata) -> None:
        """Report the certificates that came or went, also where the metadata does not take effect for them."""
        before, self._published = self._published, _thumbprints(found.certificates)
        if before is None or before == self._published:
            return
        try:
            held = hold_unapproved(found, self._provider).held
        except SAMLMetadata:
            held = found.certificates
        change = KeyChange(
            added=tuple(sorted(self._published - before)),
            removed=tuple(sorted(before - self._published)),
            held=tuple(sorted(_thumbprints(held))),
        )
        gone, come = ", ".join(change.removed) or "none", ", ".join(change.added) or "none"
        _logger.warning("%s has changed its signing certificates: gone: %s; new: %s", self.entity_id, gone, come)
        if change.held:
            _logger.warning("%s: held until approved: %s", self.entity_id, ", ".join(change.held))
        self._on_key_change(change)

    def _find_usable(self, now: datetime) -> _Copy | None:
        copy = self._copy
        return copy if copy is not None and now < copy.loaded_at + KEEP_AT_MOST else None

    def _has_just_failed(self, now: datetime) -> bool:
        return self._failure is not None and self._failure.at <= now < self._failure.at + RETRY_AFTER

    def _succeed(self, document: bytes, metadata: IdPMetadata, now: datetime) -> None:
        before, self._copy, self._failure = self._copy, _Copy(metadata, now), None
        self._due_at = now + find_interval(metadata, now)
        if before is not None:
            _report_addresses(self.entity_id, before.metadata, metadata)
        if self._saved is not None:
            try:
                self._saved.write(document, now)
            except OSError as error:
                _logger.warning("the metadata of %s could not be saved: %s", self.entity_id, error)

    def _fail(self, error: ProviderUnavailable, now: datetime) -> None:
        count = self._failure.count + 1 if self._failure else 0
        self._failure = _Failure(error, now, count)
        longest = RETRY_WITHOUT_COPY if self._find_usable(now) is None else RETRY_AT_LEAST_AFTER
        self._due_at = now + min(RETRY_AFTER * 2 ** min(count, _MAX_DOUBLINGS), longest)
        _logger.warning("the metadata of %s was not refreshed: %s: %s", self.entity_id, error.code, error.detail)


def find_interval(metadata: IdPMetadata, now: datetime) -> timedelta:
    """Return how long to wait before the next refresh: a little less than allowed, and not all machines at once."""
    longest = min(max(metadata.cache_duration or REFRESH_AFTER, REFRESH_AT_LEAST_AFTER), KEEP_AT_MOST)
    if metadata.valid_until is not None:
        longest = min(longest, (metadata.valid_until - now) / 2)
    return max(longest * _SPREAD.uniform(0.75, 0.9), REFRESH_AT_LEAST_AFTER)


def _report_addresses(entity_id: str, before: IdPMetadata, after: IdPMetadata) -> None:
    if (before.sso_redirect_url, before.sso_post_url) != (after.sso_redirect_url, after.sso_post_url):
        _logger.warning("%s has changed its sign-in addresses", entity_id)


def _thumbprints(certificates: Iterable[SigningCertificate]) -> frozenset[str]:
    return frozenset(certificate.thumbprint for certificate in certificates)
