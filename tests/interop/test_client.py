"""Alibaba Cloud's own credentials libraries, unmodified, at our command, in front of the running bridge."""

import json
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
import requests
from alibabacloud_credentials.exceptions import CredentialException
from alibabacloud_credentials.http import HttpOptions
from alibabacloud_credentials.provider import (
    CLIProfileCredentialsProvider,
    EcsRamRoleCredentialsProvider,
    ExternalCredentialsProvider,
    URLCredentialsProvider,
)
from alibabacloud_sts20150401.client import Client
from alibabacloud_tea_openapi.utils_models import Config

from tests.installation import run_installation
from tests.interop.node_sdks.rig import NodeSDKs
from tests.person_at_terminal import Person
from tests.ports import reserve_ports
from tests.requirements import require

SANDBOX = "1000000000000002"
ROLE = ("--account", SANDBOX, "--role", "Developer")
HURRY = """
import datetime, json, subprocess, sys
with open(sys.argv[1], "a") as log:
    print("asked", file=log)
given = json.loads(subprocess.run(sys.argv[2:], capture_output=True, text=True, check=True).stdout)
end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=181)
print(json.dumps(given | {"expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}))
"""
"""Runs the profile's own command, and says that what it gave ends in three minutes: libraries renew it in a second."""


@contextmanager
def agent(person, *more):
    command = [sys.executable, "-m", "bridge", "agent", *ROLE, *more]
    with subprocess.Popen(
        command, env=person.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=person.home
    ) as process:
        try:
            lines = [process.stdout.readline() for _ in range(3 if more else 1)]
            yield dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert process.returncode == 0


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("installation")) as (installation, _):
        yield installation


@pytest.fixture(scope="module")
def person(installation, tmp_path_factory):
    person = Person(installation, tmp_path_factory.mktemp("home"))
    assert person.login().returncode == 0
    return person


@pytest.fixture
def at_home(person, monkeypatch):
    """Let this process have the person's environment."""
    for name, value in person.environment.items():
        monkeypatch.setenv(name, value)


def who_is(installation, credentials):
    config = Config(
        access_key_id=credentials.get_access_key_id(),
        access_key_secret=credentials.get_access_key_secret(),
        security_token=credentials.get_security_token(),
        endpoint=installation.cloud.removeprefix("http://"),
        protocol="http",
    )
    return Client(config).get_caller_identity().body.arn


def take_profile(person, name):
    """Return the library's provider for a profile; it looked for the home folder when it was imported."""
    return CLIProfileCredentialsProvider(profile_name=name, profile_file=str(person.home / ".aliyun/config.json"))


def write_hurried_profile(person, name):
    """Let the command write a profile, and put what hurries before the profile's command; return its log."""
    assert person.run("configure", *ROLE, "--profile", name).returncode == 0
    file, script, log = person.home / ".aliyun/config.json", person.home / "hurry.py", person.home / f"{name}.log"
    script.write_text(HURRY)
    content = json.loads(file.read_text())
    [profile] = [profile for profile in content["profiles"] if profile["name"] == name]
    command = shlex.split(profile["process_command"])
    profile["process_command"] = shlex.join([sys.executable, str(script), str(log), *command])
    file.write_text(json.dumps(content))
    return log


def test_python_takes_a_profile_and_renews_it(installation, person, at_home):
    log = write_hurried_profile(person, "python")
    provider = take_profile(person, "python")
    assert "/Developer/" in who_is(installation, provider.get_credentials())
    assert log.read_text().count("asked") == 1
    time.sleep(1.5)
    assert "/Developer/" in who_is(installation, provider.get_credentials())
    assert log.read_text().count("asked") == 2


def test_node_takes_a_profile_and_renews_it(installation, person, at_home):
    require("node")
    log = write_hurried_profile(person, "node")
    with NodeSDKs(person.home) as node:
        config = {"endpoint": installation.cloud.removeprefix("http://"), "protocol": "http", "regionId": "cn-hangzhou"}
        given = node.call("credentials", name="ours", profile="node")
        assert given["accessKeyId"].startswith("STS.")
        asked = log.read_text().count("asked")
        time.sleep(1.5)
        who = node.call("sts", config=config, credential="ours", action="getCallerIdentity", parameters={})
    assert "/Developer/" in who["Arn"]
    assert log.read_text().count("asked") > asked


def test_every_role_gets_a_profile_that_works(installation, person, at_home):
    told = json.loads(person.run("configure", "--all", "--json").stdout)
    assert "acme-production-ReadOnly" in told["added"]
    provider = take_profile(person, "acme-production-ReadOnly")
    assert "/ReadOnly/" in who_is(installation, provider.get_credentials())


def test_the_library_runs_our_command_as_its_external_process(installation, person, at_home):
    command = [sys.executable, "-m", "bridge", "credentials", *ROLE]
    provider = ExternalCredentialsProvider(process_command=shlex.join(command))
    credentials = provider.get_credentials()
    assert "/Developer/" in who_is(installation, credentials)
    assert provider.get_credentials().get_access_key_id() == credentials.get_access_key_id()


def test_without_a_sign_in_the_library_is_told_what_to_do(installation, person, at_home, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    command = [sys.executable, "-m", "bridge", "credentials", "--server", installation.bridge, *ROLE]
    provider = ExternalCredentialsProvider(process_command=shlex.join(command))
    with pytest.raises(CredentialException, match="Sign in with: rambridge login --server"):
        provider.get_credentials()


def test_the_library_takes_the_agent_as_its_credentials_service(installation, person):
    with agent(person) as environment:
        uri = environment["ALIBABA_CLOUD_CREDENTIALS_URI"]
        credentials = URLCredentialsProvider(uri=uri).get_credentials()
        assert "/Developer/" in who_is(installation, credentials)
        again = URLCredentialsProvider(uri=uri).get_credentials()
        assert again.get_access_key_id() == credentials.get_access_key_id()  # the agent keeps them for all programs
        with pytest.raises(CredentialException):
            URLCredentialsProvider(uri=uri[:-1] + ("A" if uri[-1] != "A" else "B")).get_credentials()
        assert requests.get(uri, headers={"Host": "evil.example"}, timeout=60).status_code == 403


def test_the_library_takes_the_agent_for_the_metadata_of_a_machine(installation, person):
    """The library's address for it is fixed; a proxy's place is what can be told to it without a network of its own."""
    [port] = reserve_ports(1)
    with agent(person, "--metadata", f"127.0.0.1:{port}") as environment:
        assert environment["ALIBABA_CLOUD_ECS_METADATA"] == "Developer"
        options = HttpOptions(proxy=f"http://127.0.0.1:{port}")
        for role in (None, "Developer"):
            provider = EcsRamRoleCredentialsProvider(
                role_name=role, disable_imds_v1=True, http_options=options, async_update_enabled=False
            )
            assert "/Developer/" in who_is(installation, provider.get_credentials())
        base = f"http://127.0.0.1:{port}/latest/meta-data/ram/security-credentials/"
        assert requests.get(base, timeout=60).status_code == 403
