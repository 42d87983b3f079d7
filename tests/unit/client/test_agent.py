import http.client
import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from bridge.client.agent import METADATA_ADDRESS, AgentServer, Metadata, SecretPath
from bridge.client.credentials import Credentials
from bridge.client.failure import ClientError, SignedOut
from bridge.client.renewal import Renewal
from bridge.language import speaking, translate

NOW = 1_800_000_000.0
ROLES = "/latest/meta-data/ram/security-credentials/"


class Clock:
    def __init__(self):
        self.time = NOW

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def renewal(clock):
    return Renewal(lambda: Credentials("STS.a", "s", "t", datetime.fromtimestamp(NOW + 3_600, UTC)), clock)


@pytest.fixture
def metadata(renewal, clock):
    return Metadata(renewal, "Developer", clock)


@pytest.fixture
def secret(renewal, metadata):
    return SecretPath(renewal, metadata)


@contextmanager
def listening(answer, *also):
    server = AgentServer("127.0.0.1", 0, answer)
    for host in also:
        server.also_answers_to(host)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(secret):
    with listening(secret.answer) as server:
        yield server


def ask(server, path, method="GET", host=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.putrequest(method, path, skip_host=True)
        for value in [f"127.0.0.1:{server.server_port}"] if host is None else host:
            connection.putheader("Host", value)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_what_an_sdk_passes_on_is_in_the_language_of_the_terminal():
    def fail():
        raise SignedOut(translate("This terminal is not signed in."))

    renewal = Renewal(fail)
    with speaking("zh-CN"), listening(SecretPath(renewal, Metadata(renewal, "Developer")).answer) as server:
        status, text = ask(server, server.answer.__self__.path)
    assert (status, json.loads(text)) == (503, {"Code": "Failed", "Message": "本终端尚未登录。"})


def get_token(server, base, seconds="21600"):
    return ask(server, f"{base}/latest/api/token", "PUT", X_aliyun_ecs_metadata_token_ttl_seconds=seconds)


def test_the_secret_path_has_the_credentials(server, secret):
    status, body = ask(server, secret.path)
    assert status == 200
    assert json.loads(body) == {
        "Code": "Success",
        "AccessKeyId": "STS.a",
        "AccessKeySecret": "s",
        "SecurityToken": "t",
        "Expiration": "2027-01-15T09:00:00Z",
    }


def test_any_other_path_is_not_there(server, secret):
    """T-WEB-20."""
    wrong = [
        "/",
        "",
        "/latest/api/token",
        ROLES,
        secret.path[:-1],
        secret.path + "x",
        "/" + "A" * 43,
        secret.path.lower(),
    ]
    answers = {ask(server, path or "/") for path in wrong if path != secret.path}
    assert answers == {(404, "Not found\n")}
    assert len(secret.path) == 44


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST"])
@pytest.mark.parametrize("with_port", [True, False])
def test_programs_that_name_this_machine_are_served(server, secret, name, with_port):
    assert ask(server, secret.path, host=[f"{name}:{server.server_port}" if with_port else name])[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        [],
        [""],
        ["evil.example"],
        ["127.0.0.1.evil.example"],
        ["evil.example:80"],
        ["127.0.0.1:1"],
        ["0.0.0.0"],
        ["100.100.100.200"],
        ["127.0.0.1", "evil.example"],
    ],
)
def test_a_page_whose_name_points_here_is_refused(server, secret, host):
    """T-WEB-20, by DNS rebinding."""
    assert ask(server, secret.path, host=host) == (403, "Forbidden\n")


@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://127.0.0.1"}, {"Sec_Fetch_Site": "none"}, {"X_Forwarded_For": "1.2.3.4"}, {"Via": "1.1 x"}],
)
def test_browsers_and_proxies_are_refused_though_they_know_the_path(server, secret, header):
    assert ask(server, secret.path, **header) == (403, "Forbidden\n")


def test_t_web_20_what_is_no_address_at_all_is_refused_and_writes_nothing(server, secret, capfd):
    assert ask(server, f"http://[{secret.path}") == (403, "Forbidden\n")
    assert ask(server, f"http://127.0.0.1:{server.server_port}{secret.path}")[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "HEAD", "TRACE"])
def test_other_methods_do_nothing(server, secret, method):
    assert ask(server, secret.path, method)[0] == 501


def test_metadata_takes_a_token_first(server, secret):
    base = secret.path
    assert ask(server, base + ROLES)[0] == 403
    assert ask(server, base + ROLES, X_aliyun_ecs_metadata_token="guess")[0] == 403
    status, token = get_token(server, base)
    assert status == 200
    assert ask(server, base + ROLES, X_aliyun_ecs_metadata_token=token) == (200, "Developer")
    status, body = ask(server, f"{base}{ROLES}Developer", X_aliyun_ecs_metadata_token=token)
    assert status == 200
    assert set(json.loads(body)) >= {"Code", "AccessKeyId", "SecurityToken", "Expiration", "LastUpdated"}
    assert ask(server, f"{base}{ROLES}Other", X_aliyun_ecs_metadata_token=token)[0] == 404


@pytest.mark.parametrize("seconds", ["", "0", "-1", "21601", "1e3", "999999999", "٣"])
def test_a_token_for_another_time_than_is_documented_is_none(metadata, seconds):
    headers = {"x-aliyun-ecs-metadata-token-ttl-seconds": seconds}
    assert metadata.answer("PUT", "/latest/api/token", headers).status == 400


def test_a_token_ends_and_cannot_be_lengthened(metadata, renewal, clock):
    token = metadata.answer("PUT", "/latest/api/token", {"x-aliyun-ecs-metadata-token-ttl-seconds": "60"}).text

    def status(token, service=metadata):
        return service.answer("GET", ROLES, {"x-aliyun-ecs-metadata-token": token}).status

    assert status(token) == 200
    assert status(("B" if token[0] == "A" else "A") + token[1:]) == 403
    assert status(token, Metadata(renewal, "Developer", clock)) == 403
    clock.time += 60
    assert status(token) == 403


def test_metadata_at_its_own_address_takes_the_form_for_proxies(metadata):
    with listening(metadata.answer, METADATA_ADDRESS) as server:
        host = [METADATA_ADDRESS]
        target = f"http://{METADATA_ADDRESS}/latest/api/token"
        seconds = {"X_aliyun_ecs_metadata_token_ttl_seconds": "60"}
        assert ask(server, target, "PUT", host=host, **seconds)[0] == 200
        assert ask(server, "http://evil.example/latest/api/token", "PUT", host=host, **seconds)[0] == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "example.com", ""])
def test_it_listens_where_nobody_else_can_reach_it(metadata, host):
    with pytest.raises(ClientError, match="not an address of this machine alone"):
        AgentServer(host, 0, metadata.answer)


def test_without_credentials_it_says_so():
    def fail():
        raise ClientError("This terminal is not signed in.")

    renewal = Renewal(fail)
    secret = SecretPath(renewal, Metadata(renewal, "Developer"))
    reply = secret.answer("GET", secret.path, {})
    assert reply.status == 503
    assert json.loads(reply.text) == {"Code": "Failed", "Message": "This terminal is not signed in."}
