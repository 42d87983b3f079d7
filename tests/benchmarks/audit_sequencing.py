"""What sequencing costs the sign-ins beside it: in a thread of their process, or in a process of its own.

    python -m tests.benchmarks.audit_sequencing

Four threads do what sign-ins do: about three milliseconds of Python, then four records in one step. Beside them
nothing is sequenced (``nowhere``), or every second what is new: by a thread of the same process (``thread``), or by a
process of its own with a lower priority (``process``). Shown are sign-ins a second, and how long they took. The three
take turns.
"""

import multiprocessing
import os
import statistics
import tempfile
import threading
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.audit.database import open_database
from bridge.audit.log import AuditLog
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.record import encode_body
from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.clock import SystemClock
from tests.audit_log import SEALER
from tests.benchmarks.audit_append import ORIGIN, make_event

THREADS = 4
SECONDS = float(os.environ.get("RAMBRIDGE_BENCHMARK_SECONDS", "6"))
ROUNDS = int(os.environ.get("RAMBRIDGE_BENCHMARK_ROUNDS", "3"))
WAYS = ("nowhere", "thread", "process")
_WORK_MILLISECONDS = 3.0


def sequence(url: str) -> None:
    """Sequence for ever, as a process of its own."""
    os.nice(10)
    build_sequencer(url).run_forever(threading.Event())


def build_sequencer(url: str) -> Sequencer:
    """Return what sequences a database."""
    engine = open_database(url)
    signer = Signer("benchmark/audit", Ed25519PrivateKey.generate())
    return Sequencer(engine, signer, SystemClock(), mac_key=AuditSecrets(engine, SEALER).mac_key)


def work(times: int) -> None:
    """Do what else a sign-in does."""
    content = {f"field{number}": "x" * 40 for number in range(20)}
    for _ in range(times):
        encode_body(content)


def calibrate() -> int:
    """Return how often :func:`work` has to repeat itself to take its milliseconds of CPU."""
    began = time.thread_time()
    work(1000)
    return int(_WORK_MILLISECONDS / ((time.thread_time() - began) * 1000) * 1000)


def run(way: str, folder: str, times: int) -> list[float]:
    """Return how many milliseconds each sign-in took."""
    url = f"sqlite:///{folder}/{way}-{time.monotonic_ns()}.db"
    engine = open_database(url)
    log = AuditLog(engine, AuditSecrets(engine, SEALER), SystemClock())
    stop = threading.Event()
    child = multiprocessing.get_context("spawn").Process(target=sequence, args=(url,), daemon=True)
    if way == "thread":
        threading.Thread(target=build_sequencer(url).run_forever, args=(stop,), daemon=True).start()
    elif way == "process":
        child.start()
    took: list[float] = []

    def sign_in_repeatedly(end: float) -> None:
        number = 0
        while (began := time.perf_counter()) < end:
            work(times)
            log.append(ORIGIN, *(make_event(number + each) for each in range(4)))
            took.append((time.perf_counter() - began) * 1000)
            number += 4

    time.sleep(2)
    end = time.perf_counter() + SECONDS
    threads = [threading.Thread(target=sign_in_repeatedly, args=(end,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    if way == "process":
        child.terminate()
        child.join()
    engine.dispose()
    return sorted(took)


def main() -> None:
    """Print the figures."""
    times = calibrate()
    print(f"{THREADS} threads, median of {ROUNDS} rounds of {SECONDS:.0f} s\n")
    rows: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for _ in range(ROUNDS):
            for way in WAYS:
                took = run(way, folder, times)
                p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
                rows[way].append((len(took) / SECONDS, p50, p99))
    for way in WAYS:
        rate, p50, p99 = (statistics.median(each) for each in zip(*rows[way], strict=True))
        print(f"{way:<8} {rate:6.0f} sign-ins/s  median {p50:6.1f} ms  p99 {p99:6.1f} ms")


if __name__ == "__main__":
    main()
