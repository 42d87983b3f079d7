"""The way to an account's STS: through a proxy, with a private authority, over connections that are used again."""

import threading
import time

import pytest

from bridge.attack.scripted_server import Reply
from bridge.errors import ExchangeMismatch, ExchangeUnavailable
from tests.factories import make_account, make_choice, make_entitlement, make_identity
from tests.fakes.alibaba_sts import AlibabaSTS, fault
from tests.fakes.authority import make_authority
from tests.fakes.connect_proxy import ConnectProxy

KEY = {"trust": "access_key", "access_key_id": "LTAI", "access_key_secret": "secret"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("authority"), "sts")


@pytest.fixture
def tls_sts(authority):
    with AlibabaSTS(tls=authority[1]) as server:
        yield server


@pytest.fixture
def proxy():
    with ConnectProxy() as running:
        yield running


@pytest.fixture
def behind_proxy(build_exchange, tls_sts, authority, proxy):
    """Return an exchange whose STS is reached through the proxy."""
    settings = {"endpoint": tls_sts.url, "ca_file": authority[0], "proxy": proxy.url, "timeout_seconds": 1}
    return build_exchange(make_account(**settings))


def test_sts_is_reached_through_the_proxy_which_reads_nothing(behind_proxy, tls_sts, proxy):
    issued = behind_proxy.issue(make_choice())
    assert issued.access_key_secret in tls_sts.secrets
    assert proxy.asked == [tls_sts.url.removeprefix("https://")]
    assert len(proxy.passed) > 1000
    for word in (b"SAMLAssertion", b"AssumeRole", issued.access_key_secret.encode()):
        assert word not in proxy.passed


def test_one_tunnel_serves_many_calls(behind_proxy, tls_sts, proxy):
    for _ in range(3):
        behind_proxy.issue(make_choice())
    assert len(tls_sts.requests) == 3
    assert len(proxy.asked) == 1


def test_a_proxy_that_is_not_the_sts_gets_no_assertion(build_exchange, tmp_path, authority, proxy):
    other = tmp_path / "other"
    other.mkdir()
    with AlibabaSTS(tls=make_authority(other, "other")[1]) as somebody_else:
        settings = {"endpoint": somebody_else.url, "ca_file": authority[0], "proxy": proxy.url, "timeout_seconds": 1}
        with pytest.raises(ExchangeUnavailable):
            build_exchange(make_account(**settings)).issue(make_choice())
        assert somebody_else.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_a_proxy_that_refuses_is_an_sts_that_is_not_there(behind_proxy, tls_sts, proxy, answer):
    proxy.answer = answer
    with pytest.raises(ExchangeUnavailable):
        behind_proxy.issue(make_choice())
    assert tls_sts.requests == []
    proxy.answer = None
    assert behind_proxy.issue(make_choice()).access_key_id


def test_a_proxy_that_drips_holds_nobody(behind_proxy, proxy):
    proxy.answer, proxy.pause_seconds = b"HTTP/1.1 200 " + b"x" * 500, 0.05
    begun = time.monotonic()
    with pytest.raises(ExchangeUnavailable):
        behind_proxy.issue(make_choice())
    assert time.monotonic() - begun < 5


def test_no_proxy_is_asked_to_forward_plain_http(build_exchange, sts, proxy):
    with pytest.raises(ExchangeUnavailable, match="https"):
        build_exchange(make_account(endpoint=sts.url, proxy=proxy.url)).issue(make_choice())
    assert proxy.asked == []


def test_a_connection_is_used_again_and_a_closed_one_is_not(tls_sts, authority, build_exchange):
    exchange = build_exchange(make_account(endpoint=tls_sts.url, ca_file=authority[0]))
    for _ in range(3):
        exchange.issue(make_choice())
    [pool] = exchange._sts._outbound._pools.values()
    [connections] = [pool.pools[key] for key in pool.pools.keys()]  # noqa: SIM118  no mapping
    assert connections.num_connections == 1
    tls_sts.script = [Reply(raw=b"")]
    with pytest.raises(ExchangeUnavailable):
        exchange.issue(make_choice())
    assert exchange.issue(make_choice()).access_key_id


# ── A role of another account, ExternalId, SourceIdentity ────────────────────────────────────────────────────


@pytest.fixture
def chained(build_exchange, sts):
    """Return an exchange for an account that is entered from another one."""
    hub = make_account(name="hub", id="1000000000000009", endpoint=sts.url)
    via = {"account": "hub", "role": "Hub"}
    target = make_account(
        endpoint=sts.url, via=via, external_id="rambridge-0123456789", source_identity=True, timeout_seconds=2
    )
    return build_exchange(hub, target)


def echo_source_identity(sts):
    sts.changes = {"SourceIdentity": "lin.wei@acme.example"}


def test_the_first_step_may_do_nothing_but_the_second_and_is_as_short_as_can_be(chained, sts):
    echo_source_identity(sts)
    issued = chained.issue(make_choice())
    first, second = [request.form for request in sts.requests]
    assert first["Action"] == "AssumeRoleWithSAML"
    assert first["RoleArn"] == "acs:ram::1000000000000009:role/Hub"
    assert first["DurationSeconds"] == "900"
    assert first["Policy"] == (
        '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
        '"Resource":"acs:ram::1000000000000001:role/ReadOnly"}]}'
    )
    assert "ExternalId" not in first
    assert second["RoleArn"] == "acs:ram::1000000000000001:role/ReadOnly"
    assert second["ExternalId"] == "rambridge-0123456789"
    assert second["SourceIdentity"] == "lin.wei@acme.example"
    assert second["DurationSeconds"] == "3600"
    assert sts.requests[1].headers["x-acs-security-token"] == sts.secrets[1]
    assert sts.secrets[0] not in str(sts.requests[1])
    assert issued.access_key_secret == sts.secrets[2]
    assert chained.trust_of("acme") == "via hub/Hub"


def test_the_second_step_is_tried_again_without_the_first(chained, sts):
    echo_source_identity(sts)
    answers = iter([None, fault(503, "ServiceUnavailable"), None])
    honest = sts.answer

    def answer(request):
        return next(answers) or honest(request)

    sts.answer = answer
    chained.issue(make_choice())
    assert len(sts.requests) == 3
    assert [request.form["RoleArn"].rpartition("/")[2] for request in sts.requests] == ["Hub", "ReadOnly", "ReadOnly"]


@pytest.mark.parametrize("answered", [None, "somebody.else", ["lin.wei@acme.example"]])
def test_t_sts_15_a_source_identity_that_sts_does_not_confirm_is_no_release(chained, sts, answered):
    sts.changes = {"SourceIdentity": answered}
    with pytest.raises(ExchangeMismatch):
        chained.issue(make_choice())


def test_t_sts_15_a_first_step_into_another_role_is_the_last(chained, sts):
    sts.changes = {"AssumedRoleUser.Arn": "acs:ram::1000000000000001:role/ReadOnly/lin.wei@acme.example"}
    with pytest.raises(ExchangeMismatch):
        chained.issue(make_choice())
    assert len(sts.requests) == 1


def test_both_steps_share_one_deadline(chained, sts):
    sts.answer = lambda _: Reply(503, b"", delay_seconds=1.5)
    begun = time.monotonic()
    with pytest.raises(ExchangeUnavailable):
        chained.issue(make_choice())
    assert time.monotonic() - begun < 3.5


def test_the_source_identity_is_the_person_also_where_the_session_is_named_for_a_ram_user(build_exchange, sts):
    echo_source_identity(sts)
    exchange = build_exchange(**KEY, source_identity=True, external_id="rambridge-0123456789")
    user = make_entitlement(kind="user", name="shared.user", terminal_role="Shared")
    exchange.issue(make_choice(entitlement=user))
    [request] = sts.requests
    assert request.form["RoleSessionName"] == "shared.user"
    assert request.form["SourceIdentity"] == "lin.wei@acme.example"
    assert request.form["ExternalId"] == "rambridge-0123456789"


@pytest.mark.parametrize("trust", ["saml", "oidc"])
def test_what_has_no_place_is_not_sent(build_exchange, sts, trust):
    exchange = build_exchange(trust=trust, source_identity=True, external_id="rambridge-0123456789")
    exchange.issue(make_choice(identity=make_identity()))
    assert not {"ExternalId", "SourceIdentity"} & set(sts.requests[0].form)


def test_a_resolver_that_is_silent_holds_nobody(build_exchange, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr("bridge.outbound.socket.getaddrinfo", lambda *_, **__: over.wait(10))
    begun = time.monotonic()
    with pytest.raises(ExchangeUnavailable, match="NameResolutionError"):
        build_exchange(make_account(endpoint="http://sts.example", timeout_seconds=0.5)).issue(make_choice())
    over.set()
    assert time.monotonic() - begun < 3
