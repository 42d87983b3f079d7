"""An auditor sees in Chromium what was done in the cloud with what left here, and what was not from here."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from bridge.audit_log import opened_audit_log
from bridge.clock import SystemClock
from bridge.settings import load_configuration, load_settings
from tests.browser.conftest import arrive, prepare
from tests.browser.test_administration import sign_in
from tests.browser.test_sign_in import Keyboard
from tests.installation import run_installation

STRAY = "STS.NStray0000000000000001"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """Run a bridge to which nothing has to be hours old to be judged."""
    with run_installation(tmp_path_factory.mktemp("trail"), judge_at_once) as (installation, _):
        yield installation


def judge_at_once(installation):
    prepare(installation)
    (installation.config / "audit.yaml").write_text("trail: {clock_tolerance_seconds: 0, settling_seconds: 0}\n")


def import_trail(installation, tmp_path):
    """Import a trail in which the last credentials that left were used, also to change the role, and one stray."""
    with opened_audit_log(load_settings(installation.config), SystemClock()) as log:
        reader = log.reader
        issued = next(each for each in reversed(reader.last(200)) if each["event"] == "exchange.issued")
    account = load_configuration(installation.config, secrets=False).accounts[issued["account"]].id
    role = issued["entitlement"].partition(" ")[2]
    now = datetime.now(UTC)
    key, child = issued["access_key_id"], f"STS.NChild{now.timestamp():.0f}"
    us = {"type": "assumed-role", "accountId": account, "accessKeyId": key, "userName": f"{role}:lin.wei@acme.example"}
    events = [
        make_event(now, us, "Ecs", "DescribeInstances"),
        make_event(now, us, "Oss", "DeleteBucket", errorCode="Forbidden.RAM"),
        make_birth(now, us, account, "Auditor", child),
        make_event(now, us | {"accessKeyId": child, "userName": "Auditor:lin.wei@acme.example"}, "Ram", "ListUsers"),
        make_birth(now, {"type": "ram-user", "accountId": account, "userName": "build"}, account, role, STRAY),
        make_event(now, us | {"accessKeyId": STRAY, "userName": f"{role}:x"}, "Ecs", "StopInstance"),
    ]
    file = tmp_path / "trail.json"
    file.write_text(json.dumps(events))
    command = [sys.executable, "-m", "bridge", "--config", str(installation.config), "trail", "import", str(file)]
    return key, subprocess.run(command, capture_output=True, text=True, check=True).stdout


def make_event(time, identity, service, name, **further):
    return {
        "eventId": f"{time.timestamp()}-{service}-{name}-{identity.get('accessKeyId')}",
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventName": name,
        "serviceName": service,
        "eventRW": "Read" if name.startswith(("Describe", "List")) else "Write",
        "acsRegion": "cn-hangzhou",
        "sourceIpAddress": "203.0.113.7",
        "requestId": "R",
        "userIdentity": identity,
    } | further


def make_birth(time, identity, account, role, key):
    asked = {"RoleArn": f"acs:ram::{account}:role/{role}", "RoleSessionName": "x"}
    answer = {"Credentials": {"AccessKeyId": key}}
    return make_event(time, identity, "Sts", "AssumeRole", requestParameters=asked, responseElements=answer) | {
        "eventId": f"birth-{key}"
    }


def get_credentials(page, hand, installation):
    sign_in(page, hand, installation)
    hand.activate("button", "Get credentials: Read only in Acme Production")
    arrive(page, "Read only in Acme Production")
    page.goto(installation.bridge)


def test_an_auditor_follows_credentials_into_the_cloud_and_finds_a_stray(page, installation, tmp_path):
    hand = Keyboard(page)
    get_credentials(page, hand, installation)
    hand.activate("link", "Audit")
    hand.activate("link", "Trail")
    page.get_by_role("heading", name="Nothing was imported yet").wait_for()
    key, printed = import_trail(installation, tmp_path)
    assert "1 new stray" in printed
    page.reload()
    strays = page.get_by_role("table", name="Strays")
    assert STRAY in strays.inner_text()
    assert "a RAM user called AssumeRole" in strays.inner_text()
    assert strays.get_by_role("row").count() == 2
    hand.type("Follow an AccessKeyId", key)
    hand.activate("button", "Show")
    arrive(page, "What was done in Alibaba Cloud")
    told = page.get_by_role("main").inner_text()
    assert "林薇" in told
    assert "Oss:DeleteBucket" in told
    assert "Forbidden.RAM" in told
    assert "exchange.issued" in told
    hand.activate(
        "link",
        page.get_by_role("table", name="Further credentials obtained with these").get_by_role("link").inner_text(),
    )
    arrive(page, "Auditor in")
    assert "obtained with credentials that were issued here" in page.get_by_role("main").inner_text()
