"""What sharing an exchange is worth: a release of kept credentials against one that asks STS, in the same run.

    python -m tests.benchmarks.exchange

Both go through the cache, with a real Redis and real signatures; the STS is a stand-in on loopback that checks nothing,
so a real one makes the difference larger by the time of the network and of its own work. There is no audit log in it:
each release costs one record, whichever way it went. Then 500 threads ask at once.
"""

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bridge.clock import SystemClock
from bridge.entitlements.choice import Choice
from bridge.exchange.assume import Exchange
from bridge.exchange.cache import CredentialsCache
from bridge.exchange.sts_client import STSClient
from bridge.exchange.waiting_room import WaitingRoom
from bridge.keys import KeyFolder, create_missing
from bridge.outbound import Outbound
from bridge.sealing import Sealer
from tests.factories import make_account, make_entitlement, make_identity
from tests.fakes.alibaba_sts import AlibabaSTS
from tests.live_store import running_store

ROUNDS = 60
AT_ONCE = 500
GOAL = 10.0
"""How many times faster a kept release should be than one that asks an STS without any network between."""


def ask(cache: CredentialsCache, subject: str) -> None:
    """Release credentials to somebody."""
    cache.obtain(Choice(make_identity(subject=subject), make_entitlement()), "REFERENCE", lambda _: None)


def measure(act: Callable[[int], None]) -> float:
    """Return the median of the seconds that a call takes."""
    took = []
    for number in range(ROUNDS):
        begun = time.perf_counter()
        act(number)
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def measure_crowd(cache: CredentialsCache, sts: AlibabaSTS) -> tuple[float, int]:
    """Return how long it takes until everybody of a crowd has credentials, and how many exchanges that made."""
    start, before = threading.Barrier(AT_ONCE + 1), len(sts.requests)

    def run() -> None:
        start.wait()
        ask(cache, "crowd")

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun, len(sts.requests) - before


def main() -> None:
    """Print medians, their ratio, and what a crowd costs."""
    clock = SystemClock()
    with TemporaryDirectory() as folder, AlibabaSTS() as sts, running_store() as redis:
        create_missing(Path(folder), clock)
        account = make_account(endpoint=sts.url, timeout_seconds=30)
        exchange = Exchange(
            {account.name: account},
            issuer="https://bridge.example.com",
            entity_id="https://bridge.example.com/cloud/saml/metadata",
            keys=KeyFolder(Path(folder)),
            sts=STSClient(Outbound(development=True), clock),
            clock=clock,
        )
        cache = CredentialsCache(exchange, redis, Sealer(bytes(32)), clock, WaitingRoom(1000))
        ask(cache, "warm")
        asked = measure(lambda number: ask(cache, f"person {number}"))
        kept = measure(lambda _: ask(cache, "warm"))
        seconds, exchanges = measure_crowd(cache, sts)
    print(f"asking STS        {asked * 1000:7.2f} ms")
    print(f"kept              {kept * 1000:7.2f} ms   {asked / kept:.1f} times faster (goal {GOAL:.0f})")
    print(f"{AT_ONCE} at once       {seconds * 1000:7.0f} ms   {exchanges} exchange(s)")


if __name__ == "__main__":
    main()
