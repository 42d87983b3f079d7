"""How fast a log is verified, and what is compared at which speed. By hand:

``python -m tests.benchmarks.audit_verify [COUNT] [sqlite|postgresql|DATABASE-URL]`` (1,000,000 records, sqlite).
PostgreSQL is the server that RAMBRIDGE_TEST_POSTGRESQL names. The log of a DATABASE-URL is kept, and only written where
there is none. CPU time stands beside time, because it is less disturbed by others; PostgreSQL's own is not in it.
"""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine, make_url, text

from bridge.audit.database import open_database
from bridge.audit.proof.bundle import Selection, write_bundle
from bridge.audit.proof.checkpoints import Signer
from bridge.audit.proof.merkle import Frontier, tree_root
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.proof.verifier import verify_bundle
from bridge.audit.secrets import AuditSecrets
from bridge.audit.sequencer import Sequencer
from bridge.clock import SystemClock
from bridge.sealing import Sealer
from tests.synthetic_log import write_log

SIGNER = Signer("login.example/audit", Ed25519PrivateKey.from_private_bytes(bytes(32)))
"""The same each time, for a log that is kept: nobody believes it."""


def measure(name, records, work):
    began, cpu = time.perf_counter(), time.process_time() + sum(os.times()[2:4])
    result = work()
    seconds, used = time.perf_counter() - began, time.process_time() + sum(os.times()[2:4]) - cpu
    print(
        f"{name:<58} {seconds:8.2f} s {used:8.2f} s CPU {records / max(used, 1e-9):12,.0f} records/s of CPU", flush=True
    )
    return result


def walk(bodies):
    """Hash each record and the tree over them: what no verification can do without."""
    frontier, sha256 = Frontier(), hashlib.sha256
    for at in range(0, len(bodies) // 256 * 256, 256):
        frontier.append(tree_root([sha256(b"\0" + body).digest() for body in bodies[at : at + 256]]), 256)
    return frontier.root()


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    kind = sys.argv[2] if len(sys.argv) > 2 else "sqlite"
    with tempfile.TemporaryDirectory() as folder:
        url, drop = kind if "://" in kind else f"sqlite:///{folder}/audit.db", None
        if kind == "postgresql":
            server, name = make_url(os.environ["RAMBRIDGE_TEST_POSTGRESQL"]), f"audit_{uuid.uuid4().hex}"
            administration = create_engine(server, isolation_level="AUTOCOMMIT")
            with administration.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            url, drop = server.set(database=name), f"DROP DATABASE {name} WITH (FORCE)"
        try:
            run(url, count, Path(folder))
        finally:
            if drop:
                with administration.connect() as connection:
                    connection.execute(text(drop))


def count_records(engine):
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM audit_index")).scalar_one()


def run(url, count, folder):
    engine = open_database(url)
    secrets = AuditSecrets(engine, Sealer(bytes(32)))
    if not count_records(engine):
        measure("(a log is written)", count, lambda: write_log(engine, secrets, count))
    count = count_records(engine)
    Sequencer(engine, SIGNER, SystemClock(), mac_key=secrets.mac_key).sign_first()
    keys, mac_key = SIGNER.verifier_keys, secrets.mac_key
    with engine.connect() as connection:
        some = [row[0].encode() for row in connection.execute(text("SELECT body FROM audit_records LIMIT 100000"))]
    print(f"{len(some)} records have {sum(map(len, some)) // len(some)} bytes on average")
    measure("hashing walk, in memory: leaves and tree", len(some), lambda: walk(some))
    measure("verify: checkpoints, hashes, writers, clocks, index", count, lambda: verify_log(engine, Scope(keys)))
    measure("verify: and the mac of each record", count, lambda: verify_log(engine, Scope(keys, mac_key)))
    processes = os.cpu_count() or 1
    measure(
        f"the same in {processes} processes",
        count,
        lambda: verify_log(engine, Scope(keys, mac_key), processes=processes),
    )
    part = min(10_000, count // 2)
    measure(f"a range of {part}", part, lambda: verify_log(engine, Scope(keys, mac_key, count // 3, count // 3 + part)))
    measure(f"the last {part}", part, lambda: verify_log(engine, Scope(keys, mac_key, count - part)))
    content = io.BytesIO()
    measure(
        "a bundle of everything is written", count, lambda: write_bundle(engine, content, Selection(0, count), keys)
    )
    zipfile.ZipFile(content).extractall(folder / "bundle")
    program = [sys.executable, "-I", verify_bundle.__file__, str(folder / "bundle"), "--key", str(keys[0])]
    measure("the single-file verifier", count, lambda: subprocess.run(program, check=True, stdout=subprocess.DEVNULL))
    engine.dispose()


if __name__ == "__main__":
    main()
