"""What every folder of tests shares: a database server and a browser."""

import gc
import os
import resource
import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.own_postgresql import OwnPostgreSQL, find_plain_folder, taking_turns
from tests.ready_keys import check_keys_once
from tests.requirements import find_chromium, require
from tests.whoever_runs_this import forget_who_runs_this

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


def pytest_configure():
    """Allow many open files: a service that a test starts in this process keeps its databases open to the end.

    And a key is checked once, however often it is loaded, and the environment of whoever runs this decides nothing.
    """
    forget_who_runs_this()
    check_keys_once()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8_192 if hard == resource.RLIM_INFINITY else min(8_192, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def pytest_collection_finish():
    """Leave what was collected, 19,000 tests, out of each later search for garbage, and search more rarely."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Return twice as many workers as cores: a test waits for servers and browsers half of its time."""
    return 2 * (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@pytest.fixture(scope="session")
def postgresql_url():
    """Return the URL of a running PostgreSQL server whose user may create databases.

    ``RAMBRIDGE_TEST_POSTGRESQL`` names one; otherwise the server that a Python package brings is started.
    """
    given = os.environ.get("RAMBRIDGE_TEST_POSTGRESQL")
    if given:
        yield make_url(given)
        return
    # The processes of one run share the server, and the package removes it after the last of them. Not in pytest's own
    # folder: for root the server runs as another user, and each new run of pytest shuts that folder to others.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(find_plain_folder()) / f"rambridge-postgresql-{run}"
    with taking_turns() as package:
        folder.mkdir(exist_ok=True)
        server = package.get_server(folder / "data", cleanup_mode="delete")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    _wait_for_no_disk(url)
    yield url
    with taking_turns():
        server.cleanup()
        if not (folder / "data").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _wait_for_no_disk(url):
    """Let the server wait for no disk: hundreds of databases are made and dropped. What is killed has its own."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(text(f"ALTER SYSTEM SET {name} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


@pytest.fixture(scope="session")
def superuser_url(postgresql_url):
    """Return the URL of a running PostgreSQL server whose user may also create roles."""
    engine = create_engine(postgresql_url)
    with engine.connect() as connection:
        is_superuser = connection.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar()
    engine.dispose()
    if is_superuser:
        yield postgresql_url
        return
    with OwnPostgreSQL() as server:
        yield server.url


@pytest.fixture(scope="session")
def chromium():
    """Return a running headless Chromium; one for the whole process, since playwright allows no second one."""
    require("chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  slow to import, and few tests need it

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()
