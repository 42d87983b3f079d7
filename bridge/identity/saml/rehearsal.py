"""The rehearsal of a certificate roll-over: would the sign-ins of these days verify with the provider's next key?

An administrator names the certificate that the provider is going to sign with (``staged_certificates``). It is never
trusted. The signatures of each sign-in are asked whether a staged key made them: of an accepted one later, by the
thread of ``rehearsal_counts``; of one that no trusted key made at once, since the refusal is to say so.

A message that only a staged key verifies goes through every check again as if that key were trusted. So "would have
verified" means the whole message, and a stranger, who has no such key, can make us do no more than one comparison.
Threat SAML-29.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.errors import IdentityError, SAMLAlgorithm, SAMLMetadata, SAMLSignatureInvalid
from bridge.identity.providers import SAMLProvider
from bridge.identity.saml.expected import Expected
from bridge.identity.saml.metadata import SigningCertificate, read_certificate_file
from bridge.identity.saml.rehearsal_counts import RehearsalCounter, Rehearsed, Sighting
from bridge.identity.saml.response import verify_response
from bridge.identity.saml.signature import CheckedValue
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.verified import VerifiedIdentity

_MOST_NAMED = 4


@dataclass(frozen=True)
class StagedCertificate:
    """A certificate that the provider will sign with."""

    certificate: SigningCertificate
    since: datetime
    """When its file was written."""

    @property
    def counts_from(self) -> datetime:
        """The moment since which it would verify what its key signs."""
        return max(self.since, self.certificate.not_before)


def read_staged(provider: SAMLProvider) -> tuple[StagedCertificate, ...]:
    """Return the staged certificates of a provider. Raises SAMLMetadata if one cannot be used."""
    return tuple(_read_staged(path) for path in provider.staged_certificates)


def _read_staged(path: Path) -> StagedCertificate:
    certificate = read_certificate_file(path)
    try:
        written = path.stat().st_mtime
    except OSError as error:
        raise SAMLMetadata(f"the certificate in {path} cannot be read") from error
    return StagedCertificate(certificate, datetime.fromtimestamp(written, UTC))


class Rehearsal:
    """One provider's sign-ins, verified with the keys that count and tried with those that are staged."""

    def __init__(
        self, provider: str, staged: Sequence[StagedCertificate] = (), counter: RehearsalCounter | None = None
    ) -> None:
        """Take the provider's name, what is staged, and where to count; without a counter nothing is counted."""
        self._provider = provider
        self._staged = tuple(staged)
        self._certificates = tuple(each.certificate for each in staged)
        self._keys = tuple(certificate.key for certificate in self._certificates)
        self._counter = counter

    @property
    def staged(self) -> tuple[StagedCertificate, ...]:
        """The certificates that are tried, and not trusted."""
        return self._staged

    def read(self, now: datetime) -> Rehearsed | None:
        """Return what the last hours have shown; None if nothing is rehearsed. Raises StoreUnavailable."""
        if not self._staged or self._counter is None:
            return None
        return self._counter.read(self._provider, self._certificates, now)

    def verify(
        self, encoded: str, expected: Expected, certificates: Sequence[SigningCertificate], trace: SAMLTrace
    ) -> VerifiedIdentity:
        """Return who the provider says this is: :func:`verify_response`, no more and no less.

        ``certificates`` are those of the provider's metadata; ``trace`` takes down which check has begun. Raises what
        that raises; where no trusted key made the signature, the detail says which one was expected and what a staged
        one would have done.
        """
        try:
            identity = verify_response(encoded, expected, trace)
        except (SAMLSignatureInvalid, SAMLAlgorithm) as error:
            value = trace.signatures.get(trace.at)
            if value is None or value.key is not None:
                raise
            parts = (error.detail, _describe_expected(certificates), *self._try_staged(encoded, expected, value))
            raise type(error)("; ".join(parts)) from error
        self._note(expected.now, values=tuple(trace.signatures.values()), signers=tuple(certificates))
        return identity

    def _try_staged(self, encoded: str, expected: Expected, value: CheckedValue) -> Iterator[str]:
        """Yield what a staged certificate would have made of a message that was refused, and count it."""
        if not self._staged:
            return
        signer = next((each for each in self._staged if value.is_by([each.certificate.key])), None)
        if signer is None:
            yield "nor was it signed by a staged one"
            self._note(expected.now, stranger=True)
            return
        trace = SAMLTrace()
        try:
            verify_response(encoded, replace(expected, keys=self._keys), trace)
        except IdentityError as refusal:
            yield f"it was signed by {_describe_staged(signer)}, and would then be refused as {refusal.code}"
        else:
            yield f"{_describe_staged(signer)} would have verified it from {signer.counts_from:%Y-%m-%d %H:%M} UTC on"
            values = tuple(trace.signatures.values())
            self._note(expected.now, values=values, signers=self._certificates, refused=True)

    def _note(self, at: datetime, **what: Any) -> None:
        if self._staged and self._counter is not None:
            self._counter.note(Sighting(self._provider, self._certificates, at, **what))


def _describe_expected(certificates: Sequence[SigningCertificate]) -> str:
    named = [f"{each.short} (ends {each.not_after:%Y-%m-%d})" for each in certificates[:_MOST_NAMED]]
    more = f" and {len(certificates) - _MOST_NAMED} more" if len(certificates) > _MOST_NAMED else ""
    return f"expected was the metadata's certificate {' or '.join(named)}{more}"


def _describe_staged(staged: StagedCertificate) -> str:
    certificate = staged.certificate
    validity = f"valid {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
    return f"the certificate {certificate.short}, staged {staged.since:%Y-%m-%d %H:%M} UTC, {validity},"
