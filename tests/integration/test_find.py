"""The paste box: from a denied call to the console of the least powerful role, and nothing told besides."""

import re
from html import unescape

import pytest
import requests

DENIED = (
    "Error: Forbidden.RAM code: 403, User not authorized. Response: {'AccessDeniedDetail': {'AuthAction': '%s', "
    "'AuthResource': '%s', 'AuthPrincipalDisplayName': 'Nobody:lin.wei', 'NoPermissionType': 'ImplicitDeny'}}"
)
INSTANCE = "acs:ecs:cn-hangzhou:1000000000000002:instance/i-bp1shop"
PAGE = "https://ecs.console.aliyun.com/server/i-bp1shop/detail?regionId=cn-hangzhou"


@pytest.fixture
def browser(installation):
    return installation.sign_in()


def paste(installation, browser, text, **more):
    browser.open(f"{installation.bridge}/find")
    return browser.submit("Find the role", pasted=text, **more)


def offered(page):
    """Return the titles of the best role and of those that would do too."""
    return re.findall(r'<(?:h3|strong) dir="auto">([^<]*)<', page.html)


def test_t_out_12_one_click_after_the_paste_opens_the_page_that_was_refused(installation, browser):
    page = paste(installation, browser, DENIED % ("ecs:StopInstance", INSTANCE))
    assert offered(page) == ["Developer"]
    assert "Manage ECS and OSS" in page.text()
    before = len(installation.records())
    browser.submit("Open console: Developer in Acme Sandbox")
    assert "delivery.console" in [each["event"] for each in installation.records()[before:]]
    assert f"{PAGE} the real console would open this now" in browser.auto_submit().text()


def test_looking_and_asking_leave_no_record(installation, browser):
    before = len(installation.records())
    paste(installation, browser, DENIED % ("ecs:StopInstance", INSTANCE))
    assert len(installation.records()) == before


def test_the_portal_has_the_box_and_says_what_each_role_may_do(installation, browser):
    page = browser.open(f"{installation.bridge}/")
    assert "Everything, including users and billing" in page.text()
    assert "Read everything" in page.text()
    page = browser.submit("Find the role", pasted=PAGE)
    assert page.url == f"{installation.bridge}/find"
    assert "ecs:DescribeInstances" in page.text()
    assert "My own user in Acme Production" in page.text(), "of a RAM user nothing is known, and that is said"


def test_the_least_powerful_role_is_the_main_button_of_a_link_to_an_account(installation, browser):
    page = browser.open(f"{installation.bridge}/open/acme-production")
    roles = list(re.findall(r'<button class="button[^"]*"[^>]*><span dir="auto">([^<]*)<', page.html))
    assert roles.index("Read only") < roles.index("Administrator")
    assert roles[-1] == "My own user", "what nothing is known of comes last"


def test_a_role_that_a_condition_narrows_is_not_offered_as_sufficient(installation):
    browser = installation.sign_in("zhang.min")
    page = paste(
        installation,
        browser,
        DENIED % ("rds:RestartDBInstance", "acs:rds:cn-hangzhou:1000000000000001:dbinstance/rm-1"),
    )
    assert "Database operator" in page.text()
    assert "If a condition is met: acs:SourceIp" in page.text()
    assert "The least powerful of your roles" not in page.text()


def test_t_out_12_where_none_suffices_whom_to_ask_is_said_and_no_role_that_is_not_ones_own(installation):
    browser = installation.sign_in("sofia.marchetti", "Rambridge (OpenID Connect)")
    page = paste(
        installation, browser, DENIED % ("ecs:StopInstance", "acs:ecs:cn-hangzhou:1000000000000001:instance/i-1")
    )
    assert "None of your roles is known to suffice" in page.text()
    assert "with the reference" in page.text()
    for name in ("PlatformAdmin", "ReadOnly", "Administrator", "Developer"):
        assert name not in page.text()
    other = paste(installation, browser, DENIED % ("ecs:StopInstance", INSTANCE)).text()
    unknown = paste(installation, browser, DENIED % ("ecs:StopInstance", INSTANCE.replace("02:", "99:"))).text()
    assert "You hold no role in the account that is meant" in other
    wash = re.compile(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}|10000000000000(?:02|99)")
    assert wash.sub("", other) == wash.sub("", unknown), "whether there is such an account is not told"


def test_an_administrator_sees_which_roles_there_are(installation, browser):
    text = DENIED % ("rds:DescribeDBInstances", "acs:rds:cn-hangzhou:1000000000000002:dbinstance/*")
    page = paste(installation, browser, text)
    assert "Roles that would suffice, which administrators see here" in page.text()
    assert "ReadOnly in Acme Sandbox" in page.text()


def test_for_an_action_that_is_not_understood_nothing_is_offered_and_that_is_said(installation, browser):
    page = paste(installation, browser, DENIED % ("ecs:Stop-Instance", INSTANCE))
    assert "An action is named, but it was not understood" in page.text()
    assert not [form for form in page.forms if "/console/" in form.action]
    assert "Roles that would suffice" not in page.text()


def test_a_denial_by_a_control_policy_offers_nothing(installation, browser):
    page = paste(installation, browser, DENIED % ("ecs:StopInstance", INSTANCE) + " PolicyType: ControlPolicy")
    assert "No role helps here" in page.text()
    assert not [form for form in page.forms if "/console/" in form.action]


def test_the_arn_of_a_role_of_ones_own_leads_to_that_role(installation, browser):
    page = paste(installation, browser, "acs:ram::1000000000000001:role/ReadOnly")
    assert "This is a role of yours" in page.text()
    assert offered(page) == ["Read only"]


SECRET = "CAISThisIsAToken0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"SecurityToken={SECRET} {DENIED % ('ecs:StopInstance', INSTANCE)}",
        f"{SECRET}",
        f"https://ecs.console.aliyun.com/server/region/cn-hangzhou?token={SECRET}",
        f"https://signin.aliyun.com/federation?SigninToken={SECRET}",
        f"<script>alert('{SECRET}')</script> Forbidden.RAM ecs:StopInstance",
        SECRET * 2000,
    ],
)
def test_t_out_12_nothing_that_was_pasted_is_shown_but_what_was_understood(installation, browser, text, caplog):
    with caplog.at_level(0):
        page = paste(installation, browser, text)
    assert page.status == 200
    assert SECRET not in unescape(page.html)
    assert SECRET not in page.url
    assert SECRET not in caplog.text
    assert "<script>alert" not in page.html


def test_t_web_11_another_sites_form_finds_nothing(installation, browser):
    cookies = {cookie.name: cookie.value for cookie in browser.cookies}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-origin"}):
        answer = requests.post(
            f"{installation.bridge}/find", data={"pasted": PAGE}, cookies=cookies, headers=headers, timeout=60
        )
        assert answer.status_code == 403
        assert "ecs" not in answer.text


def test_what_says_nothing_is_asked_for_again(installation, browser):
    assert "Nothing in this was understood" in paste(installation, browser, "hello").text()
    assert "Paste something first" in paste(installation, browser, " ").text()
    assert "too long" in paste(installation, browser, "x" * 30_000).text()
