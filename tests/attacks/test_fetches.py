"""T-WEB-09 at the outgoing door: a canary on this machine that nobody may be led to, and a resolver that lies.

Only ``socket.getaddrinfo`` is replaced, at the border to the operating system. Every address that is really contacted
is on loopback; addresses elsewhere are refused before a packet is sent, which is the point.
"""

import json
import socket
from contextlib import contextmanager

import pytest

from bridge.attack.scripted_server import Reply, ScriptedServer
from bridge.clock import SystemClock
from bridge.destinations import Destinations
from bridge.errors import ExchangeUnavailable, FetchFailed, FetchRefused, OIDCMetadata, ProviderUnavailable
from bridge.exchange.accounts import Account
from bridge.exchange.deadline import Deadline
from bridge.exchange.sts_client import STSClient
from bridge.identity.oidc.discovery import Discovery, parse_metadata
from bridge.outbound import Limits, Outbound
from tests.fakes.authority import make_authority

QUICK = Limits(connect_seconds=30, total_seconds=60)
HONEST, CANARY = "127.0.0.2", "127.0.0.1"


@pytest.fixture
def canary():
    with ScriptedServer(lambda _: Reply(body=b"the inside")) as running:
        yield running


class Resolver:
    """Answers each question for a name in ``example`` with the next list of addresses, the last one for ever.

    Other threads of this process ask for other names.
    """

    def __init__(self, *answers):
        self._honest = socket.getaddrinfo
        self.answers = list(answers)
        self.asked = []

    def __call__(self, host, port, *arguments, **options):
        if not str(host).endswith(".example"):
            return self._honest(host, port, *arguments, **options)
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in answer
        ]


@pytest.fixture
def resolve(monkeypatch):
    def start(*answers):
        resolver = Resolver(*answers)
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        return resolver

    return start


@contextmanager
def honest_server(port):
    """Run something at the canary's port, at the one address that these tests allow."""
    with ScriptedServer(lambda _: Reply(body=b"honest"), address=(HONEST, port)) as running:
        yield running


def port_of(server):
    return int(server.url.rpartition(":")[2])


def only_honest(port):
    """Return a door that may reach one address of loopback, as if it were the only one outside."""
    destinations = Destinations.read(development=False, networks=[f"{HONEST}/32"], ports=[port])
    outbound = Outbound(development=True, destinations=destinations)  # http, and no loopback
    outbound.check_url(f"http://idp.example:{port}/")
    return outbound


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "fd00:ec2::254"],
)
def test_t_web_09_a_name_that_leads_inside_is_refused_before_a_packet_is_sent(canary, resolve, address):
    port = port_of(canary)
    resolver = resolve([address])
    with pytest.raises(FetchRefused) as refused:
        only_honest(port).get(f"http://idp.example:{port}/metadata?token=secret", limits=QUICK)
    assert (resolver.asked, canary.requests) == (["idp.example"], [])
    assert refused.value.code == "web_fetch_refused"
    assert refused.value.detail.startswith(f"http://idp.example:{port}/metadata: {address} is ")


def test_t_web_09_the_twin_that_leads_to_an_allowed_address_is_fetched(canary, resolve):
    port = port_of(canary)
    with honest_server(port):
        resolve([HONEST])
        assert only_honest(port).get(f"http://idp.example:{port}/", limits=QUICK).body == b"honest"
    assert canary.requests == []


@pytest.mark.parametrize("addresses", [[HONEST, CANARY], [CANARY, HONEST], [HONEST, "100.100.100.200"]])
def test_t_web_09_one_inner_address_among_others_is_enough_to_refuse(canary, resolve, addresses):
    port = port_of(canary)
    with honest_server(port) as honest:
        resolve(addresses)
        with pytest.raises(FetchRefused):
            only_honest(port).get(f"http://idp.example:{port}/", limits=QUICK)
        assert (honest.requests, canary.requests) == ([], [])


def test_t_web_09_a_name_that_changes_its_meaning_between_check_and_use_gains_nothing(canary, resolve):
    port = port_of(canary)
    with honest_server(port) as honest:
        honest.replies["/"] = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhonest")
        resolver = resolve([HONEST], [CANARY])
        outbound = only_honest(port)
        outbound.check_url(f"http://idp.example:{port}/")
        assert outbound.get(f"http://idp.example:{port}/", limits=QUICK).body == b"honest"
        assert resolver.asked == ["idp.example"], "it was resolved a second time"
        with pytest.raises(FetchRefused):  # a new connection is a new question, and a new check
            outbound.get(f"http://idp.example:{port}/", limits=QUICK)
    assert canary.requests == []


def test_t_web_09_the_certificate_is_that_of_the_name_not_of_the_checked_address(tmp_path, resolve):
    ca_file, context = make_authority(tmp_path, "ours")  # for 127.0.0.1
    with ScriptedServer(lambda _: Reply(body=b"sealed"), tls=context) as server:
        port = port_of(server)
        outbound = Outbound(development=True, ca_file=ca_file)
        assert outbound.get(f"https://127.0.0.1:{port}/", limits=QUICK).body == b"sealed"
        resolve([CANARY])
        with pytest.raises(FetchFailed):
            outbound.get(f"https://idp.example:{port}/", limits=QUICK)
        assert len(server.requests) == 1


def test_t_web_09_over_tls_the_address_is_checked_as_well(tmp_path, resolve):
    ca_file, context = make_authority(tmp_path, "ours")
    with ScriptedServer(tls=context) as server:
        port = port_of(server)
        resolve([CANARY])
        destinations = Destinations.read(development=False, ports=[port])
        with pytest.raises(FetchRefused):
            Outbound(development=False, ca_file=ca_file, destinations=destinations).get(
                f"https://idp.example:{port}/", limits=QUICK
            )
        assert server.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_t_web_09_a_redirect_to_the_inside_is_not_followed(canary, resolve, status):
    port = port_of(canary)
    with honest_server(port) as honest:
        honest.replies["/"] = Reply(status, headers={"Location": f"{canary.url}/"})
        resolve([HONEST])
        with pytest.raises(FetchRefused):
            only_honest(port).get(f"http://idp.example:{port}/", limits=QUICK)
        assert len(honest.requests) == 1
    assert canary.requests == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1%25lo]",
        "idp.example@127.0.0.1",
        "user:password@127.0.0.1",
        "%31%32%37.0.0.1",
    ],
)
def test_t_web_09_an_address_of_the_inside_is_refused_however_it_is_written(canary, host):
    port = port_of(canary)
    with pytest.raises(FetchRefused) as refused:
        only_honest(port).get(f"http://{host}:{port}/", limits=QUICK)
    assert canary.requests == []
    assert "password" not in refused.value.detail


@pytest.mark.parametrize("scheme", ["file:///etc/passwd", "ftp://{0}/", "gopher://{0}/", "unix://{0}/", "data:,x"])
def test_t_web_09_only_http_is_spoken(canary, scheme):
    with pytest.raises(FetchRefused):
        Outbound(development=True).get(scheme.format(canary.url.removeprefix("http://")))
    assert canary.requests == []


def test_t_web_09_a_port_that_is_not_allowed_is_refused_before_the_name_is_resolved(resolve):
    resolver = resolve([HONEST])
    for url in ("https://idp.example:6379/", "https://idp.example:80/", "https://idp.example:0/"):
        with pytest.raises(FetchRefused) as refused:
            Outbound(development=False).get(url)
        assert "outbound.allowed_ports" in refused.value.detail
    assert resolver.asked == []


def test_t_web_09_the_name_localhost_is_loopback_and_so_development_only(canary):
    port = port_of(canary)
    with pytest.raises(FetchRefused):
        only_honest(port).get(f"http://localhost:{port}/", limits=QUICK)
    assert canary.requests == []
    assert Outbound(development=True).get(f"http://localhost:{port}/", limits=QUICK).body == b"the inside"


@pytest.mark.parametrize(
    "url",
    ["https://idp.example/a?code=secret", "https://me:secret@idp.example/a", "https://idp.example/a#secret"],
)
def test_t_web_09_the_detail_names_the_address_without_query_or_password(url, resolve):
    resolve(["10.0.0.1"])
    with pytest.raises(FetchRefused) as refused:
        Outbound(development=False).get(url)
    assert refused.value.detail.startswith("https://idp.example/a: ")
    assert "secret" not in refused.value.detail


def test_t_web_09_the_detail_cannot_break_a_line_of_the_log():
    with pytest.raises(FetchRefused) as refused:
        Outbound(development=False).get("https://idp.example/\r\nfake: line\x1b[2J" + "x" * 5_000)
    assert refused.value.detail.isprintable()
    assert len(refused.value.detail) < 500


# ── Where it matters ─────────────────────────────────────────────────────────────────────────────────────────


def test_t_web_09_an_issuer_that_leads_inside_is_refused_and_the_record_says_why(resolve):
    resolve(["10.0.0.1"])
    with pytest.raises(ProviderUnavailable) as refused:
        Discovery("https://idp.example", Outbound(development=False), SystemClock()).metadata()
    assert "https://idp.example/.well-known/openid-configuration: 10.0.0.1 is private" in refused.value.detail


@pytest.mark.parametrize("host", ["127.0.0.1", "100.100.100.200", "[fd00::1]", "2130706433", "idp.example:6379"])
@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri"])
def test_t_web_09_an_endpoint_inside_is_refused_in_an_openid_providers_document(host, endpoint):
    issuer = "https://idp.example"
    members = {name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    outbound = Outbound(development=False)
    assert parse_metadata(json.dumps({"issuer": issuer, **members}).encode(), issuer, outbound).issuer == issuer
    members[endpoint] = f"https://{host}/"
    with pytest.raises(OIDCMetadata):
        parse_metadata(json.dumps({"issuer": issuer, **members}).encode(), issuer, outbound)


def test_t_web_09_an_sts_that_leads_to_the_metadata_service_gets_no_assertion(resolve):
    account = Account(name="a", id="1000000000000001", title="A", endpoint="https://sts-vpc.cn-hangzhou.example")
    inside = Destinations.read(development=False, networks=["100.64.0.0/10"])
    client = STSClient(Outbound(development=False, destinations=inside), SystemClock())
    resolve(["100.100.100.200"])
    with pytest.raises(ExchangeUnavailable) as refused:
        client.call(account, "AssumeRoleWithSAML", {"SAMLAssertion": "secret"}, Deadline(5))
    assert "metadata service" in refused.value.detail
    assert "secret" not in refused.value.detail
