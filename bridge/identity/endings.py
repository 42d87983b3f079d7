"""What of the trust between providers and us ends, and how soon: certificates, metadata, our own keys.

Nothing here refuses anything; it says in time what will be refused. The bounds are 30, 14 and 3 days. The words are in
the language that is spoken while they are made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from bridge.errors import ProviderUnavailable, SAMLMetadata
from bridge.identity.providers import OIDCProvider, SAMLProvider
from bridge.identity.saml.metadata import IdPMetadata, hold_unapproved, read_idp_metadata
from bridge.identity.saml.metadata_cache import KEEP_AT_MOST, MetadataCache
from bridge.identity.saml.rehearsal import StagedCertificate, read_staged
from bridge.identity.saml.saved_metadata import find_saved_metadata
from bridge.keys import KeyDescription
from bridge.language import mark, translate, translate_number

WARN_DAYS = (3, 14, 30)
_SLOTS = {
    "current": mark("%(purpose)s current"),
    "next": mark("%(purpose)s next"),
    "previous": mark("%(purpose)s previous"),
}


@dataclass(frozen=True)
class ProviderStatus:
    """What is known of one provider without asking it."""

    name: str
    metadata: IdPMetadata | None = None
    loaded_at: datetime | None = None
    is_local: bool = False
    """Whether nobody but the administrator renews the metadata."""
    fault: str = ""
    """Why there is no metadata, or no newer one."""
    staged: tuple[StagedCertificate, ...] = ()
    staged_fault: str = ""
    """Why nothing is rehearsed."""

    def is_stale(self, now: datetime) -> bool:
        """Tell whether the last good copy is too old to be used."""
        return not self.is_local and self.loaded_at is not None and now >= self.loaded_at + KEEP_AT_MOST


@dataclass(frozen=True)
class Ending:
    """Something that ends."""

    what: str
    at: datetime
    counts: bool = True
    """False: something else takes its place, or it renews itself."""

    def find_bound(self, now: datetime) -> int | None:
        """Return the least of the bounds (in days) within which it ends; None if it is not near, or does not count."""
        return next((days for days in WARN_DAYS if self.counts and self.at <= now + timedelta(days=days)), None)


def find_status(name: str, cache: MetadataCache, staged: tuple[StagedCertificate, ...]) -> ProviderStatus:
    """Return what the running service knows of a provider."""
    metadata, loaded_at = cache.current() or (None, None)
    failure = cache.last_failure()
    fault = f"{failure[0].code}: {failure[0].detail}" if failure else ""
    return ProviderStatus(name, metadata, loaded_at, cache.is_local, fault, staged)


def read_status(provider: SAMLProvider | OIDCProvider, data_folder: Path, now: datetime) -> ProviderStatus:
    """Return what the administrator's files, or the saved copy, say of a provider; nothing is fetched."""
    if isinstance(provider, OIDCProvider):
        return ProviderStatus(provider.name)
    status = _read_metadata_status(provider, data_folder, now)
    try:
        return replace(status, staged=read_staged(provider))
    except SAMLMetadata as error:
        return replace(status, staged_fault=error.detail)


def _read_metadata_status(provider: SAMLProvider, data_folder: Path, now: datetime) -> ProviderStatus:
    saved = find_saved_metadata(provider, data_folder)
    try:
        if saved is None:
            path = Path(provider.metadata)
            document, loaded_at = path.read_bytes(), datetime.fromtimestamp(path.stat().st_mtime, UTC)
        else:
            found = saved.read()
            if found is None:
                return ProviderStatus(provider.name, fault="no copy of its metadata is saved yet")
            document, loaded_at = found
        metadata = hold_unapproved(read_idp_metadata(document, provider, now), provider)
    except OSError as error:
        return ProviderStatus(provider.name, is_local=True, fault=f"its metadata cannot be read: {error.strerror}")
    except ProviderUnavailable as error:
        return ProviderStatus(provider.name, is_local=saved is None, fault=f"{error.code}: {error.detail}")
    return ProviderStatus(provider.name, metadata, loaded_at, is_local=saved is None)


def find_provider_endings(status: ProviderStatus, now: datetime) -> Iterator[Ending]:
    """Yield what ends of one provider's metadata, the certificates in their order first, and what is staged last."""
    yield from _find_metadata_endings(status, now)
    for staged in status.staged:
        what = translate("staged certificate %(certificate)s", certificate=staged.certificate.short)
        yield Ending(what, staged.certificate.not_after)


def _find_metadata_endings(status: ProviderStatus, now: datetime) -> Iterator[Ending]:
    if status.metadata is None or status.loaded_at is None:
        return
    last = max(certificate.not_after for certificate in status.metadata.certificates)
    for certificate in status.metadata.certificates:
        end = certificate.not_after
        name = translate("certificate %(certificate)s", certificate=certificate.short)
        yield Ending(name, end, counts=end > now or end == last)  # one that has ended may be left over from a roll-over
    if status.metadata.valid_until is not None:
        yield Ending(translate("metadata"), status.metadata.valid_until, counts=status.is_local)
    if not status.is_local:
        yield Ending(translate("last good copy"), status.loaded_at + KEEP_AT_MOST, counts=False)


def find_key_endings(keys: Sequence[KeyDescription]) -> Iterator[Ending]:
    """Yield what ends of our own keys. What a previous key signed is long out of use."""
    for key in keys:
        if key.not_after is not None:
            what = translate(_SLOTS[key.slot], purpose=key.purpose)
            yield Ending(what, key.not_after, counts=key.slot != "previous")


def describe_near(endings: Mapping[str, Sequence[Ending]], now: datetime) -> Iterator[str]:
    """Yield one line for each thing that ends within the longest bound, by whose it is."""
    for owner, each in endings.items():
        for ending in each:
            if ending.find_bound(now) is not None:
                yield f"{owner}: {ending.what} {describe_end(ending.at, now)}"


def describe_end(end: datetime, now: datetime) -> str:
    """Return when something ends, in words."""
    days = (end - now).total_seconds() / 86_400
    if days <= 0:
        return translate("ended on %(day)s", day=format(end, "%Y-%m-%d"))
    if days < 1.5:  # noqa: PLR2004
        return translate("ends on %(time)s UTC", time=format(end, "%Y-%m-%d %H:%M"))
    return translate("ends on %(day)s, in %(days)s days", day=format(end, "%Y-%m-%d"), days=format(days, ".0f"))


def describe_freshness(
    status: ProviderStatus, now: datetime, *, signed: bool, local: Literal["read", "written"] = "written"
) -> str:
    """Return how old the metadata is, in words; ``local`` is what happened to a file then."""
    if status.loaded_at is None:
        return translate("not loaded")
    age = describe_age(now - status.loaded_at)
    if not status.is_local:
        came = translate("fetched %(age)s ago", age=age)
    elif local == "read":
        came = translate("from a file, read %(age)s ago", age=age)
    else:
        came = translate("from a file, written %(age)s ago", age=age)
    if status.is_stale(now):
        came = translate("%(how)s, which is too old to be used", how=came)
    return translate("%(how)s, signed by the pinned key", how=came) if signed else came


def describe_age(age: timedelta) -> str:
    """Return how old something is, in words."""
    minutes = max(int(age.total_seconds() // 60), 0)
    if minutes < 120:  # noqa: PLR2004
        return translate_number("%(number)s minute", "%(number)s minutes", minutes)
    hours = minutes // 60
    if hours < 72:  # noqa: PLR2004
        return translate_number("%(number)s hour", "%(number)s hours", hours)
    return translate_number("%(number)s day", "%(number)s days", hours // 24)
