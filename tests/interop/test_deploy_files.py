"""The files in deploy/ are accepted by the programs that read them."""

import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bridge.app import create_app
from bridge.attack.scripted_server import wait_until
from bridge.keys import KeyFolder
from bridge.sandbox.servers import run_sandbox
from bridge.settings import load_configuration
from tests.installation import ROOT, prepare, serve
from tests.integration.test_main_job import entitlements, read_credentials
from tests.ports import reserve_ports
from tests.requirements import require, skip_or_fail

DEPLOY = ROOT / "deploy"
PASSWORD = "a-long-random-password"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("deploy"))


def test_nginx_accepts_its_file(installation, tmp_path):
    require("nginx")
    key = KeyFolder(installation.folder / "certs").signing("saml-sp")
    (tmp_path / "fullchain.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
    private = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "privkey.pem").write_bytes(private)
    text = (DEPLOY / "nginx.conf").read_text()
    text = text.replace("/etc/nginx/tls", str(tmp_path)).replace("http://bridge:8080", "http://127.0.0.1:8080")
    text = text.replace("pid /tmp/nginx.pid", f"pid {tmp_path}/nginx.pid")
    (tmp_path / "nginx.conf").write_text(text)
    command = ["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    assert "[warn]" not in result.stderr, result.stderr


def test_systemd_accepts_the_unit(tmp_path):
    if not shutil.which("systemd-analyze"):
        skip_or_fail("needs systemd-analyze: apt-get install systemd")
    text = (DEPLOY / "rambridge.service").read_text()
    text = text.replace("/opt/rambridge/bin/rambridge", "/usr/bin/true").replace("=rambridge\n", "=root\n")
    (tmp_path / "rambridge.service").write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "rambridge.service")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    complaints = [line for line in result.stderr.splitlines() if "rambridge.service" in line]
    assert result.returncode == 0, result.stderr
    assert not complaints


def test_the_compose_file_names_only_what_exists():
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"bridge", "redis", "postgresql", "nginx"}
    for service in services.values():
        assert set(service.get("networks", ())) <= set(compose["networks"])
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert set(service.get("depends_on", ())) <= set(services)
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], volume
    build = services["bridge"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def test_the_container_runs_as_nobody_special_and_holds_no_secret():
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001"]
    copied = [line for line in lines if line.startswith("COPY ")]
    assert not [line for line in copied if "certs" in line or "config" in line]


@contextmanager
def run_redis(folder):
    """Run Debian's Redis with the ACL that we ship, on a port of its own."""
    (port,) = reserve_ports(1)
    acl = folder / "redis.acl"
    acl.write_text((DEPLOY / "redis.acl.example").read_text().replace("REPLACE-WITH-STORE_PASSWORD", PASSWORD))
    options = ["--port", str(port), "--bind", "127.0.0.1", "--aclfile", str(acl), "--dir", str(folder), "--save", ""]
    with (folder / "redis.log").open("w") as log:
        process = subprocess.Popen(["redis-server", *options], stdout=log, stderr=log)
    try:
        assert wait_until(lambda: process.poll() is not None or is_listening(port))
        assert process.poll() is None, (folder / "redis.log").read_text()
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(60)


def is_listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except OSError:
        return False
    return True


def test_t_redis_01_the_bridge_works_as_the_redis_user_that_we_ship(installation, tmp_path):
    require("redis-server")
    with run_redis(tmp_path) as url:
        password = installation.folder / "store-password"
        password.write_text(PASSWORD)
        password.chmod(0o600)
        settings_file = installation.config / "bridge.yaml"
        settings = yaml.safe_load(settings_file.read_text())
        settings |= {"store": url, "store_user": "rambridge", "store_password": f"file:{password}"}
        settings_file.write_text(yaml.safe_dump(settings))
        with ExitStack() as stack:
            stack.enter_context(run_sandbox(installation.config, installation.folder / "certs" / "sandbox"))
            app = create_app(load_configuration(installation.config), url)
            stack.callback(app.extensions["audit_tasks"].stop)
            with serve(app, installation.bridge):
                browser = installation.sign_in()
                chosen = entitlements(installation, browser)["role acme-production/ReadOnly"]
                page = browser.submit(f"/credentials/{chosen['id']}")
                assert read_credentials(page)["AccessKeyId"].startswith("STS.")
                browser.submit("Sign out")
                assert browser.open(f"{installation.bridge}/api/v1/session").status == 401
