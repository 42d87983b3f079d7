"""What the CLI's mode CloudSSO asks, over real HTTP, from the code in the terminal to credentials and sign-out."""

import http.client
import json
import re
import time

import pytest
import requests
import yaml

from tests.integration.terminal import CLIENT, Terminal, sign_in_terminal

PRODUCTION, SANDBOX = "1000000000000001", "1000000000000002"


@pytest.fixture(scope="module")
def signed_in(running):
    browser = running[0].sign_in()
    return browser, sign_in_terminal(running[0], browser)


def events(installation):
    return [record["event"] for record in installation.records()]


def test_from_the_code_in_the_terminal_to_credentials(installation):
    terminal = Terminal(installation.bridge)
    answer = terminal.start()
    assert answer.status_code == 200
    device = answer.json()
    assert device["VerificationUri"] == f"{installation.bridge}/device"
    assert device["VerificationUriComplete"] == f"{installation.bridge}/device?user_code={device['UserCode']}"
    assert type(device["Interval"]) is int
    assert device["Interval"] >= 5
    pending = terminal.poll()
    assert pending.status_code == 400
    assert pending.json()["ErrorCode"] == "AuthorizationPending"
    assert pending.json()["error"] == "authorization_pending"
    assert set(pending.json()) == {"ErrorCode", "ErrorMessage", "RequestId", "error"}
    assert terminal.poll().json()["error"] == "slow_down"

    browser = installation.sign_in()
    page = browser.open(device["VerificationUriComplete"])
    assert device["UserCode"] in page.text()
    assert "every role" in page.text()
    assert terminal.poll().status_code == 400  # looking is not allowing
    assert "The terminal is signed in" in browser.submit("/device/allow").text()

    token = terminal.poll()
    assert token.status_code == 200
    assert type(token.json()["ExpiresIn"]) is int
    assert 3000 < token.json()["ExpiresIn"] <= 36_000

    accounts = terminal.get("/access-assignments/accounts?MaxResults=100").json()
    assert accounts["Accounts"] == [
        {"AccountId": PRODUCTION, "DisplayName": "Acme Production"},
        {"AccountId": SANDBOX, "DisplayName": "Acme Sandbox"},
    ]
    assert accounts["IsTruncated"] is False
    found = terminal.get(f"/access-assignments/access-configurations?AccountId={SANDBOX}&MaxResults=100").json()
    [developer] = found["AccessConfigurationsForAccount"]
    assert developer["AccessConfigurationName"] == "Developer"

    for name in (developer["AccessConfigurationId"], "Developer"):
        issued = terminal.credentials(SANDBOX, name)
        assert issued.status_code == 200
        credentials = issued.json()["CloudCredential"]
        assert credentials["AccessKeyId"].startswith("STS.")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", credentials["Expiration"])
        assert set(credentials) == {"AccessKeyId", "AccessKeySecret", "SecurityToken", "Expiration"}
    assert events(installation)[-8:] == [
        "device.authorized",
        "terminal.opened",
        *["choice.made", "exchange.issued", "delivery.credentials"],
        *["choice.made", "exchange.reused", "delivery.credentials"],
    ]


def test_lists_come_in_pages(signed_in):
    _, terminal = signed_in
    first = terminal.get("/access-assignments/accounts?MaxResults=1").json()
    assert first["IsTruncated"] is True
    second = terminal.get(f"/access-assignments/accounts?MaxResults=1&NextToken={first['NextToken']}").json()
    assert [len(page["Accounts"]) for page in (first, second)] == [1, 1]
    assert second["IsTruncated"] is False
    for query in ("NextToken=x", "MaxResults=-1", "NextToken=999999999999", "MaxResults=%D9%A1"):
        assert terminal.get(f"/access-assignments/accounts?{query}").status_code == 400


def test_the_token_of_a_terminal_is_no_cookie_and_a_cookie_is_no_token(installation, signed_in):
    browser, terminal = signed_in
    cookie = browser.cookies.get("__Host-rambridge")
    assert cookie
    with_token = requests.get(
        f"{installation.bridge}/api/v1/session", headers={"Cookie": f"__Host-rambridge={terminal.token}"}, timeout=60
    )
    assert with_token.status_code == 401
    with_cookie = Terminal(installation.bridge, token=cookie).get("/access-assignments/accounts")
    assert with_cookie.status_code == 401
    assert with_cookie.json()["ErrorCode"] == "terminal_token_unknown"


@pytest.mark.parametrize(
    ("account", "configuration"),
    [(SANDBOX, "PlatformAdmin"), (PRODUCTION, "Developer"), ("1000000000000009", "Developer"), (SANDBOX, "Nobody")],
)
def test_what_the_rules_do_not_grant_is_refused_and_recorded(installation, signed_in, account, configuration):
    answer = signed_in[1].credentials(account, configuration)
    assert answer.status_code == 403
    assert answer.json()["ErrorCode"] == "not_entitled"
    assert events(installation)[-1] == "choice.refused"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"a": 1, "a": 2}',
        b'{"DeviceCode": 7}',
        b"x" * 9_000,
        '{"a": "\ud800"}'.encode("utf-8", "surrogatepass"),
    ],
)
@pytest.mark.parametrize("path", ["/device-authorization", "/token", "/cloud-credentials"])
def test_bodies_that_are_no_question_are_refused_in_the_protocols_form(installation, signed_in, path, body):
    headers = {"Authorization": f"Bearer {signed_in[1].token}", "Content-Type": "application/json"}
    answer = requests.post(f"{installation.bridge}{path}", data=body, headers=headers, timeout=60)
    assert 400 <= answer.status_code < 500
    assert {"ErrorCode", "ErrorMessage", "RequestId"} <= set(answer.json())
    if path == "/token":
        assert answer.json()["ErrorCode"] == "InvalidDeviceCodeError"  # anything else would be asked again at once


def test_a_terminal_that_was_refused_gets_nothing(installation):
    terminal = Terminal(installation.bridge)
    terminal.start()
    browser = installation.sign_in()
    browser.open(terminal.device["VerificationUriComplete"])
    assert "turned away" in browser.submit("This is not mine").text()
    answer = terminal.poll()
    assert answer.json()["ErrorCode"] == "InvalidDeviceCodeError"
    assert answer.json()["error"] == "access_denied"
    assert events(installation)[-1] == "device.refused"


def test_codes_cannot_be_guessed_one_after_the_other(installation):
    """T-WEB-18."""
    browser = installation.sign_in("amara.okafor")
    statuses = []
    while statuses.count(429) == 0 and len(statuses) <= 2 * 20:  # a minute of the clock may end in between
        pair = _pairs(2 * 20 + 1)[len(statuses)]
        statuses.append(browser.open(f"{installation.bridge}/device?user_code=BCDF-GH{pair}").status)
    assert statuses[20:].count(429) == 1
    assert statuses[:-1] == [404] * (len(statuses) - 1)
    assert installation.sign_in().open(f"{installation.bridge}/device").status == 200  # nobody else waits for it


def test_opening_an_address_or_a_form_of_another_site_lets_nobody_in(installation):
    """T-WEB-19."""
    terminal = Terminal(installation.bridge)
    terminal.start()
    browser = installation.sign_in("zhang.min")
    code = terminal.device["UserCode"]
    assert browser.open(f"{installation.bridge}/device/allow?user_code={code}").status == 405
    browser.open(terminal.device["VerificationUriComplete"])
    cookie = {"Cookie": f"__Host-rambridge={browser.cookies.get('__Host-rambridge')}"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-origin"}):
        answer = requests.post(
            f"{installation.bridge}/device/allow", data={"user_code": code}, headers=cookie | headers, timeout=60
        )
        assert answer.status_code == 403
    assert terminal.poll().json()["ErrorCode"] == "AuthorizationPending"
    browser.submit("/device/allow")
    assert terminal.poll().status_code == 200


def test_a_terminal_on_another_network_is_pointed_out(installation):
    """T-WEB-19."""
    near = Terminal(installation.bridge)
    near.start()
    browser = installation.sign_in("siobhan.oneill")
    assert "not on this network" not in browser.open(near.device["VerificationUriComplete"]).text()
    host, _, port = installation.bridge.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60, source_address=("127.0.0.2", 0))
    body = {"CodeChallenge": "A" * 43, "CodeChallengeMethod": "S256", "ClientId": CLIENT, "PortalUrl": ""}
    connection.request("POST", "/device-authorization", json.dumps(body), {"Host": host})
    device = json.loads(connection.getresponse().read())
    connection.close()
    page = browser.open(device["VerificationUriComplete"]).text()
    assert "not on this network" in page
    assert "127.0.0.2" in page


def test_a_code_is_decided_about_once(installation):
    """T-WEB-19."""
    terminal = Terminal(installation.bridge)
    terminal.start()
    first, second = installation.sign_in(), installation.sign_in("siobhan.oneill")
    for browser in (first, second):
        browser.open(terminal.device["VerificationUriComplete"])
    first.submit("/device/allow")
    assert second.submit("/device/allow").status == 404
    terminal.poll()
    assert "PlatformAdmin" in terminal.get(f"/access-assignments/access-configurations?AccountId={PRODUCTION}").text


def test_signing_out_here_ends_the_persons_terminals_and_nobody_elses(installation):
    browser = installation.sign_in()
    terminal = sign_in_terminal(installation, browser)
    other = sign_in_terminal(installation, installation.sign_in("zhang.min"))
    browser.open(installation.bridge)
    browser.submit("/sign-out")
    assert terminal.get("/access-assignments/accounts").status_code == 401
    assert terminal.credentials(SANDBOX, "Developer").status_code == 401
    assert other.get("/access-assignments/accounts").status_code == 200


def test_a_sign_out_between_the_click_and_the_token_counts(installation):
    terminal = Terminal(installation.bridge)
    terminal.start()
    browser = installation.sign_in()
    browser.open(terminal.device["VerificationUriComplete"])
    browser.submit("/device/allow")
    browser.open(installation.bridge)
    browser.submit("/sign-out")
    assert terminal.poll().json()["ErrorCode"] == "InvalidDeviceCodeError"


def test_the_address_of_a_terminal_leads_there_through_the_sign_in(installation):
    terminal = Terminal(installation.bridge)
    terminal.start()
    browser = installation.browser_at_idp()
    page = browser.open(terminal.device["VerificationUriComplete"])
    assert "/sign-in" in page.url
    assert page.status == 200
    assert terminal.poll().status_code == 400


def test_a_removed_rule_takes_the_role_from_the_terminal_at_once(running):
    installation, _ = running
    terminal = sign_in_terminal(installation, installation.sign_in())
    assert terminal.credentials(SANDBOX, "Developer").status_code == 200
    rules = installation.config / "rules"
    kept = {path: path.read_text() for path in rules.glob("*.yaml")}
    try:
        for path, text in kept.items():
            content = yaml.safe_load(text)
            content["rules"] = [
                rule for rule in content.get("rules", []) if "Developer" not in yaml.safe_dump(rule.get("grant", []))
            ]
            if content["rules"]:
                path.write_text(yaml.safe_dump(content))
            else:
                path.unlink()  # a file without a rule is a mistake
        answer = _until(lambda: terminal.credentials(SANDBOX, "Developer"), lambda answer: answer.status_code == 403)
        assert answer.json()["ErrorCode"] == "not_entitled"
        assert SANDBOX not in terminal.get("/access-assignments/accounts").text
    finally:
        for path, text in kept.items():
            path.write_text(text)
        _until(lambda: terminal.credentials(SANDBOX, "Developer"), lambda answer: answer.status_code == 200)


def _pairs(number):
    return [f"{first}{second}" for first in "BCDFGHJ" for second in "KLMNPQ"][:number]


def _until(ask, holds):
    deadline = time.monotonic() + 120
    while not holds(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.3)
    assert holds(answer)
    return answer
