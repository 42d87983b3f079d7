"""Where tokens go, with the real library keyring; the keychain itself is a backend of its kind that keeps a file."""

import subprocess
import sys

import pytest

from bridge.client.failure import ClientError
from bridge.client.oauth import Tokens
from bridge.client.token_file import TokenFile
from bridge.client.token_store import Keychain, open_token_store

SERVER = "https://access.example.com"
TOKENS = Tokens("an access token", "a refresh token", 1_800_000_000.5)
BACKEND = """
import json, pathlib
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

FILE = pathlib.Path(__file__).with_name("keychain.json")

class Chain(KeyringBackend):
    priority = {priority}
    name = "a keychain of the test"

    def _all(self):
        if FILE.with_name("locked").exists():
            raise RuntimeError("locked")
        return json.loads(FILE.read_text()) if FILE.exists() else {{}}

    def get_password(self, service, username):
        return self._all().get(f"{{service}} {{username}}")

    def set_password(self, service, username, password):
        FILE.write_text(json.dumps(self._all() | {{f"{{service}} {{username}}": password}}))

    def delete_password(self, service, username):
        found = self._all()
        if found.pop(f"{{service}} {{username}}", None) is None:
            raise PasswordDeleteError
        FILE.write_text(json.dumps(found))
"""


@pytest.fixture
def keychain(tmp_path, monkeypatch):
    """Return a function that makes a keychain of a priority the one of this machine."""
    keyring = pytest.importorskip("keyring")

    def install(priority=5):
        name = f"keychain_of_{tmp_path.name.replace('-', '_')}_{priority}".replace(".", "_")
        (tmp_path / f"{name}.py").write_text(BACKEND.format(priority=priority))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"{name}.Chain")
        before = keyring.get_keyring()
        keyring.core.init_backend()
        return before

    before = install()
    yield install
    keyring.set_keyring(before)


def test_tokens_are_in_the_keychain_where_there_is_one(keychain, tmp_path):
    store = open_token_store(SERVER, tmp_path / "state")
    assert store.place == "the keychain (a keychain of the test)"
    assert store.read() is None
    store.write(TOKENS)
    assert store.read() == TOKENS
    assert open_token_store("https://other.example.com").read() is None
    assert not (tmp_path / "state").exists()
    store.forget()
    store.forget()
    assert store.read() is None


def test_a_keychain_that_keyring_does_not_recommend_is_none(keychain, tmp_path):
    keychain(priority=0.5)
    assert isinstance(open_token_store(SERVER, tmp_path), TokenFile)


def test_a_locked_keychain_is_said_with_what_to_do(keychain, tmp_path):
    store = open_token_store(SERVER, tmp_path)
    (tmp_path / "locked").touch()
    for use in (store.read, store.forget, lambda: store.write(TOKENS)):
        with pytest.raises(ClientError, match=r"Unlock it, or .* export RAMBRIDGE_TOKEN_STORE=file"):
            use()


def test_the_person_may_choose(keychain, tmp_path, monkeypatch):
    monkeypatch.setenv("RAMBRIDGE_TOKEN_STORE", "file")
    assert isinstance(open_token_store(SERVER, tmp_path), TokenFile)
    monkeypatch.setenv("RAMBRIDGE_TOKEN_STORE", "keychain")
    assert isinstance(open_token_store(SERVER, tmp_path), Keychain)
    keychain(priority=0)
    with pytest.raises(ClientError, match="No keychain can be used"):
        open_token_store(SERVER, tmp_path)
    monkeypatch.setenv("RAMBRIDGE_TOKEN_STORE", "elsewhere")
    with pytest.raises(ClientError, match="keychain, file"):
        open_token_store(SERVER, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="a Mac has a keychain always")
def test_without_a_desktop_nobody_waits_for_keyring():
    program = (
        "import sys; from bridge.client.token_store import open_token_store; "
        f"print(type(open_token_store({SERVER!r})).__name__, 'keyring' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"HOME": "/"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "TokenFile False\n"
