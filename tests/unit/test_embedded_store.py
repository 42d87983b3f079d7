import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge import embedded_store
from bridge.errors import StoreUnavailable
from bridge.store_connection import connect_store

ROOT = Path(__file__).parents[2]
START = (
    "import sys, pathlib; from bridge.embedded_store import start; print(start(pathlib.Path(sys.argv[1])), flush=True)"
)


@pytest.fixture
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s") / "store"
    yield folder
    embedded_store.stop(folder)


def server_id(folder):
    return int((folder / "store.pid").read_text())


def start_elsewhere(folder, then=""):
    """Start the store in another process."""
    return subprocess.Popen(
        [sys.executable, "-c", START + then, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_it_starts_a_server_that_keeps_what_it_is_told(folder):
    client = connect_store(embedded_store.start(folder))
    client.set("rambridge:a", b"1")
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("maxmemory") == {"maxmemory": str(256 * 1024 * 1024)}
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    client.close()
    embedded_store.stop(folder)
    client = connect_store(embedded_store.start(folder))
    assert client.get("rambridge:a") == b"1"
    client.close()


def test_nobody_reaches_it_over_a_network_and_no_other_user_at_all(folder):
    """T-REDIS-01."""
    client = connect_store(embedded_store.start(folder))
    assert client.config_get("port") == {"port": "0"}
    client.close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))


def test_a_live_server_is_adopted(folder):
    url = embedded_store.start(folder)
    first = server_id(folder)
    assert embedded_store.start(folder) == url
    assert server_id(folder) == first


def test_threads_that_start_at_once_end_on_one_server(folder):
    with ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda _: embedded_store.start(folder), range(8)))
    assert urls == {f"unix://{folder}/store.sock"}
    assert (folder / "store.log").read_text().count("Server initialized") == 1


def test_processes_that_start_at_once_end_on_one_server(folder):
    processes = [start_elsewhere(folder) for _ in range(5)]
    urls = {process.communicate(timeout=20)[0].strip() for process in processes}
    assert urls == {f"unix://{folder}/store.sock"}
    assert (folder / "store.log").read_text().count("Server initialized") == 1


def test_the_server_outlives_a_killed_parent_and_is_adopted(folder):
    parent = start_elsewhere(folder, then="; import time; time.sleep(60)")
    url = parent.stdout.readline().strip()
    first = server_id(folder)
    parent.kill()
    parent.communicate()
    assert embedded_store.start(folder) == url
    assert server_id(folder) == first


def test_a_killed_server_is_replaced_and_its_data_are_there(folder):
    client = connect_store(embedded_store.start(folder))
    client.set("rambridge:a", b"1")
    os.kill(server_id(folder), signal.SIGKILL)
    embedded_store.start(folder)
    assert client.get("rambridge:a") == b"1"
    client.close()


def test_a_second_server_never_writes_beside_a_live_one(folder, monkeypatch):
    """Its socket is gone, as after a cleaner went through /tmp: two servers would spoil each other's data."""
    url = embedded_store.start(folder)
    address = Path(url.removeprefix("unix://"))
    hidden = address.rename(address.with_suffix(".hidden"))
    monkeypatch.setattr(embedded_store, "READY_SECONDS", 0.3)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        embedded_store.start(folder)
    assert (folder / "store.log").read_text().count("Server initialized") == 1
    hidden.rename(address)


def test_a_long_path_gets_a_short_private_socket(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long") / ("n" * 110) / "store"
    url = embedded_store.start(folder)
    address = Path(url.removeprefix("unix://"))
    try:
        assert len(os.fsencode(address)) <= 103
        assert address.parent.stat().st_mode & 0o777 == 0o700
        assert embedded_store.start(folder) == url
        client = connect_store(url)
        assert client.ping()
        client.close()
        assert (folder / "appendonlydir").is_dir()
    finally:
        embedded_store.stop(folder)
        address.parent.rmdir()


def test_a_short_socket_folder_that_somebody_else_planted_is_refused(tmp_path_factory):
    base = tmp_path_factory.mktemp("long")
    folder = base / ("n" * 110) / "store"
    planted = embedded_store._socket_path(folder).parent
    planted.symlink_to(base)
    try:
        with pytest.raises(StoreUnavailable, match="not a folder"):
            embedded_store.start(folder)
    finally:
        planted.unlink()


def test_a_folder_that_is_open_to_others_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(StoreUnavailable, match="chmod 700"):
        embedded_store.start(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        embedded_store.start(tmp_path / "file")


def test_data_that_the_server_cannot_read_are_reported_at_once(folder):
    embedded_store.start(folder)
    embedded_store.stop(folder)
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match="ended at once"):
        embedded_store.start(folder)
    assert time.monotonic() - begun < 3


def test_stop_ends_the_server_and_is_content_when_there_is_none(folder, tmp_path):
    embedded_store.stop(tmp_path / "nowhere")
    url = embedded_store.start(folder)
    embedded_store.stop(folder)
    embedded_store.stop(folder)
    assert not Path(url.removeprefix("unix://")).exists()
    assert not embedded_store._is_alive(folder)
