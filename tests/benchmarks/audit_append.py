"""How fast records are made durable, against one write and fdatasync of the same bytes.

    python -m tests.benchmarks.audit_append [postgresql+psycopg://…]

==========  ==========================================================================================
floor       write and fdatasync of one record's bytes at a time, in the same folder
callers     threads of one process that append and wait, as sign-ins do: rows a second, and that by the floor
processes   of eight callers each: rows a second, and the 99th percentile, against one process alone, and against one
            process with as many callers as all of them: whoever shares a machine with four times as many waits longer
            even without a lock
==========  ==========================================================================================

Three shapes are measured: ``own``, what Rambridge does: each process has a chain of its own, and a sequencer gives the
records one order afterwards. ``shared``: one chain, whose head each transaction reads under the database's write lock.
``socket``: one process writes for all, and the others hand it their records over a Unix socket. On PostgreSQL the floor
is one row a commit, written by one caller, and the server has to wait for its disk: what is printed says so.

Databases are made in a temporary folder below the current one (so not in memory) or, on the server that is named,
with a name of their own.
"""

import multiprocessing
import os
import queue
import socket
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, make_url, text

from bridge.audit.content import Describer
from bridge.audit.database import open_database
from bridge.audit.events import ExchangeIssued, Origin
from bridge.audit.keeping.durability import read_durability
from bridge.audit.log import AuditLog
from bridge.audit.record import encode_body, link
from bridge.audit.secrets import AuditSecrets
from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.sealing import Sealer

ORIGIN = Origin("1A2B-3C4D-5E6F", "192.0.2.7")
CALLERS = (1, 4, 16, 64)
PROCESSES = (1, 2, 4)
THREADS = 8
SECONDS = float(os.environ.get("RAMBRIDGE_BENCHMARK_SECONDS", "2"))
ROUNDS = int(os.environ.get("RAMBRIDGE_BENCHMARK_ROUNDS", "3"))
_SEALER = Sealer(bytes(32))

Append = Callable[[int], None]


def make_event(number: int) -> ExchangeIssued:
    """Return what is recorded of an exchange; there are 200 people."""
    return ExchangeIssued(
        provider="acme-saml",
        issuer="https://idp.example.com/metadata",
        subject=f"person-{number % 200}",
        person="Lin Wei",
        account="acme-production",
        entitlement="role Developer",
        rule="10-platform.yaml:platform",
        rules_version="0" * 64,
        trust="saml",
        role_session_name="lin.wei@example.com",
        access_key_id="STS.NUGoqBgBdUyFiVcMbKAtLzFRw",
        expires_at="2026-11-29T12:00:00Z",
        duration_seconds=3600,
        decided_by="rule",
        sts_request_id="0C5D9DB1-7F3A-4E0B-9E52-2B9D4E2A8F11",
        acr="https://refeds.org/profile/mfa",
        amr=("pwd", "hwk"),
    )


def open_own(url: str) -> Append:
    """Return what appends to a chain of this process."""
    engine = open_database(url)
    log = AuditLog(engine, AuditSecrets(engine, _SEALER), SystemClock(), privileged=["*/*[Aa]dmin*"])
    return lambda number: log.append(ORIGIN, make_event(number))


class SharedChain:
    """Group commit of one process to a chain that all processes share."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        audit = open_database(url)
        self._secrets = AuditSecrets(audit, _SEALER)
        self._describer = Describer(self._secrets)
        self._queue: queue.SimpleQueue[tuple[str, threading.Lock]] = queue.SimpleQueue()
        threading.Thread(target=self._write_forever, daemon=True).start()

    def append(self, number: int) -> None:
        content = self._describer.describe(ORIGIN, make_event(number))
        sealed = self._secrets.seal(content.key_name, {}) + content.personal.decode()
        lock = threading.Lock()
        lock.acquire()
        self._queue.put((encode_body(content.plain | {"sealed": sealed}), lock))
        lock.acquire()

    def _write_forever(self) -> None:
        while True:
            batch = [self._queue.get()]
            while not self._queue.empty() and len(batch) < 256:
                batch.append(self._queue.get())
            with self._engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
                last = connection.execute(text("SELECT id, mac FROM shared ORDER BY id DESC LIMIT 1")).first()
                place, mac = (last.id, bytes.fromhex(last.mac)) if last else (0, bytes(32))
                rows = []
                for body, _ in batch:
                    place, mac = place + 1, link(self._secrets.mac_key, mac, body)
                    rows.append({"id": place, "body": body, "mac": mac.hex()})
                connection.execute(text("INSERT INTO shared VALUES (:id, :body, :mac)"), rows)
            for _, lock in batch:
                lock.release()


def serve_socket(url: str, path: str) -> None:
    """Write for all processes that connect: each line is a request to record, each answer one byte."""
    append = open_own(url)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(256)

    def answer(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                append(int(line.partition(b" ")[0]))
                connection.sendall(b"+")

    while True:
        connection, _ = server.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def open_socket(path: str) -> Append:
    """Return what asks the process that writes; each thread has a connection."""
    local = threading.local()
    padding = b"x" * 900

    def append(number: int) -> None:
        if not hasattr(local, "connection"):
            local.connection = socket.socket(socket.AF_UNIX)
            local.connection.connect(path)
        local.connection.sendall(b"%d %b\n" % (number, padding))
        local.connection.recv(1)

    return append


def run_callers(append: Append, callers: int, seconds: float) -> list[float]:
    """Return how long each append took, of threads that append for some seconds."""
    took: list[list[float]] = [[] for _ in range(callers)]
    started = threading.Barrier(callers + 1)

    def call(caller: int) -> None:
        append(caller)
        started.wait()
        end = time.perf_counter() + seconds
        number = caller
        while (before := time.perf_counter()) < end:
            append(number)
            took[caller].append(time.perf_counter() - before)
            number += callers

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    started.wait()
    for thread in threads:
        thread.join()
    return [each for times in took for each in times]


def run_process(  # noqa: PLR0917  what another process is told
    shape: str, url: str, path: str, callers: int, barrier: Barrier, results: "multiprocessing.Queue[list[float]]"
) -> None:
    """Be one of the processes."""
    append = {"own": open_own, "shared": lambda url: SharedChain(url).append, "socket": lambda _: open_socket(path)}[
        shape
    ](url)
    append(0)
    barrier.wait()
    results.put(run_callers(append, callers, SECONDS))


def run_processes(shape: str, url: str, processes: int, callers: int = THREADS) -> tuple[float, float]:
    """Return rows a second of all together, and the 99th percentile in milliseconds."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/log"
        engine = open_database(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE shared (id BIGINT PRIMARY KEY, body TEXT, mac TEXT)"))
        engine.dispose()
        writer = context.Process(target=serve_socket, args=(url, path), daemon=True) if shape == "socket" else None
        if writer:
            writer.start()
            while not Path(path).exists():
                time.sleep(0.05)
        workers = [
            context.Process(target=run_process, args=(shape, url, path, callers, barrier, results))
            for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        took = sorted(each for _ in workers for each in results.get())
        for worker in workers:
            worker.join()
        if writer:
            writer.terminate()
            writer.join()
    return len(took) / SECONDS, took[int(len(took) * 0.99)] * 1000


def measure_floor(folder: Path, size: int) -> float:
    """Return how many writes of so many bytes, each with its fdatasync, a second has."""
    with (folder / "floor").open("ab", buffering=0) as file:
        sync = getattr(os, "fdatasync", os.fsync)
        end, count = time.perf_counter() + SECONDS, 0
        while time.perf_counter() < end:
            file.write(bytes(size))
            sync(file.fileno())
            count += 1
    return count / SECONDS


def measure_single_commits(engine: Engine, body: str) -> float:
    """Return how many rows a second one caller commits one by one."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE single (id BIGINT PRIMARY KEY, body TEXT)"))
    end, count = time.perf_counter() + SECONDS, 0
    with engine.connect() as connection:
        while time.perf_counter() < end:
            with connection.begin():
                connection.execute(text("INSERT INTO single VALUES (:id, :body)"), {"id": count, "body": body})
            count += 1
    return count / SECONDS


@contextmanager
def new_databases(server: str | None, folder: Path) -> Any:
    """Yield what gives the URL of a new database."""
    if server is None:
        yield lambda: f"sqlite:///{folder}/{uuid.uuid4().hex}.db"
        return
    administration = create_engine(server, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def create() -> str:
        made.append(f"benchmark_{uuid.uuid4().hex}")
        with administration.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {made[-1]}"))
        return make_url(server).set(database=made[-1]).render_as_string(hide_password=False)

    yield create
    with administration.connect() as connection:
        for name in made:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    administration.dispose()


def main() -> None:
    """Print the figures and their ratios."""
    server = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=".") as name, new_databases(server, Path(name)) as create:
        url = create()
        engine = open_database(url)
        secrets = AuditSecrets(engine, _SEALER)
        content = Describer(secrets).describe(ORIGIN, make_event(0))
        body = encode_body(content.plain | {"sealed": secrets.seal(content.key_name, {}) + content.personal.decode()})
        print(f"{engine.dialect.name}, bodies of {len(body)} bytes, median of {ROUNDS} rounds of {SECONDS:.0f} s")
        if server is not None:
            with engine.connect() as connection:
                print(read_durability(connection))
        print()
        floors = []
        rates: dict[int, list[float]] = {callers: [] for callers in CALLERS}
        for _ in range(ROUNDS):
            if server is None:
                floors.append(measure_floor(Path(name), len(body)))
            else:
                floors.append(measure_single_commits(open_engine(create()), body))
            append = open_own(create())
            for callers in CALLERS:
                rates[callers].append(len(run_callers(append, callers, SECONDS)) / SECONDS)
        floor = statistics.median(floors)
        print(f"floor {floor:,.0f} rows/s")
        for callers in CALLERS:
            rate = statistics.median(rates[callers])
            ratio = statistics.median(a / b for a, b in zip(rates[callers], floors, strict=True))
            print(f"{callers:>3} callers  {rate:>8,.0f} rows/s  {ratio:5.1f} × floor")
        print()
        for shape in ("own", "shared", "socket"):
            alone: dict[int, float] = {}
            shapes = [(1, THREADS * processes) for processes in PROCESSES]
            for processes, callers in shapes + [(processes, THREADS) for processes in PROCESSES[1:]]:
                runs = [run_processes(shape, create(), processes, callers) for _ in range(ROUNDS)]
                rate, p99 = (statistics.median(each) for each in zip(*runs, strict=True))
                if processes == 1:
                    alone[callers] = p99
                first, as_many = p99 / alone[THREADS], p99 / alone[processes * callers]
                ratios = f"{first:5.1f} × one process, {as_many:5.1f} × one with as many callers"
                print(f"{shape:<7} {processes} × {callers:<2}  {rate:>8,.0f} rows/s  p99 {p99:8.1f} ms  {ratios}")


if __name__ == "__main__":
    main()
