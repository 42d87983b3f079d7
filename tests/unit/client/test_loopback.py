"""The address that the browser comes back to: one answer, to what was asked, from whom it was asked of (OUT-11)."""

import http.client
from urllib.parse import urlencode

import pytest
import requests

from bridge.client.failure import SignInFailed
from bridge.client.loopback import Loopback
from bridge.client.oauth import AuthorizationServer
from bridge.client.service import Service
from bridge.language import speaking
from tests.fakes.wrong_service import wrong_service

STATE = "a state of 24 random bytes"


@pytest.fixture(scope="module")
def authorization():
    with wrong_service() as service:
        service.describe_itself()
        yield AuthorizationServer(Service(service.url))


@pytest.fixture
def loopback(authorization):
    with Loopback(authorization, STATE) as loopback:
        yield loopback


def come_back(loopback, authorization, headers=None, **changes):
    fields = {"code": "a code", "state": STATE, "iss": authorization.issuer} | changes
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return requests.get(f"{loopback.redirect_uri}?{query}", headers=headers, timeout=5)


def test_the_answer_to_what_was_asked_is_taken(loopback, authorization):
    page = come_back(loopback, authorization)
    assert page.status_code == 200
    assert "go back to the terminal" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert loopback.wait(1) == "a code"


def test_the_page_speaks_the_language_of_the_terminal(authorization):
    with speaking("zh-CN"), Loopback(authorization, STATE) as loopback:
        refused = requests.get(loopback.redirect_uri.replace("/callback", "/"), timeout=5)
        page = come_back(loopback, authorization)
        assert loopback.wait(1) == "a code"
    assert '<html lang="zh-CN">' in page.text
    assert "<h1>终端已登录</h1>" in page.text
    assert "此地址仅用于一次登录。" in refused.text


@pytest.mark.parametrize(
    "changes",
    [{"state": "another"}, {"state": None}, {"state": ""}, {"code": None}, {"code": ""}],
    ids=["another state", "no state", "empty state", "no code", "empty code"],
)
def test_what_belongs_to_no_question_of_ours_does_not_end_the_wait(loopback, authorization, changes):
    assert come_back(loopback, authorization, **changes).status_code == 400
    assert come_back(loopback, authorization).status_code == 200
    assert loopback.wait(1) == "a code"


@pytest.mark.parametrize("issuer", ["https://evil.example", None])
def test_the_answer_of_another_service_is_refused(loopback, authorization, issuer):
    """RFC 9207: a mix-up would take the code to whom it is not meant for."""
    assert come_back(loopback, authorization, iss=issuer).status_code == 400
    with pytest.raises(SignInFailed, match="another service"):
        loopback.wait(1)


def test_a_refusal_is_a_sentence_without_what_a_stranger_put_into_it(loopback, authorization):
    page = come_back(loopback, authorization, code=None, error="server_error", error_description="<b>\x1b[31mx")
    assert "<b>" not in page.text
    with pytest.raises(SignInFailed, match=r"^The sign-in did not work: <b>\[31mx$"):
        loopback.wait(1)


def test_t_out_11_what_is_no_address_at_all_is_not_here_and_writes_nothing(loopback, authorization, capfd):
    host = loopback.redirect_uri.removeprefix("http://").removesuffix("/callback")
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.putrequest("GET", "http://[/callback", skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    assert connection.getresponse().status == 404
    connection.close()
    assert come_back(loopback, authorization).status_code == 200
    assert loopback.wait(1) == "a code"
    assert capfd.readouterr().err == ""


def test_a_name_that_points_here_is_not_answered(loopback, authorization):
    assert come_back(loopback, authorization, headers={"Host": "evil.example"}).status_code == 421
    assert requests.get(loopback.redirect_uri.replace("/callback", "/"), timeout=5).status_code == 404
    with pytest.raises(SignInFailed, match="--device"):
        loopback.wait(0.1)
