"""Two processes of the service on one store receive the same message at the same instant: exactly one accepts it.

Nothing is shared but the store, the audit log and the configuration; each message is honest, and is posted once to each
node by threads that a barrier releases together.
"""

import http.client
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier
from urllib.parse import urlencode, urlsplit

import pytest
import requests
import yaml

from bridge import embedded_store
from bridge.attack.oidc.openid_provider import OpenIDProvider
from bridge.sandbox.servers import run_sandbox
from bridge.sessions.cookie import BROWSER_COOKIE, SESSION_COOKIE
from tests.installation import BridgeProcess, prepare
from tests.ports import reserve_ports

RACES = 200
HELD_RACES = 20
LONGEST_SECONDS = 120
FORM = "application/x-www-form-urlencoded"
CLIENT_SECRET = "a-secret-of-the-client"


class CarelessProvider(OpenIDProvider):
    """An OpenID provider that redeems a code as often as it is asked to, for a new token each time.

    A real one refuses the second time, and the question here would be its to answer.
    """

    def __init__(self):
        super().__init__(client_secret=CLIENT_SECRET)
        self._codes = _NothingIsUsedUp()
        self._both = Barrier(2)
        self._held = 0

    def reply_to(self, request):
        """Let the nodes wait for each other in the first races: neither has used up the question when they go on."""
        if request.path == "/token" and self._held < 2 * HELD_RACES:
            self._both.wait(LONGEST_SECONDS)
            self._held += 1
        return super().reply_to(request)


class _NothingIsUsedUp(dict):
    def pop(self, key, default=None):
        return self.get(key, default)


class Nodes:
    """Two nodes behind one address."""

    def __init__(self, installation, ports):
        self.installation = installation
        self._host = installation.bridge.removeprefix("http://")
        self._ports = ports
        self._threads = ThreadPoolExecutor(len(ports))
        self._together = Barrier(len(ports))

    def race(self, method, path, *, body=None, cookie=""):
        """Send the same request to each node at the same instant; return the answers' status, code and cookies."""
        headers = {"Host": self._host, "Cookie": cookie} | ({"Content-Type": FORM} if body else {})
        return list(self._threads.map(lambda port: self._send(port, method, path, body, headers), self._ports))

    def _send(self, port, method, path, body, headers):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_SECONDS)) as connection:
            connection.connect()
            self._together.wait(LONGEST_SECONDS)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            page = response.read().decode()
        code = page.partition('<dd class="mono">')[2].partition(" ")[0] or None
        return response.status, code, str(response.headers.get_all("Set-Cookie"))

    def close(self):
        self._threads.shutdown()


@pytest.fixture(scope="module")
def openid_provider():
    with CarelessProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, openid_provider):
    installation = prepare(tmp_path_factory.mktemp("two-nodes"))
    settings = {
        "name": "careless",
        "title": "Careless",
        "protocol": "oidc",
        "issuer": openid_provider.issuer,
        "client_id": openid_provider.client_id,
        "client_secret": "file:careless.secret",
    }
    (installation.config / "providers" / "careless.yaml").write_text(yaml.safe_dump(settings))
    # Each refusal is counted here, and all come from one address.
    (installation.config / "audit.yaml").write_text("refusals_per_minute: 1000000\n")
    secret = installation.config / "providers" / "careless.secret"
    secret.write_text(CLIENT_SECRET)
    secret.chmod(0o600)
    first, second = int(installation.bridge.rpartition(":")[2]), reserve_ports(1)[0]
    with ExitStack() as stack:
        stack.enter_context(run_sandbox(installation.config, installation.folder / "certs" / "sandbox"))
        stack.callback(embedded_store.stop, installation.store_folder)
        stack.enter_context(BridgeProcess(installation))
        stack.enter_context(BridgeProcess(installation, listen=f"127.0.0.1:{second}"))
        nodes = Nodes(installation, [first, second])
        stack.callback(nodes.close)
        yield nodes


@pytest.fixture(scope="module")
def browser(nodes):
    """Return a browser that the company knows already."""
    return nodes.installation.browser_at_idp()


def cookie_of(browser):
    """Return the cookie that names the browser to the bridge."""
    [value] = {cookie.value for cookie in browser.cookies if cookie.name == BROWSER_COOKIE}
    return f"{BROWSER_COOKIE}={value}"


def check_that_one_won(answers, lost, accepted, refusals):
    """One node accepts, the other one refuses with one of these codes and gives no cookie."""
    outcomes = sorted(answers, key=lambda answer: answer[0] != accepted)
    (status, code, _), (refused, reason, cookies) = outcomes
    assert (status, code) == (accepted, None)
    assert refused == 400
    assert reason in refusals
    assert SESSION_COOKIE + "=" not in cookies
    lost[reason] += 1


def check_the_records(nodes, after, races=RACES):
    """Each race left one acceptance and one refusal, whichever process wrote it."""
    events = Counter(record["event"] for record in nodes.installation.records(after))
    assert events["sign_in.accepted"] == events["sign_in.refused"] == races


def count(nodes):
    return len(nodes.installation.records()) - 1


def test_t_saml_27_an_answer_that_two_nodes_receive_at_once_signs_in_once(nodes, browser):
    after, lost, races = count(nodes), Counter(), 0
    while races < RACES or not lost["saml_replay"]:
        assert races < 20 * RACES, "in no race did the second node find the question still there"
        races += 1
        browser.open(f"{nodes.installation.bridge}/sign-in/acme-saml")
        form = browser.page.find_auto_submit_form()
        answers = nodes.race("POST", urlsplit(form.action).path, body=urlencode(form.fields), cookie=cookie_of(browser))
        check_that_one_won(answers, lost, 303, {"saml_replay", "saml_inresponseto"})
    check_the_records(nodes, after, races)


def test_t_saml_27_a_response_that_nobody_asked_for_and_two_nodes_receive_at_once_counts_once(nodes, browser):
    after, lost = count(nodes), Counter()
    for _ in range(RACES):
        browser.open(nodes.installation.idp)
        browser.click("Alibaba Cloud")
        form = browser.page.find_auto_submit_form()
        answers = nodes.race("POST", urlsplit(form.action).path, body=urlencode(form.fields))
        check_that_one_won(answers, lost, 200, {"saml_replay"})
    check_the_records(nodes, after)


def test_t_oidc_17_a_callback_that_two_nodes_receive_at_once_signs_in_once(nodes, openid_provider):
    """The provider would sign the person in twice, with two tokens: it is our state that is used up."""
    after, lost = count(nodes), Counter()
    for _ in range(RACES):
        begun = requests.get(f"{nodes.installation.bridge}/sign-in/careless", allow_redirects=False, timeout=60)
        query = urlencode(openid_provider.authorize(begun.headers["Location"]))
        cookie = begun.headers["Set-Cookie"].partition(";")[0]
        answers = nodes.race("GET", f"/oidc/careless/callback?{query}", cookie=cookie)
        check_that_one_won(answers, lost, 303, {"oidc_state"})
    check_the_records(nodes, after)
    assert openid_provider.paths().count("/token") >= RACES + HELD_RACES, "there both nodes redeemed the code"
