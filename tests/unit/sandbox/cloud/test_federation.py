"""The console's federation endpoint: whose credentials give a sign-in token, and what a token opens."""

import json
from urllib.parse import urlencode

import pytest

from tests.unit.sandbox.cloud.client import Cloud, role_arn
from tests.unit.sandbox.cloud.parties import KEY_ID, KEY_SECRET, URL
from tests.unit.sandbox.cloud.test_console import text_of

POLICY = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:GetObject","Resource":"acs:oss:*:*:bucket/a/*"}]}'
LOGIN = {"Action": "Login", "LoginUrl": "https://bridge.example.com/", "Destination": f"{URL}/console"}


@pytest.fixture
def cloud():
    return Cloud()


def issue(cloud, **parameters):
    """Return the parameters of GetSigninToken with new credentials."""
    status, answer = cloud.assume_role(**parameters)
    assert status == 200, answer
    given = {name: answer["Credentials"][name] for name in ("AccessKeyId", "AccessKeySecret", "SecurityToken")}
    return {"Action": "GetSigninToken", "TicketType": "mini", **given}


def get_token(cloud, parameters):
    response = cloud.http.post("/federation", data=parameters)
    return response.status_code, json.loads(response.data)


def sign_in(cloud, token, **changes):
    query = {name: value for name, value in {**LOGIN, "SigninToken": token, **changes}.items() if value is not None}
    return cloud.http.get(f"/federation?{urlencode(query)}")


def test_a_token_opens_the_console_as_the_role_session_until_the_credentials_end(cloud):
    status, answer = get_token(cloud, issue(cloud, DurationSeconds="900"))
    assert (status, answer.keys()) == (200, {"RequestId", "SigninToken"})
    cloud.clock.advance(seconds=20)
    redirect = sign_in(cloud, answer["SigninToken"])
    assert (redirect.status_code, redirect.headers["Location"]) == (302, f"{URL}/console")
    page = cloud.http.get("/console")
    assert text_of(page, "who") == "You are Automation in Acme Production"
    assert text_of(page, "session-name") == "bridge-1"
    assert text_of(page, "arn") == role_arn("Automation")
    assert text_of(page, "login-url") == "https://bridge.example.com/"
    assert "Narrowed" not in page.text
    cloud.clock.advance(seconds=870)
    assert 'id="who"' in cloud.http.get("/console").text
    cloud.clock.advance(seconds=10)
    assert 'id="who"' not in cloud.http.get("/console").text, "the console session ends with the credentials"


def test_the_session_policy_is_the_consoles_as_well(cloud):
    _, answer = get_token(cloud, issue(cloud, Policy=POLICY))
    sign_in(cloud, answer["SigninToken"])
    page = cloud.http.get("/console").text
    assert "Narrowed by a session policy" in page
    assert "acs:oss:*:*:bucket/a/*" in page


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"AccessKeySecret": "another"}, "SignatureDoesNotMatch"),
        ({"SecurityToken": "CAISother"}, "InvalidSecurityToken.MismatchWithAccessKey"),
        ({"SecurityToken": None}, "MissingParameter.SecurityToken"),
        ({"AccessKeyId": "STS.unknown"}, "InvalidAccessKeyId.NotFound"),
        ({"AccessKeyId": KEY_ID, "AccessKeySecret": KEY_SECRET}, "InvalidAccessKeyId.NotFound"),
        ({"TicketType": "normal"}, "InvalidParameter.TicketType"),
        ({"TicketType": None}, "MissingParameter.TicketType"),
        ({"Action": "GetToken"}, "InvalidAction.NotFound"),
    ],
)
def test_other_credentials_give_no_token(cloud, change, code):
    good = issue(cloud)
    changed = {name: value for name, value in {**good, **change}.items() if value is not None}
    status, answer = get_token(cloud, changed)
    assert status >= 400
    assert answer["Code"] == code
    assert "SigninToken" not in answer
    assert get_token(cloud, good)[0] == 200


def test_expired_credentials_give_no_token(cloud):
    parameters = issue(cloud, DurationSeconds="900")
    cloud.clock.advance(seconds=899)
    assert get_token(cloud, parameters)[0] == 200
    cloud.clock.advance(seconds=1)
    assert get_token(cloud, parameters)[1]["Code"] == "InvalidSecurityToken.Expired"


def test_a_token_is_for_one_use_within_thirty_seconds(cloud):
    _, first = get_token(cloud, issue(cloud))
    _, second = get_token(cloud, issue(cloud))
    assert sign_in(cloud, first["SigninToken"]).status_code == 302
    assert sign_in(cloud, first["SigninToken"]).status_code == 400
    cloud.clock.advance(seconds=30)
    assert sign_in(cloud, second["SigninToken"]).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"Destination": "https://evil.example/"},
        {"Destination": "https://console.aliyun.com.evil.example/"},
        {"Destination": f"{URL}/console/../elsewhere"},
        {"Destination": None},
        {"LoginUrl": "javascript:alert(1)"},
        {"LoginUrl": None},
    ],
)
def test_a_login_leads_to_the_console_only_and_a_refused_one_uses_up_nothing(cloud, change):
    _, answer = get_token(cloud, issue(cloud))
    refused = sign_in(cloud, answer["SigninToken"], **change)
    assert refused.status_code == 400
    assert "Location" not in refused.headers
    assert "Set-Cookie" not in refused.headers
    assert sign_in(cloud, answer["SigninToken"], Destination="https://ecs.console.aliyun.com/").status_code == 302


def test_a_role_that_may_not_log_on_to_the_console_has_no_token(cloud):
    parameters = issue(cloud)
    account = cloud.state.accounts[0]
    roles = tuple(
        role.model_copy(update={"allow_console_login": False}) if role.name == "Automation" else role
        for role in account.roles
    )
    locked = Cloud(
        state=cloud.state.model_copy(
            update={"accounts": (account.model_copy(update={"roles": roles}), *cloud.state.accounts[1:])}
        )
    )
    assert get_token(locked, issue(locked))[1]["Code"] == "NoPermission"
    assert get_token(cloud, parameters)[0] == 200
