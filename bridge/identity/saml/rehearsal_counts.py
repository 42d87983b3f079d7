"""What the rehearsal has seen, counted beside the sign-ins: small numbers in Redis, an hour in each key.

A sign-in only puts its signature values into a queue. One thread in each process asks whose they are, sees to it that
a message that is posted twice counts once, and adds up. What cannot be counted is not counted, and nobody is refused
for it.
"""

import contextlib
import hashlib
import logging
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bridge.errors import StoreUnavailable, Unsealable
from bridge.identity.saml.metadata import SigningCertificate
from bridge.identity.saml.signature import CheckedValue
from bridge.language import list_texts, translate, translate_number
from bridge.store_connection import RedisClient, build_key, store_errors

_logger = logging.getLogger(__name__)

KEPT_FOR = timedelta(days=7)
WINDOW_HOURS = 24
COUNTED_ONCE_FOR = timedelta(hours=1)
"""Longer than any message is accepted."""
QUEUE_LENGTH = 4_096
"""What is seen while so many wait is left out, of those that would verify and those that would not alike."""
_HOUR_SECONDS = 3_600
_BATCH = 256
_BY = "by:"


@dataclass(frozen=True)
class Sighting:
    """One message, for the thread to make counts of."""

    provider: str
    staged: tuple[SigningCertificate, ...]
    at: datetime
    values: tuple[CheckedValue, ...] = field(default=(), repr=False)
    """Every signature that verified."""
    signers: tuple[SigningCertificate, ...] = ()
    """Whose they can be."""
    refused: bool = False
    """Whether it was refused, since only a staged key verifies it."""
    stranger: bool = False
    """Whether it was refused, and neither a trusted nor a staged key verifies it."""

    @property
    def bucket(self) -> str:
        """The key that counts its hour."""
        return _bucket(self.provider, self.staged, self.at)


@dataclass(frozen=True)
class Rehearsed:
    """What the last hours have shown of one provider."""

    seen: int = 0
    """Sign-ins: those accepted, and those refused for their key alone."""
    would_verify: int = 0
    """Of these, how many would verify with the staged certificates only."""
    refused: int = 0
    """Of these, how many were refused, since only a staged certificate verifies them."""
    strangers: int = 0
    """Messages besides, by a key that is neither trusted nor staged. Anybody can send such."""
    signed_by: Mapping[str, int] = field(default_factory=dict)
    """Sign-ins by the certificate (SHA-256, hexadecimal) that verifies them."""
    last: datetime | None = None
    last_would_verify: datetime | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the cut-over would lose nobody who was seen."""
        return self.seen == self.would_verify > 0

    @property
    def percent(self) -> int:
        """How many of a hundred would verify: 100 only where all would."""
        return 100 * self.would_verify // max(self.seen, 1)

    def describe(self) -> str:
        """Return what it means for the cut-over, in words for an administrator."""
        if not self.seen:
            return translate(
                "no sign-in of the last %(hours)s hours was tried: nothing is known yet", hours=WINDOW_HOURS
            )
        text = translate(
            "%(would)s of %(seen)s sign-ins of the last %(hours)s hours would verify",
            would=self.would_verify,
            seen=self.seen,
            hours=WINDOW_HOURS,
        )
        if self.refused:
            refused = translate_number(
                "%(number)s of them is refused until then", "%(number)s of them are refused until then", self.refused
            )
            text = translate("%(first)s; %(second)s", first=text, second=refused)
        most = sorted(self.signed_by.items(), key=lambda item: -item[1])
        signed = list_texts(
            translate("%(number)s signed by %(certificate)s", number=number, certificate=thumbprint[:16])
            for thumbprint, number in most
        )
        text = translate("%(first)s; %(second)s", first=text, second=signed)
        if self.is_ready:
            return translate("%(finding)s: the cut-over would lose none", finding=text)
        return translate("%(finding)s: do not cut over yet", finding=text)


class RehearsalCounter:
    """Counts beside the sign-ins. Make it after a fork: it owns a thread."""

    def __init__(self, redis: RedisClient) -> None:
        """Take the store."""
        self._redis = redis
        self._queue: queue.Queue[Sighting] = queue.Queue(QUEUE_LENGTH)
        threading.Thread(target=self._count_forever, name="rehearsal", daemon=True).start()

    def note(self, sighting: Sighting) -> None:
        """Have it counted soon. Never waits and never fails."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(sighting)

    def read(self, provider: str, staged: Sequence[SigningCertificate], now: datetime) -> Rehearsed:
        """Return :func:`read_rehearsed` for a provider, of all processes."""
        return read_rehearsed(self._redis, provider, staged, now)

    def settle(self) -> None:
        """Return when everything that was noted before is counted."""
        self._queue.join()

    def _count_forever(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            try:
                self._count(batch)
            except (StoreUnavailable, Unsealable) as error:
                _logger.warning("%d sign-ins were not counted for the rehearsal: %s", len(batch), error.detail)
            except Exception as error:  # noqa: BLE001  nobody would start the thread again
                _logger.error("counting for the rehearsal failed: %s", type(error).__name__)  # noqa: TRY400
            for _ in batch:
                self._queue.task_done()

    def _count(self, batch: Sequence[Sighting]) -> None:
        counts: dict[str, Counter[str]] = {}
        latest: dict[tuple[str, str], datetime] = {}
        with store_errors():
            for sighting in batch:
                if sighting.stranger or self._is_first(sighting):
                    key, fields = sighting.bucket, _add_up(sighting)
                    counts.setdefault(key, Counter()).update(fields)
                    latest |= {(key, f"last-{name}"): sighting.at for name in ("seen", "would") if fields[name]}
            pipeline = self._redis.pipeline(transaction=False)
            for key, fields in counts.items():
                for name, amount in fields.items():
                    pipeline.hincrby(key, name, amount)
                pipeline.pexpire(key, KEPT_FOR)
            for (key, name), moment in latest.items():
                pipeline.hset(key, name, int(moment.timestamp()))
            pipeline.execute()

    def _is_first(self, sighting: Sighting) -> bool:
        digest = hashlib.sha256(b"".join(value.value for value in sighting.values)).hexdigest()
        key = build_key("rehearsed", sighting.provider, *(each.thumbprint for each in sighting.staged), digest)
        return self._redis.set(key, b"", nx=True, px=COUNTED_ONCE_FOR) is not None


def read_rehearsed(
    redis: RedisClient, provider: str, staged: Sequence[SigningCertificate], now: datetime, hours: int = WINDOW_HOURS
) -> Rehearsed:
    """Return what the last ``hours``, the one that has begun included, have shown of a provider.

    Only what was tried with exactly these staged certificates counts. Raises StoreUnavailable.
    """
    with store_errors():
        pipeline = redis.pipeline(transaction=False)
        for ago in range(hours):
            pipeline.hgetall(_bucket(provider, staged, now - timedelta(hours=ago)))
        buckets = pipeline.execute()
    total: Counter[str] = Counter()
    latest: dict[str, int] = {}
    for bucket in buckets:
        for name, value in _read_numbers(bucket):
            if name.startswith("last-"):
                latest[name] = max(latest.get(name, 0), value)
            else:
                total[name] += value
    return Rehearsed(
        seen=total["seen"],
        would_verify=total["would"],
        refused=total["refused"],
        strangers=total["strangers"],
        signed_by={name.removeprefix(_BY): number for name, number in total.items() if name.startswith(_BY)},
        last=_read_moment(latest.get("last-seen")),
        last_would_verify=_read_moment(latest.get("last-would")),
    )


def _read_numbers(bucket: Mapping[bytes, bytes]) -> Iterator[tuple[str, int]]:
    for name, value in bucket.items():
        if value.isdigit():
            yield name.decode("ascii", "replace"), int(value)


def _read_moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _bucket(provider: str, staged: Sequence[SigningCertificate], at: datetime) -> str:
    hour = int(at.timestamp()) // _HOUR_SECONDS
    return build_key("rehearsal", provider, *sorted(each.thumbprint for each in staged), str(hour))


def _add_up(sighting: Sighting) -> Counter[str]:
    if sighting.stranger:
        return Counter(strangers=1)
    keys = [each.key for each in sighting.staged]
    would = all(value.is_by(keys) for value in sighting.values)
    counts = Counter(seen=1, would=int(would), refused=int(sighting.refused))
    for thumbprint in {_find_signer(value, sighting.signers) for value in sighting.values}:
        counts[f"{_BY}{thumbprint}"] += 1
    return counts


def _find_signer(value: CheckedValue, signers: Sequence[SigningCertificate]) -> str:
    return next((each.thumbprint for each in signers if each.key == value.key), "")
