"""The service and its database die at any moment: what left the bridge is in the log, once, and the log verifies.

``RAMBRIDGE_TEST_KILLS=300 .venv/bin/pytest -s tests/integration/test_killed.py`` kills so often, at other moments each
time, and says how much was released meanwhile and how soon there was more.
"""

import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import groupby

import psutil
import pytest
import requests
from sqlalchemy import select

from bridge import embedded_store
from bridge.attack.scripted_server import wait_until
from bridge.audit.proof.verification import Scope, verify_log
from bridge.audit.record import split_id
from bridge.audit.tables import records
from bridge.sandbox.servers import run_sandbox
from bridge.sandbox.workspace import is_free
from tests.ended import wait_for_the_end
from tests.fakes.relay import Relay
from tests.installation import BridgeProcess, prepare
from tests.integration.test_main_job import entitlements, read_credentials
from tests.own_postgresql import OwnPostgreSQL
from tests.ports import reserve_ports

KILLS = int(os.environ.get("RAMBRIDGE_TEST_KILLS", "2"))
PEOPLE = 4
SEED = os.environ.get("RAMBRIDGE_TEST_SEED") or ("20261129" if KILLS < 10 else str(random.randrange(2**32)))
LONGEST_SECONDS = 300
KEY, KEY_LENGTH = rb"STS\.[0-9a-f]{24}", 28
JOB = {
    "Action": "AssumeRoleWithOIDC",
    "Version": "2015-04-01",
    "Format": "JSON",
    "OIDCProviderArn": "acs:ram::1000000000000002:oidc-provider/acme-ci",
    "RoleArn": "acs:ram::1000000000000002:role/Developer",
    "RoleSessionName": "deploy",
}


@pytest.fixture
def installation(tmp_path):
    installation = prepare(tmp_path)
    with run_sandbox(installation.config, installation.folder / "certs" / "sandbox"):
        yield installation
    embedded_store.stop(installation.store_folder)


class Load:
    """Four people who sign in and take credentials again and again, and jobs that take theirs at the STS endpoint.

    Whoever is stopped in between begins anew. They reach the bridge through a relay, which sees what left it.
    """

    def __init__(self, installation):
        self.released = []
        """AccessKeyIds that somebody got, and when."""
        self._installation = installation
        [self.port] = reserve_ports(1)
        listen = ("127.0.0.1", int(installation.bridge.rpartition(":")[2]))
        self._relay = Relay(listen, ("127.0.0.1", self.port), KEY, KEY_LENGTH)
        self._stop = threading.Event()
        work = [self._sign_in] * PEOPLE + [self._run_job]
        self._threads = [threading.Thread(target=self._repeat, args=(each,), daemon=True) for each in work]

    @property
    def listen(self):
        return f"127.0.0.1:{self.port}"

    def left(self):
        """Return every AccessKeyId that left the bridge so far, also in an answer that nobody got whole."""
        return {each.decode() for each in self._relay.seen.copy()}

    def _repeat(self, work):
        while not self._stop.is_set():
            try:
                work()
            except Exception:  # noqa: BLE001  something was dead at that moment, or is starting; see wait_for_more
                self._stop.wait(0.3)

    def _sign_in(self):
        browser = self._installation.sign_in(tile=random.choice(["Rambridge", "Rambridge (OpenID Connect)"]))
        chosen = entitlements(self._installation, browser)["role acme-production/ReadOnly"]
        key = read_credentials(browser.submit(f"/credentials/{chosen['id']}"))["AccessKeyId"]
        self.released.append((key, time.monotonic()))
        if random.random() < 0.5:  # whoever comes next gets others
            browser.open(f"{self._installation.bridge}/")
            browser.submit("/sign-out")

    def _run_job(self):
        asked = {"audience": self._installation.bridge, "ref": "refs/heads/main"}
        token = requests.get(f"{self._installation.idp}/ci/acme/app/id-token", params=asked, timeout=60).json()["value"]
        call = JOB | {"OIDCToken": token}
        answer = requests.post(f"{self._installation.bridge}/", data=call, timeout=60).json()
        self.released.append((answer["Credentials"]["AccessKeyId"], time.monotonic()))

    def wait_for_more(self):
        """Return when somebody has got credentials again: all of it works by itself. Returned is when that was."""
        before, deadline = len(self.released), time.monotonic() + LONGEST_SECONDS
        while len(self.released) == before:
            assert time.monotonic() < deadline, "nobody gets credentials any more"
            time.sleep(0.02)
        return self.released[before][1]

    def __enter__(self):
        self._relay.__enter__()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(LONGEST_SECONDS)
        self._relay.__exit__()


class Auditor:
    """Looks at the log after each kill, and notes each checkpoint: the log must begin with what each is over."""

    def __init__(self, installation, load):
        self._installation = installation
        self._load = load
        self._noted = []
        self._contents = []

    def look(self, *, whole=False):
        """What left the bridge until now is recorded, nothing is there twice or out of its chain, what is new verifies.

        ``whole``: everything verifies, and begins with what each checkpoint is over that was ever seen.
        """
        released = [key for key, _ in self._load.released.copy()]  # first, since there is more at any moment
        left = self._load.left()
        assert set(released) <= left
        with self._installation.open_audit() as log:
            log.sequencer.catch_up()
            keys, begin = log.signer.verifier_keys, 0 if whole or not self._noted else self._noted[-1].size
            scope = Scope(keys, log.secrets.mac_key, begin, noted=self._noted if whole else self._noted[-1:])
            verified = verify_log(log.engine, scope)
            with log.engine.connect().execution_options(read_only=True) as connection:
                ids = sorted(connection.execute(select(records.c.id)).scalars())
            self._contents += log.reader.after(len(self._contents) - 1, limit=10_000_000)
        contents = self._contents
        self._noted.append(verified.checkpoint)
        for writer, of_writer in groupby(map(split_id, ids), lambda each: each[0]):
            numbers = [number for _, number in of_writer]
            assert numbers == list(range(1, len(numbers) + 1)), f"writer {writer}: one is missing, or is there twice"
        issued, reused, delivered = (
            Counter(each["access_key_id"] for each in contents if each["event"] == event)
            for event in ("exchange.issued", "exchange.reused", "delivery.credentials")
        )
        assert left <= issued.keys(), "what left the bridge is recorded"
        assert left <= delivered.keys(), "and that it left"
        assert Counter(released) <= issued + reused
        assert Counter(released) <= delivered, "each release has a record of its own"
        assert set(issued.values()) <= {1}, "an exchange is recorded once"
        once = Counter((each["reference"], each["event"]) for each in contents if each["reference"])
        assert set(once.values()) <= {1}, "what one request did is recorded once"
        return verified, contents, delivered

    def look_at_the_end(self, kills, seconds):
        """The same once more, and that a checkpoint is over every record; say what there was."""
        with self._installation.open_audit() as log:
            log.sequencer.sign_now()
        verified, contents, delivered = self.look(whole=True)
        assert (verified.size, verified.unsigned) == (len(contents), 0)
        left = self._load.left()
        print(  # noqa: T201
            f"\nseed: {SEED}; kills: {dict(kills)}; released: {len(self._load.released)} answers,"
            f" {len(left)} AccessKeyIds left;"
            f" recorded: {len(delivered)} AccessKeyIds, {len(delivered.keys() - left)} of them never left;"
            f" {len(contents)} records of {len({each['writer'] for each in contents})} writers,"
            f" {len(self._noted)} checkpoints noted"
        )
        for what, values in seconds.items():
            print(f"{what}: median {statistics.median(values):.2f} s, longest {max(values):.2f} s")  # noqa: T201


def test_sigkill_of_the_service_at_random_moments_leaves_no_release_unrecorded(installation):
    """Now and then of one of its processes only; that is not counted."""
    moments, kills, ready, again = random.Random(SEED), Counter(), [], []
    with Load(installation) as load, BridgeProcess(installation, load.listen) as bridge:
        auditor = Auditor(installation, load)
        load.wait_for_more()
        while kills["service"] < KILLS:
            time.sleep(moments.uniform(0.0, 0.7))
            processes = bridge.processes()
            if moments.random() < 0.15:
                kills[kill_one(processes, bridge, load, moments)] += 1
                load.wait_for_more()
                auditor.look()
                continue
            killed = time.monotonic()
            bridge.end(signal.SIGKILL)
            wait_for_the_end(processes)
            kills["service"] += 1
            bridge.start()
            ready.append(time.monotonic() - killed)
            again.append(load.wait_for_more() - killed)
            auditor.look()
    auditor.look_at_the_end(kills, {"from kill to ready": ready, "from kill to the next release": again})


def kill_one(processes, bridge, load, moments):
    """Kill the supervisor, a worker, or the process that sequences, and that one alone; return which kind."""
    chosen = moments.choice(processes)
    if chosen.pid != bridge.pid:
        with suppress(psutil.NoSuchProcess):
            chosen.kill()
        return "child"
    bridge.end_supervisor(signal.SIGKILL)
    assert wait_until(lambda: is_free(load.port)), "its workers stop listening when they notice"
    bridge.start()
    return "supervisor"


def test_sigkill_of_the_database_at_random_moments_leaves_no_release_unrecorded(installation):
    """Now and then of one of its processes, or of the service, instead; they are not counted.

    After the database came back, the service works on by itself.
    """
    moments, kills, again = random.Random(SEED), Counter(), []
    with OwnPostgreSQL() as server:
        file = installation.config / "bridge.yaml"
        url = server.url.render_as_string(hide_password=False)
        file.write_text(file.read_text().replace("sqlite:///../var/audit.db", url))
        with Load(installation) as load, BridgeProcess(installation, load.listen) as bridge:
            auditor = Auditor(installation, load)
            load.wait_for_more()
            while kills["database"] < KILLS:
                time.sleep(moments.uniform(0.0, 0.7))
                what = moments.choices(["database", "one of its processes", "service"], [0.7, 0.15, 0.15])[0]
                kills[what] += 1
                if what == "service":
                    bridge.end(signal.SIGKILL)
                    bridge.start()
                    load.wait_for_more()
                elif what == "database":
                    server.kill()
                    time.sleep(moments.uniform(0.0, 0.3))
                    server.start()
                    back = time.monotonic()
                    again.append(load.wait_for_more() - back)
                else:
                    server.kill_one(moments)
                    server.wait()
                    load.wait_for_more()
                auditor.look()
        auditor.look_at_the_end(kills, {"from the database's return to the next release": again})
