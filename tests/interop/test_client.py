"""Alibaba Cloud's own credentials library, unmodified, at our client commands, in front of the running bridge."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.http import HttpOptions
from alibabacloud_credentials.provider import (
    EcsRamRoleCredentialsProvider,
    ExternalCredentialsProvider,
    URLCredentialsProvider,
)
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.utils_models import Config

from bridge.sandbox.workspace import find_free_ports
from tests.installation import run_installation

ROOT = Path(__file__).parents[2]
SANDBOX = "1000000000000002"


class Person:
    """Somebody at a terminal, with a browser and a home folder of their own."""

    def __init__(self, installation, home):
        self.installation = installation
        self.home = home
        self.browser = installation.sign_in()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}

    def command(self, name, role="Developer", account=SANDBOX):
        server = ["--server", self.installation.bridge]
        return [sys.executable, "-m", "bridge", name, *server, "--account", account, "--role", role]

    def run(self, *more, role="Developer", account=SANDBOX):
        command = [*self.command("credentials", role, account), *more]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False, cwd=self.home
        )

    def sign_in(self):
        """Run the command, and allow in the browser what it shows."""
        command = [*self.command("credentials"), "--sign-in"]
        with subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.home
        ) as process:
            shown = "".join(iter(process.stderr.readline, "\n"))
            shown += "".join(process.stderr.readline() for _ in range(2))
            address, code = re.search(r"(http\S+)\n\s+(\S+)", shown).groups()
            assert code in self.browser.open(address).text()
            self.browser.submit("/device/allow")
            printed, _ = process.communicate(timeout=30)
            assert process.returncode == 0
            return printed

    @contextmanager
    def agent(self, *more):
        command = [*self.command("agent"), *more]
        with subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.home
        ) as process:
            try:
                lines = [process.stdout.readline() for _ in range(3 if more else 1)]
                yield dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=20)
        assert process.returncode == 0


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("installation")) as (installation, _):
        yield installation


@pytest.fixture(scope="module")
def person(installation, tmp_path_factory):
    person = Person(installation, tmp_path_factory.mktemp("home"))
    assert json.loads(person.sign_in())["mode"] == "StsToken"
    return person


def who_is(installation, credentials):
    config = Config(
        access_key_id=credentials.get_access_key_id(),
        access_key_secret=credentials.get_access_key_secret(),
        security_token=credentials.get_security_token(),
        endpoint=installation.cloud.removeprefix("http://"),
        protocol="http",
    )
    return Client(config).get_caller_identity().body.arn


def test_the_library_runs_our_command_as_its_external_process(installation, person, monkeypatch):
    for name, value in person.environment.items():
        monkeypatch.setenv(name, value)
    provider = ExternalCredentialsProvider(process_command=shlex.join(person.command("credentials")))
    credentials = provider.get_credentials()
    assert "/Developer/" in who_is(installation, credentials)
    assert provider.get_credentials().get_access_key_id() == credentials.get_access_key_id()


def test_the_token_is_in_a_file_of_the_persons_own(person):
    [token] = (person.home / ".local/state/rambridge").iterdir()
    assert token.stat().st_mode & 0o777 == 0o600


def test_shell_lines_set_what_programs_read(person):
    done = person.run("--format", "env")
    assert re.fullmatch(r"(export ALIBABA_CLOUD_[A-Z_]+=\S+\n){3}", done.stdout)
    assert done.stderr == ""


def test_an_account_is_found_by_its_title_and_a_wrong_role_is_answered_with_the_right_ones(person):
    assert person.run(account="Acme Sandbox").returncode == 0
    done = person.run(role="Root")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Developer in Acme Sandbox" in done.stderr
    assert "not_entitled" in done.stderr


def test_without_a_sign_in_the_library_is_told_what_to_do(installation, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "bridge", "credentials", "--server", installation.bridge, "--account", SANDBOX]
    provider = ExternalCredentialsProvider(process_command=shlex.join([*command, "--role", "Developer"]))
    with pytest.raises(CredentialException, match="Sign in with: rambridge credentials"):
        provider.get_credentials()


def test_the_library_takes_the_agent_as_its_credentials_service(installation, person):
    with person.agent() as environment:
        uri = environment["ALIBABA_CLOUD_CREDENTIALS_URI"]
        credentials = URLCredentialsProvider(uri=uri).get_credentials()
        assert "/Developer/" in who_is(installation, credentials)
        again = URLCredentialsProvider(uri=uri).get_credentials()
        assert again.get_access_key_id() == credentials.get_access_key_id()  # the agent keeps them for all programs
        with pytest.raises(CredentialException):
            URLCredentialsProvider(uri=uri[:-1] + ("A" if uri[-1] != "A" else "B")).get_credentials()
        assert requests.get(uri, headers={"Host": "evil.example"}, timeout=5).status_code == 403


def test_the_library_takes_the_agent_for_the_metadata_of_a_machine(installation, person):
    """The library's address for it is fixed; a proxy's place is what can be told to it without a network of its own."""
    [port] = find_free_ports(1)
    with person.agent("--metadata", f"127.0.0.1:{port}") as environment:
        assert environment["ALIBABA_CLOUD_ECS_METADATA"] == "Developer"
        options = HttpOptions(proxy=f"http://127.0.0.1:{port}")
        for role in (None, "Developer"):
            provider = EcsRamRoleCredentialsProvider(
                role_name=role, disable_imds_v1=True, http_options=options, async_update_enabled=False
            )
            assert "/Developer/" in who_is(installation, provider.get_credentials())
        base = f"http://127.0.0.1:{port}/latest/meta-data/ram/security-credentials/"
        assert requests.get(base, timeout=5).status_code == 403


def test_a_sign_out_in_the_browser_ends_what_the_commands_can_do(installation, tmp_path):
    person = Person(installation, tmp_path)
    person.sign_in()
    assert person.run().returncode == 0
    person.browser.open(installation.bridge)
    person.browser.submit("/sign-out")
    done = person.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert "not signed in any more" in done.stderr
