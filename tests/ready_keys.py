"""The keys of the service and of its stand-ins, made and checked once for a process: each takes a tenth of a second.

Nothing of either is replaced: the files lie where ``rambridge keys create`` and the stand-ins put them.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from bridge.clock import SystemClock
from bridge.keys import create_missing
from bridge.sandbox.idp.keys import load_or_create_keys
from bridge.sandbox.signing_key import load_or_create_token_key


def put_keys(folder: Path) -> None:
    """Put each current and next key into a folder that lacks it."""
    shutil.copytree(_make_keys(), folder, dirs_exist_ok=True, copy_function=_copy_where_missing)


def put_sandbox_keys(folder: Path) -> None:
    """Put the keys that both stand-ins sign with into their folder, which has none yet."""
    shutil.copytree(_make_sandbox_keys(), folder, dirs_exist_ok=True)


def check_keys_once() -> None:
    """Let cryptography try only once in this process whether the numbers of a key are prime."""
    serialization.load_pem_private_key = cache(serialization.load_pem_private_key)  # type: ignore[assignment]


@cache
def _make_keys() -> Path:
    made = _make_folder()
    create_missing(made, SystemClock())
    return made


@cache
def _make_sandbox_keys() -> Path:
    made = _make_folder()
    load_or_create_keys(made, "Acme", SystemClock().now())
    load_or_create_token_key(made / "cluster-signing.key")
    return made


def _make_folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="rambridge-keys-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def _copy_where_missing(source: str, target: str) -> None:
    if not Path(target).exists():
        shutil.copy2(source, target)
