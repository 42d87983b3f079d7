"""From the tile to credentials and console, over real HTTP, real Redis and a real database."""

import json
import re
from html import unescape

import pytest

PEOPLE = {"lin.wei": "林薇"}


def entitlements(installation, browser):
    answer = browser.open(f"{installation.bridge}/api/v1/session").json()
    browser.open(f"{installation.bridge}/")
    return {f"{each['kind']} {each['account']}/{each['name']}": each for each in answer["entitlements"]}


def read_credentials(page):
    found = re.search(r'<pre[^>]* id="json-text">(.*?)</pre>', page.html, re.DOTALL)
    return json.loads(unescape(re.sub(r"<[^>]*>", "", found[1])))


@pytest.mark.parametrize("tile", ["Alibaba Cloud", "Rambridge", "Rambridge (OpenID Connect)"])
def test_a_tile_leads_to_the_portal_with_exactly_what_the_rules_grant(installation, tile):
    browser = installation.sign_in("lin.wei", tile)
    assert browser.page.url == f"{installation.bridge}/"
    assert set(entitlements(installation, browser)) == {
        "role acme-production/ReadOnly",
        "role acme-production/PlatformAdmin",
        "role acme-sandbox/Developer",
        "user acme-production/lin.wei",
    }


@pytest.mark.parametrize("tile", ["Alibaba Cloud", "Rambridge (OpenID Connect)"])
def test_without_a_second_factor_the_strong_role_is_not_offered(installation, tile):
    browser = installation.sign_in("lin.wei", tile, mfa=False)
    assert "role acme-production/PlatformAdmin" not in entitlements(installation, browser)


@pytest.mark.parametrize("target", ["role acme-production/ReadOnly", "role acme-sandbox/Developer"])
def test_a_role_gives_credentials_in_three_forms(installation, target):
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)[target]
    page = browser.submit(f"/credentials/{chosen['id']}")
    credentials = read_credentials(page)
    assert credentials["AccessKeyId"].startswith("STS.")
    text = unescape(re.sub(r"<[^>]*>", "", page.html))
    assert f"export ALIBABA_CLOUD_SECURITY_TOKEN={credentials['SecurityToken']}\n" in text
    assert f'"sts_token": "{credentials["SecurityToken"]}"' in text
    assert '"mode": "StsToken"' in text


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("role acme-production/PlatformAdmin", "PlatformAdmin"),
        ("role acme-sandbox/Developer", "Developer"),
        ("user acme-production/lin.wei", "lin.wei"),
    ],
)
def test_the_console_opens_as_exactly_what_was_chosen(installation, target, says):
    browser = installation.sign_in()
    browser.submit(f"/console/{entitlements(installation, browser)[target]['id']}")
    page = browser.auto_submit()
    assert page.url.startswith(f"{installation.cloud}/")
    assert page.status == 200
    assert f"You are {says}" in page.text()


def test_a_ram_user_gets_the_terminal_role_under_their_own_name(installation):
    browser = installation.sign_in()
    user = entitlements(installation, browser)["user acme-production/lin.wei"]
    browser.submit(f"/credentials/{user['id']}")
    issued = [record for record in installation.records() if record["event"] == "exchange.issued"][-1]
    assert issued["entitlement"] == "user lin.wei"
    assert issued["role_session_name"] == "lin.wei"


@pytest.mark.parametrize("tile", ["Alibaba Cloud", "Rambridge", "Rambridge (OpenID Connect)"])
def test_with_exactly_one_role_the_portal_is_skipped(installation, tile):
    browser = installation.sign_in("sofia.marchetti", tile)
    page = browser.auto_submit()
    assert page.url.startswith(f"{installation.cloud}/")
    assert "You are FinanceAuditor" in page.text()


def test_somebody_without_any_role_is_told_so(installation):
    browser = installation.sign_in("greta.holm", mfa=False)
    assert browser.page.status == 200
    assert "Nothing is assigned to you yet" in browser.page.text()


def test_a_denied_account_is_not_offered(installation):
    browser = installation.sign_in("ines.ferrand", mfa=False)
    assert not [name for name in entitlements(installation, browser) if "acme-production" in name]


def test_every_arrow_is_recorded_in_order(installation):
    last = len(installation.records()) - 1
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)[
        "role acme-production/PlatformAdmin"
    ]  # nobody else gets credentials of it here
    credentials = read_credentials(browser.submit(f"/credentials/{chosen['id']}"))
    written = installation.records(last)
    assert [record["event"] for record in written] == [
        "sign_in.accepted",
        "entitlements.resolved",
        "choice.made",
        "exchange.issued",
        "delivery.credentials",
    ]
    assert {record["person"] for record in written} == {"林薇"}
    assert written[3]["access_key_id"] == credentials["AccessKeyId"]
    assert written[3]["rule"]
    assert written[0]["acr"] == "https://refeds.org/profile/mfa"


def test_no_secret_is_in_the_audit_log(installation):
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)["role acme-production/ReadOnly"]
    credentials = read_credentials(browser.submit(f"/credentials/{chosen['id']}"))
    log = json.dumps(installation.records())
    assert credentials["AccessKeyId"] in log
    assert credentials["AccessKeySecret"] not in log
    assert credentials["SecurityToken"] not in log


def test_an_entitlement_that_the_rules_do_not_grant_is_refused_and_recorded(installation):
    admin = installation.sign_in("lin.wei")
    wanted = entitlements(installation, admin)["role acme-production/PlatformAdmin"]["id"]
    browser = installation.sign_in("jonas.lindqvist", mfa=False)
    page = browser.open(f"{installation.bridge}/")
    offered = next(form.action for form in page.forms if "/credentials/" in form.action)
    assert wanted not in offered
    for form in page.forms:
        if form.action == offered:
            form.action = f"{installation.bridge}/credentials/{wanted}"
    page = browser.submit(f"/credentials/{wanted}")
    assert page.status == 403
    assert "not_entitled" in page.text()
    assert installation.records()[-1]["event"] == "choice.refused"


def test_sign_out_ends_the_session(installation):
    browser = installation.sign_in()
    browser.submit("Sign out")
    assert browser.page.url == f"{installation.bridge}/signed-out"
    assert browser.open(f"{installation.bridge}/api/v1/session").status == 401


def test_the_session_answer_names_provider_subject_claims_and_end(installation):
    browser = installation.sign_in()
    answer = browser.open(f"{installation.bridge}/api/v1/session").json()
    assert answer["provider"] == "acme-saml"
    assert answer["claims"]["email"] == "lin.wei@acme.example"
    assert "platform" in answer["claims"]["groups"]
    assert answer["session_ends_at"].endswith("Z")
