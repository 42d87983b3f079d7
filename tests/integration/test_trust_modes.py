"""The three ways in which an account can trust us, at the same stand-in STS."""

import pytest
import yaml

from bridge.sandbox.servers import run_sandbox
from tests.installation import prepare, run_bridge
from tests.integration.test_main_job import entitlements, read_credentials

RULES = {
    "rules": [
        {
            "name": "automation",
            "groups": ["platform"],
            "grant": [{"account": "acme-production", "role": "Automation"}],
        }
    ]
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = prepare(tmp_path_factory.mktemp("access-key"))
    account_file = installation.config / "accounts" / "acme-production.yaml"
    account = yaml.safe_load(account_file.read_text())
    key_id = installation.folder / "access-key-id"
    key_id.write_text("LTAISandboxRambridge")
    key_id.chmod(0o600)
    account |= {
        "trust": "access_key",
        "access_key_id": f"file:{key_id}",
        "access_key_secret": "file:../../certs/sandbox/access-key-secret",
    }
    account_file.write_text(yaml.safe_dump(account))
    (installation.config / "rules" / "50-automation.yaml").write_text(yaml.safe_dump(RULES))
    with run_sandbox(installation.config, installation.folder / "certs" / "sandbox"), run_bridge(installation):
        yield installation


def test_a_signed_assume_role_gives_credentials(installation):
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)["role acme-production/Automation"]
    assert read_credentials(browser.submit(f"/credentials/{chosen['id']}"))["AccessKeyId"].startswith("STS.")
    issued = [record for record in installation.records() if record["event"] == "exchange.issued"][-1]
    assert issued["trust"] == "access_key"


def test_a_role_that_does_not_trust_our_key_is_refused_with_the_code_of_sts(installation):
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)["role acme-production/ReadOnly"]
    page = browser.submit(f"/credentials/{chosen['id']}")
    assert page.status == 403
    assert "exchange_not_trusted" in page.text()
    assert "NoPermission" in page.text()
    refused = installation.records()[-1]
    assert refused["event"] == "exchange.refused"
    assert refused["sts_code"] == "NoPermission"
    assert refused["sts_request_id"]
