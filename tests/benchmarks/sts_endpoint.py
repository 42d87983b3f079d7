"""How fast the STS endpoint answers AssumeRoleWithOIDC, as ratios to a peer and to a floor in the same run.

    python -m tests.benchmarks.sts_endpoint

========  =======================================================================================================
floor     a bare Flask view under gunicorn that does one RS256 check (``sts_floor.py``)
moto      ``moto_server`` from PyPI, AssumeRoleWithWebIdentity; it verifies nothing and records nothing
again     ``rambridge serve``: the token verified, mapped by the rules, recorded on disk before the answer; what the
          upstream STS issued is in the cache already. The same token is shown again and again, as pods do
once      the same, and each call shows a token that was never seen before and counts once, as CI jobs do
========  =======================================================================================================

Each has one worker on one core, and the eight connections come from another core. The servers take turns; of several
rounds the best rate and the best 99th percentile count, since other programs on the machine can only make them worse.
CPU is that of the server's processes for one call.
The goals: at least 3.5 times moto's rate, and at most 0.3 times its 99th percentile. moto is installed into an
environment of its own, in ``var/benchmarks/moto``.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.sandbox.workspace import find_free_ports
from tests.attacks.sts.rig import Rig, running_rig
from tests.installation import ROOT, BridgeProcess, Installation

CALLS = 800
ROUNDS = 4
CONNECTIONS = 8
RATE_GOAL, LATENCY_GOAL = 3.5, 0.3
MOTO = ("moto[server]==5.2.5",)
MOTO_ENVIRONMENT = ROOT / "var" / "benchmarks" / "moto"
SETTINGS = """
workers: 1
threads: 8
sts:
  calls_per_minute_per_address: 10000000
  calls_per_minute_per_caller: 10000000
"""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Candidate:
    """A server, the calls that it gets, and who its processes are: those of one session of the system."""

    host: str
    bodies: Iterator[bytes]
    session: int


@dataclass(frozen=True)
class Round:
    """What one round measured: calls in a second, milliseconds, microseconds of CPU for a call."""

    rate: float
    median: float
    p99: float
    cpu: float


# ── The servers ──────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Let what is started within the block run on one core, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[number % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def run(command: list[str], port: int, log: Path) -> Iterator[int]:
    """Run a server in a session of its own until the block ends; yield the session."""
    with log.open("wb") as output, on_core(0):
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
    try:
        for _ in range(600):
            try:
                requests.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        else:
            raise AssertionError(log.read_text())
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def install_moto() -> Path:
    """Return the program ``moto_server``, installed if it is not there."""
    program = MOTO_ENVIRONMENT / "bin" / "moto_server"
    if not program.exists():
        print("installing moto …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(MOTO_ENVIRONMENT)], check=True)
        pip = [str(MOTO_ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", *MOTO], check=True)
    return program


@contextmanager
def run_ours(folder: Path) -> Iterator[tuple[Rig, int]]:
    """Run the bridge as people run it; yield its rig and its session."""
    made: list[Installation] = []

    @contextmanager
    def serve(_app: object, _url: str) -> Iterator[None]:
        bridge = BridgeProcess(made[0])
        with on_core(0):
            bridge.start()
        sessions.append(bridge.pid)
        try:
            yield
        finally:
            bridge.end()

    sessions: list[int] = []
    with running_rig(folder, serve_bridge=serve, change=lambda it: (made.append(it), _set(it))[0]) as rig:
        yield rig, sessions[0]


def _set(installation: Installation) -> None:
    path = installation.config / "bridge.yaml"
    kept = [line for line in path.read_text().splitlines() if not line.startswith(("workers:", "threads:"))]
    path.write_text("\n".join(kept) + SETTINGS)


@contextmanager
def run_all(folder: Path) -> Iterator[dict[str, Candidate]]:
    """Run all of the servers; yield them by name."""
    with ExitStack() as stack:
        rig, session = stack.enter_context(run_ours(folder))
        issuer = rig.issuers["pods"]
        key_file = folder / "issuer.pem"
        key_file.write_bytes(issuer.key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        token = issuer.token(exp=int(time.time()) + 3600)
        body = urlencode(rig.oidc(token, provider="pods")).encode()
        job = rig.issuers["github"].token
        jobs = [urlencode(rig.oidc(job(exp=int(time.time()) + 3600))).encode() for _ in range(CALLS * (ROUNDS + 1))]
        ports = find_free_ports(2)
        floor = [
            *(sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", str(CONNECTIONS), "-w", "1"),
            *("-b", f"127.0.0.1:{ports[0]}", "--log-level", "error"),
            f"tests.benchmarks.sts_floor:build({str(key_file)!r})",
        ]
        moto = [str(install_moto()), "-H", "127.0.0.1", "-p", str(ports[1])]
        web_identity = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": "arn:aws:iam::123456789012:role/Developer",
            "RoleSessionName": "ci",
            "WebIdentityToken": token,
        }
        floor_session = stack.enter_context(run(floor, ports[0], folder / "floor.log"))
        moto_session = stack.enter_context(run(moto, ports[1], folder / "moto.log"))
        yield {
            "floor": Candidate(f"127.0.0.1:{ports[0]}", cycle([body]), floor_session),
            "moto": Candidate(f"127.0.0.1:{ports[1]}", cycle([urlencode(web_identity).encode()]), moto_session),
            "again": Candidate(rig.url.removeprefix("http://"), cycle([body]), session),
            "once": Candidate(rig.url.removeprefix("http://"), iter(jobs), session),
        }


# ── Measuring ────────────────────────────────────────────────────────────────────────────────────────────────


def measure(candidate: Candidate, calls: int) -> Round:
    """Make the calls over eight connections that are kept where the server keeps them."""
    latencies: list[float] = []
    threads = [
        threading.Thread(target=_send, args=(candidate, calls // CONNECTIONS, latencies)) for _ in range(CONNECTIONS)
    ]
    cpu, started = _cpu_seconds(candidate.session), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if len(latencies) < calls // CONNECTIONS * CONNECTIONS:
        raise AssertionError("calls failed")
    used = _cpu_seconds(candidate.session) - cpu
    ordered = sorted(latencies)
    median, p99 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    return Round(len(ordered) / seconds, median, p99, used / len(ordered) * 1e6)


def _send(candidate: Candidate, calls: int, latencies: list[float]) -> None:
    connection = http.client.HTTPConnection(candidate.host, timeout=60)
    for _ in range(calls):
        started = time.perf_counter()
        connection.request("POST", "/", next(candidate.bodies), FORM)
        answer = connection.getresponse()
        text = answer.read()
        latencies.append(time.perf_counter() - started)
        if answer.status != http.client.OK:
            raise AssertionError(f"{candidate.host}: {answer.status} {text[:500]!r}")
    connection.close()


def _cpu_seconds(session: int) -> float:
    """Return the CPU time of all processes of a session so far; 0 where the system has no ``/proc``."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the best of each, and the ratios that the goals are about."""
    with tempfile.TemporaryDirectory() as folder, run_all(Path(folder)) as candidates, on_core(1):
        rounds: dict[str, list[Round]] = {name: [] for name in candidates}
        for candidate in candidates.values():
            _send(candidate, 1, [])  # alone: the sandbox asks us for our keys while it is under way
            measure(candidate, CALLS // 4)
        for _ in range(ROUNDS):
            for name, candidate in candidates.items():
                rounds[name].append(measure(candidate, CALLS))
    best = {
        name: Round(
            max(each.rate for each in of), *(min(getattr(each, f) for each in of) for f in ("median", "p99", "cpu"))
        )
        for name, of in rounds.items()
    }
    print("            a second   ms: median     99 %   µs of CPU")
    for name, each in best.items():
        print(f"{name:10} {each.rate:9.0f} {each.median:12.1f} {each.p99:8.1f} {each.cpu:11.0f}")
    for name, field, goal in (("rate", "rate", RATE_GOAL), ("99 %", "p99", LATENCY_GOAL), ("CPU", "cpu", None)):
        moto, floor = getattr(best["moto"], field), getattr(best["floor"], field)
        for which in ("again", "once"):
            ours = getattr(best[which], field)
            wanted = f" (goal {goal})" if goal else ""
            print(f"{name:5} {which:6} {ours / moto:5.2f} × moto's{wanted}, {ours / floor:5.2f} × the floor's")


if __name__ == "__main__":
    main()
