"""By which way, and on whose word, the console's federation endpoint is asked."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from bridge.attack.scripted_server import Reply, ScriptedServer
from bridge.delivery.sign_in_token import SignInTokens
from bridge.errors import ConsoleTokenUnavailable
from bridge.exchange.accounts import CONSOLES
from bridge.exchange.credentials import TemporaryCredentials
from bridge.outbound import Outbound
from tests.factories import make_account
from tests.fakes.authority import make_authority
from tests.fakes.connect_proxy import ConnectProxy

CREDENTIALS = TemporaryCredentials(
    access_key_id="STS.id",
    access_key_secret="secret",
    security_token="token",
    expires_at=datetime.now(UTC) + timedelta(hours=1),
    assumed_role_arn="acs:ram::1000000000000001:role/ReadOnly/lin",
    assumed_role_id="3:lin",
    role_session_name="lin",
    request_id="R",
    duration_seconds=3600,
    decided_by="rule",
)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    """Return what signs the console's certificate, and what signs that of an STS in a VPC."""
    folder = tmp_path_factory.mktemp("authorities")
    return make_authority(folder, "public"), make_authority(folder, "vpc")


@pytest.fixture
def console(authorities):
    """Return the addresses of a console whose certificate is the public authority's."""
    honest = Reply(200, json.dumps({"SigninToken": "sign-in"}).encode())
    with ScriptedServer(lambda _: honest, authorities[0][1]) as server:
        yield CONSOLES["china"].model_copy(update={"federation_url": f"{server.url}/federation"})


@pytest.fixture
def proxy():
    with ConnectProxy() as running:
        yield running


def ask(account):
    return SignInTokens(Outbound(development=True)).get(account, CREDENTIALS)


def test_the_console_s_own_address_is_reached_without_the_way_to_a_private_sts(
    console, authorities, proxy, monkeypatch
):
    monkeypatch.setitem(CONSOLES, "china", console)
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities[0][0]))  # the system's authorities
    account = make_account(ca_file=authorities[1][0], proxy=proxy.url)
    assert ask(account) == "sign-in"
    assert proxy.asked == []


def test_the_authority_of_a_private_sts_does_not_vouch_for_the_console(console, authorities, monkeypatch):
    monkeypatch.setitem(CONSOLES, "china", console)
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities[1][0]))
    with pytest.raises(ConsoleTokenUnavailable):
        ask(make_account(ca_file=authorities[0][0]))


def test_a_console_of_the_sandbox_is_reached_as_its_sts_is(console, authorities, proxy):
    account = make_account(ca_file=authorities[0][0], proxy=proxy.url, custom_console=console)
    assert ask(account) == "sign-in"
    assert len(proxy.asked) == 1
    with pytest.raises(ConsoleTokenUnavailable):
        ask(make_account(ca_file=authorities[1][0], custom_console=console))
