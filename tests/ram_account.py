"""A sandbox whose accounts have an administrator's key, and what a test takes from them or changes in them."""

import shutil
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import ClassVar

import yaml
from click.testing import CliRunner

from bridge.cli.main import main
from bridge.sandbox.servers import run_sandbox
from tests.installation import Installation, prepare

SECRET = "throw-away-secret-of-a-test"
KEY = ("env:RAM_KEY_ID", "env:RAM_KEY_SECRET")


class RAMAccounts:
    """The demo's two accounts; ``acme-production`` trusts by SAML, ``acme-sandbox`` by OpenID Connect."""

    ids: ClassVar = {"acme-production": "1000000000000001", "acme-sandbox": "1000000000000002"}

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.file = installation.config / "sandbox.yaml"

    def describe(self, account: str) -> dict:
        """Return what the file says of an account, to be read."""
        accounts = yaml.safe_load(self.file.read_text())["cloud"]["accounts"]
        return next(each for each in accounts if each["id"] == self.ids[account])

    def change(self, account: str, change) -> None:
        document = yaml.safe_load(self.file.read_text())
        change(next(each for each in document["cloud"]["accounts"] if each["id"] == self.ids[account]))
        self.file.write_text(yaml.safe_dump(document, allow_unicode=True))

    def add_administrators(self) -> None:
        for number, account in enumerate(self.ids):
            user = {
                "name": "administrator",
                "id": f"20000000000000090{number}",
                "display_name": "Administrator",
                "policies": ["AliyunRAMFullAccess"],
                "access_keys": [{"id": f"LTAIAdministrator{account[5]}", "secret": "env:RAM_KEY_SECRET"}],
            }
            self.change(account, lambda each, user=user: each.setdefault("users", []).append(user))

    def empty(self, account: str) -> None:
        """Take everything from an account that set-up makes."""

        def take(each):
            for kind in ("roles", "saml_providers", "oidc_providers", "policies", "groups"):
                each.pop(kind, None)
            each["users"] = [user for user in each["users"] if user["name"] == "administrator"]

        self.change(account, take)

    @contextmanager
    def serve(self):
        with run_sandbox(self.installation.config, self.installation.folder / "certs" / "sandbox"):
            yield

    def run(
        self,
        *arguments: str,
        account: str = "acme-production",
        answer: str | None = None,
        key: tuple[str, str] | None = KEY,
    ):
        """Type a command with the account's key, another one's references, or none; return what click says of it."""
        environment = {"RAM_KEY_ID": f"LTAIAdministrator{account[5]}", "RAM_KEY_SECRET": SECRET}
        command = ["--config", str(self.installation.config), *arguments, "--account", account]
        command += ["--access-key-id", key[0], "--access-key-secret", key[1]] if key else []
        return CliRunner().invoke(main, command, input=answer, env=environment)


@cache
def make_keys() -> Path:
    """Return a folder of throw-away keys: making them is what a test of this kind would spend its time on."""
    installation = prepare(Path(tempfile.mkdtemp(prefix="rambridge-keys-")))
    with run_sandbox(installation.config, installation.folder / "certs" / "sandbox"):
        return installation.folder / "certs"


def prepare_accounts(folder, monkeypatch) -> RAMAccounts:
    """Write an installation into a folder; nothing runs yet."""
    monkeypatch.setenv("RAM_KEY_SECRET", SECRET)
    shutil.copytree(make_keys(), folder / "certs")
    accounts = RAMAccounts(prepare(folder))
    accounts.add_administrators()
    return accounts
