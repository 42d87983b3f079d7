"""What an engine makes of a database."""

import threading
from concurrent.futures import ThreadPoolExecutor

from bridge.database import open_engine

ROUNDS = 40
"""Without a second attempt, one of ten fails."""
AT_ONCE = 12


def test_a_new_database_that_many_open_at_once_is_locked_to_none_of_them(tmp_path):
    for number in range(ROUNDS):
        engines = [open_engine(f"sqlite:///{tmp_path}/{number}.db") for _ in range(AT_ONCE)]
        start = threading.Barrier(AT_ONCE)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            modes = list(pool.map(lambda engine, start=start: _ask_mode(engine, start), engines))
        assert modes == ["wal"] * AT_ONCE


def _ask_mode(engine, start):
    start.wait()
    with engine.begin() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    engine.dispose()
    return mode


def test_a_commit_to_sqlite_waits_for_the_disk_on_every_connection(tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path}/some.db")
    for _ in range(2):
        with engine.connect() as connection:
            asked = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "fullfsync")]
        assert asked == [2, 1]
        engine.dispose()


def test_whoever_writes_to_postgresql_waits_for_the_disk_and_for_no_lock_for_ever(postgresql_url):
    engine = open_engine(postgresql_url)
    ask = "SELECT current_setting('synchronous_commit'), current_setting('lock_timeout')"
    for mode, kept in (("off", "local"), ("local", "local"), ("remote_apply", "remote_apply")):
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SET synchronous_commit = {mode}")
            connection.commit()
            assert connection.exec_driver_sql(ask).one() == (kept, "5s")
    engine.dispose()
