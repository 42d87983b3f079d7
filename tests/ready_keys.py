"""The service's keys, made and checked once for all tests of a process: each takes a tenth of a second.

Nothing of the service is replaced: the files lie where ``rambridge keys create`` puts them.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from bridge.clock import SystemClock
from bridge.keys import create_missing


def put_keys(folder: Path) -> None:
    """Put each current and next key into a folder that lacks it."""
    shutil.copytree(_make_keys(), folder, dirs_exist_ok=True, copy_function=_copy_where_missing)


def check_keys_once() -> None:
    """Let cryptography try only once in this process whether the numbers of a key are prime."""
    serialization.load_pem_private_key = cache(serialization.load_pem_private_key)  # type: ignore[assignment]


@cache
def _make_keys() -> Path:
    made = Path(tempfile.mkdtemp(prefix="rambridge-keys-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    create_missing(made, SystemClock())
    return made


def _copy_where_missing(source: str, target: str) -> None:
    if not Path(target).exists():
        shutil.copy2(source, target)
