"""Whoever appends, or the database, dies in the middle of it: what was said to be written is there, once.

``RAMBRIDGE_TEST_KILLS=300 .venv/bin/pytest -s tests/integration/test_killed_writer.py`` kills so often.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url, text

from bridge.audit.database import open_database
from bridge.audit.events import Origin, SessionEnded
from bridge.audit.keeping.durability import Durability, read_durability
from bridge.audit.proof.verification import Scope, verify_log
from tests.audit_log import open_log
from tests.own_postgresql import OwnPostgreSQL

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("RAMBRIDGE_TEST_KILLS", "3"))


class Writing:
    """A process that appends, and what it says that it appended."""

    def __init__(self, url, name):
        command = [sys.executable, "-m", "tests.killed_writer", url.render_as_string(hide_password=False), name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert self._process.stdout.readline() == b"begun\n"
        self.released = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        self.released += [line.decode().strip() for line in self._process.stdout if line.endswith(b"\n")]

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        self._reader.join(10)
        self._process.stdin.close()
        self._process.stdout.close()


def check_log(url, released):
    opened = open_log(open_database(url))
    opened.sequencer.catch_up()
    size = verify_log(opened.engine, Scope((), opened.secrets.mac_key)).size
    records = opened.reader.after(-1, limit=10_000_000)
    opened.engine.dispose()
    assert len(records) == size
    written = Counter((record["reference"], record["event"]) for record in records)
    assert set(written.values()) == {1}
    references = {reference for reference, _ in written}
    assert set(released) <= references
    # both of one append, or none: it is one transaction
    assert len(records) == 2 * len(references)
    print(f"{KILLS} kills, {len(released)} released, {len(records)} records")  # noqa: T201


def test_sigkill_of_a_writer_in_the_middle_of_appends_loses_and_repeats_nothing(tmp_path):
    url, released, moments = make_url(f"sqlite:///{tmp_path}/audit.db"), [], random.Random()
    for number in range(KILLS):
        writing = Writing(url, str(number))
        time.sleep(moments.uniform(0.05, 0.4))
        writing.kill()
        released += writing.released
    check_log(url, released)


def test_sigkill_of_the_database_in_the_middle_of_appends_loses_and_repeats_nothing():
    released, moments = [], random.Random()
    with OwnPostgreSQL() as server:
        writing = Writing(server.url, "0")
        for number in range(1, KILLS + 1):
            time.sleep(moments.uniform(0.05, 0.6))
            server.kill()
            if moments.random() < 0.2:  # and the service with it
                writing.kill()
                released += writing.released
                server.start()
                writing = Writing(server.url, str(number))
            else:
                server.start()
        time.sleep(1)
        writing.kill()
        check_log(server.url, released + writing.released)


def alter(server, *settings):
    """Return when new connections have the settings."""
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def ask(query):
        with engine.connect() as connection:
            return connection.execute(text(query)).scalar()

    loaded = ask("SELECT pg_conf_load_time()")
    with engine.connect() as connection:
        for setting in settings:
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
    ask("SELECT pg_reload_conf()")
    while ask("SELECT pg_conf_load_time()") == loaded:
        time.sleep(0.05)


def test_a_server_that_confirms_before_it_has_written_is_made_to_write():
    with OwnPostgreSQL() as server:
        # As managed servers are set by default, but that they would write by themselves after 0.2 s.
        alter(server, "synchronous_commit = off", "wal_writer_delay = '10s'")
        opened = open_log(open_database(server.url))
        log = opened.build_log()
        released = [f"reference-{number}" for number in range(20)]
        for reference in released:
            event = SessionEnded(provider="p", issuer="https://idp.example", subject="lin", person="Lin Wei")
            log.append(Origin(reference, "192.0.2.7"), event)
        server.kill()
        server.start()
        server.wait()
        opened.sequencer.catch_up()
        assert [record["reference"] for record in opened.reader.after(-1, limit=100)] == released
        opened.engine.dispose()


def test_what_is_left_after_a_crash_is_read_of_the_servers_settings():
    with OwnPostgreSQL() as server:
        engine = create_engine(server.url, poolclass=NullPool)

        def read(*settings):
            alter(server, *settings)
            with engine.connect() as connection:
                return read_durability(connection)

        without, with_one = Durability((), waits_for_standby=False), Durability((), waits_for_standby=True)
        assert read("synchronous_standby_names = ''") == without
        assert read("synchronous_commit = off", "synchronous_standby_names = 'other'") == without
        assert read("synchronous_commit = remote_write") == with_one
        assert read("synchronous_commit = local") == without
        assert read("full_page_writes = off", "fsync = off").unsafe == ("fsync", "full_page_writes")
