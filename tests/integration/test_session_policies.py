"""A role that a session policy narrows: the policy reaches STS whatever the trust, and no console opens all of it.

It is opened by a sign-in token where the account allows one, else not at all.
"""

import hashlib
import json
import secrets
from urllib.parse import urlencode, urlsplit

import pytest
import requests
import yaml

from bridge.clock import SystemClock, format_utc
from bridge.sts_wire.signature import sign_v3
from tests.installation import run_installation
from tests.integration.test_main_job import entitlements, read_credentials

ROLES = {
    "saml": ("acme-production", "ReadOnly"),
    "oidc": ("acme-sandbox", "Developer"),
    "access_key": ("keys", "Worker"),
}
"""By the account's trust: the role that is narrowed for some and whole for others. It may assume every other role."""
ANY_ROLE = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
OWN_ROLE = """
Version: "1"
Statement:
  - Effect: Allow
    Action: sts:AssumeRole
    Resource: acs:ram::*:role/team-${ claims.uid }
"""
RULES = {
    "rules": [
        {
            "name": "narrowed",
            "claims": {"uid": ["lin.wei", "greta.holm", "tariq.haddad"]},
            "grant": [
                {"account": account, "role": role, "session_policy_file": "policies/own.yaml"}
                for account, role in ROLES.values()
            ],
        },
        {
            "name": "whole",
            "claims": {"uid": ["amara.okafor"]},
            "grant": [{"account": account, "role": role} for account, role in ROLES.values()],
        },
    ]
}
ONE = {
    "name": "one",
    "claims": {"uid": ["sofia.marchetti"]},
    "grant": [{"account": "acme-production", "role": "ReadOnly", "session_policy_file": "policies/own.yaml"}],
}


def trust(principal):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": principal}}
    return {"Version": "1", "Statement": [statement]}


def configure(installation):
    rules = installation.config / "rules"
    for path in rules.glob("*.yaml"):
        path.unlink()
    (rules / "policies" / "own-data.yaml").unlink()
    (rules / "policies" / "own.yaml").write_text(OWN_ROLE)
    (rules / "10.yaml").write_text(yaml.safe_dump({"rules": [*RULES["rules"], ONE]}))
    secret = installation.folder / "key"
    secret.write_text("a-secret-of-this-test")
    secret.chmod(0o600)
    account = yaml.safe_load((installation.config / "accounts" / "acme-production.yaml").read_text())
    key = {"access_key_id": f"file:{installation.folder}/key-id", "access_key_secret": f"file:{secret}"}
    key["console"] = "token"
    (installation.folder / "key-id").write_text("LTAITestKeys")
    (installation.config / "accounts" / "keys.yaml").write_text(
        yaml.safe_dump(account | {"name": "keys", "id": "1000000000000003", "trust": "access_key"} | key)
    )
    path = installation.config / "sandbox.yaml"
    cloud = yaml.safe_load(path.read_text())
    user = {"name": "rambridge", "id": "200000000000000301", "display_name": "x"}
    user["policies"] = ["AliyunSTSAssumeRoleAccess"]
    user["access_keys"] = [{"id": "LTAITestKeys", "secret": f"file:{secret}"}]
    worker = {"name": "Worker", "id": "300000000000000301", "trust": trust("acs:ram::1000000000000003:user/rambridge")}
    third = {"id": "1000000000000003", "alias": "keys", "title": "Keys", "roles": [worker], "users": [user]}
    cloud["cloud"]["accounts"].append(third)
    for number, account in enumerate(cloud["cloud"]["accounts"]):
        for role in account["roles"]:
            role["policies"] = ["AliyunSTSAssumeRoleAccess"]
        account["roles"] += [
            {"name": name, "id": f"3000000000000009{number}{digit}", "trust": trust(f"acs:ram::{account['id']}:root")}
            for digit, name in enumerate(["team-lin.wei", "team-greta.holm"])
        ]
    path.write_text(yaml.safe_dump(cloud))


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("policies"), configure) as (installation, _):
        yield installation


def assume(installation, credentials, account_id, role):
    """Return the HTTP status and STS's error code for a further role, with the credentials of a session."""
    form = {"RoleArn": f"acs:ram::{account_id}:role/{role}", "RoleSessionName": "further"}
    body = urlencode(form).encode()
    headers = sign_v3(
        method="POST",
        host=urlsplit(installation.cloud).netloc,
        action="AssumeRole",
        version="2015-04-01",
        query={},
        body=body,
        content_type="application/x-www-form-urlencoded",
        date=format_utc(SystemClock().now()),
        nonce=secrets.token_hex(16),
        access_key_id=credentials["AccessKeyId"],
        access_key_secret=credentials["AccessKeySecret"],
        security_token=credentials["SecurityToken"],
    )
    answer = requests.post(f"{installation.cloud}/", data=body, headers=headers, timeout=60)
    return answer.status_code, answer.json().get("Code")


def take(installation, uid, trust):
    """Return the chosen entitlement and its credentials for one person."""
    browser = installation.sign_in(uid)
    account, role = ROLES[trust]
    chosen = entitlements(installation, browser)[f"role {account}/{role}"]
    return chosen, read_credentials(browser.submit(f"/credentials/{chosen['id']}"))


@pytest.mark.parametrize("trust", ROLES)
def test_a_narrowed_session_can_do_its_part_of_what_the_role_can_and_no_more(installation, trust):
    chosen, credentials = take(installation, "lin.wei", trust)
    assert assume(installation, credentials, chosen["account_id"], "team-lin.wei") == (200, None)
    assert assume(installation, credentials, chosen["account_id"], "team-greta.holm") == (403, "NoPermission")
    issued = [record for record in installation.records() if record["event"] == "exchange.issued"][-1]
    policy = yaml.safe_load(OWN_ROLE.replace("${ claims.uid }", "lin.wei"))
    sent = json.dumps(policy, separators=(",", ":"))
    assert (issued["trust"], issued["session_policy_digest"]) == (trust, hashlib.sha256(sent.encode()).hexdigest())
    assert "team-lin.wei" not in json.dumps(issued)


@pytest.mark.parametrize("trust", ROLES)
def test_the_whole_role_could_do_all_of_it(installation, trust):
    chosen, credentials = take(installation, "amara.okafor", trust)
    assert assume(installation, credentials, chosen["account_id"], "team-lin.wei") == (200, None)
    assert assume(installation, credentials, chosen["account_id"], "team-greta.holm") == (200, None)
    issued = [record for record in installation.records() if record["event"] == "exchange.issued"][-1]
    assert "session_policy_digest" not in issued


def test_the_console_is_refused_for_a_narrowed_role_and_the_refusal_is_recorded(installation):
    browser = installation.sign_in()
    page = browser.page
    (narrowed,) = [each for name, each in entitlements(installation, browser).items() if "production" in name]
    assert (narrowed["console"], narrowed["terminal"]) == (False, True)
    assert not [form for form in page.forms if form.action.endswith(f"/console/{narrowed['id']}")]
    assert "Terminal only" in page.text()
    # The form of another card, sent for this one: what the page does not offer is refused all the same.
    fields = next(form.fields for form in browser.page.forms if "/credentials/" in form.action)
    answer = requests.post(
        f"{installation.bridge}/console/{narrowed['id']}",
        data=fields,
        cookies={cookie.name: cookie.value for cookie in browser.cookies},
        headers={"Origin": installation.bridge, "Sec-Fetch-Site": "same-origin"},
        timeout=60,
    )
    assert answer.status_code == 403
    assert "console_not_narrowed" in answer.text
    assert "SAMLResponse" not in answer.text
    refused = installation.records()[-1]
    assert (refused["event"], refused["code"]) == ("exchange.refused", "console_not_narrowed")


def test_the_console_of_a_whole_role_is_offered(installation):
    browser = installation.sign_in("amara.okafor")
    chosen = entitlements(installation, browser)["role acme-production/ReadOnly"]
    assert chosen["console"] is True
    assert "Terminal only" not in browser.page.text()
    browser.submit(f"/console/{chosen['id']}")
    assert "You are ReadOnly" in browser.auto_submit().text()


def open_console(installation, uid, trust):
    """Return the entitlement, the page that hands over, what the cloud's console says, and the records of that."""
    browser = installation.sign_in(uid)
    account, role = ROLES[trust]
    chosen = entitlements(installation, browser)[f"role {account}/{role}"]
    seen = len(installation.records())
    handed_over = browser.submit(f"/console/{chosen['id']}")
    return chosen, handed_over, browser.auto_submit(), installation.records()[seen:]


@pytest.mark.parametrize("trust", ["oidc", "access_key"])
def test_the_console_of_a_narrowed_role_is_opened_by_a_token_and_is_as_narrow(installation, trust):
    chosen, handed_over, console, records = open_console(installation, "tariq.haddad", trust)
    assert (chosen["console"], chosen["narrowed"]) == (True, True)
    assert "narrowed" in handed_over.text()
    form = handed_over.find_auto_submit_form()
    assert (form.method, form.action) == ("GET", f"{installation.cloud}/federation")
    assert form.fields.keys() == {"Action", "LoginUrl", "Destination", "SigninToken"}
    assert form.fields["LoginUrl"] == f"{installation.bridge}/"
    sources = handed_over.headers["Content-Security-Policy"].partition("form-action ")[2].partition(";")[0]
    assert sources == f"'self' {installation.cloud}"
    assert handed_over.headers["Referrer-Policy"] == "no-referrer"
    assert handed_over.headers["Cache-Control"] == "no-store"

    assert console.url == f"{installation.cloud}/console"
    assert f"You are {ROLES[trust][1]}" in console.text()
    assert "Narrowed by a session policy" in console.text()
    assert "role/team-tariq.haddad" in console.text()

    made, issued, delivered = records
    assert [record["event"] for record in records] == ["choice.made", "exchange.issued", "delivery.console"]
    assert made["purpose"] == "console"
    assert (delivered["way"], delivered["narrowed"]) == ("token", True)
    assert delivered["access_key_id"] == issued["access_key_id"]
    assert delivered["session_policy_digest"] == issued["session_policy_digest"]
    assert "assertion_id" not in delivered
    assert form.fields["SigninToken"] not in json.dumps(records)


@pytest.mark.parametrize(("trust", "way"), [("saml", "saml"), ("oidc", "saml"), ("access_key", "token")])
def test_the_console_of_a_whole_role_is_opened_as_the_account_says(installation, trust, way):
    _, handed_over, console, records = open_console(installation, "amara.okafor", trust)
    assert "narrowed" not in handed_over.text()
    assert handed_over.find_auto_submit_form().method == ("GET" if way == "token" else "POST")
    assert f"You are {ROLES[trust][1]}" in console.text()
    assert "Narrowed" not in console.text()
    delivered = records[-1]
    assert (delivered["event"], delivered["way"]) == ("delivery.console", way)
    assert ("access_key_id" in delivered) == (way == "token")
    assert "narrowed" not in delivered


def test_a_sign_in_token_opens_one_console_only(installation):
    browser = installation.sign_in("lin.wei")
    chosen = entitlements(installation, browser)["role acme-sandbox/Developer"]
    form = browser.submit(f"/console/{chosen['id']}").find_auto_submit_form()
    first, second = (requests.get(form.action, params=form.fields, timeout=60) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 400)
    assert "was used" in second.text


def test_with_exactly_one_role_that_has_no_console_the_portal_is_shown(installation):
    browser = installation.sign_in("sofia.marchetti")
    assert browser.page.url == f"{installation.bridge}/"
    assert "Terminal only" in browser.page.text()
