"""An account that is entered from a role of another one, at the sandbox that checks every step."""

import pytest
import yaml

from bridge import embedded_store
from bridge.app import create_app
from bridge.sandbox.servers import run_sandbox
from bridge.settings import load_configuration
from tests.installation import prepare, serve
from tests.integration.test_main_job import entitlements, read_credentials

EXTERNAL_ID = "rambridge-5e1b6d0f2c9a4873"
HUB = "acs:ram::1000000000000001:role/RambridgeHub"
RULES = {
    "rules": [
        {
            "name": "chained",
            "groups": ["platform"],
            "grant": [
                {"account": "acme-sandbox", "role": "Developer"},
                {"account": "acme-sandbox", "role": "ReadOnly"},
            ],
        }
    ]
}


def trust(principal, **condition):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, "Condition": condition}
    return {"Version": "1", "Statement": [{key: value for key, value in statement.items() if value}]}


def edit(file, change):
    content = yaml.safe_load(file.read_text())
    change(content)
    file.write_text(yaml.safe_dump(content))


def open_the_way(cloud):
    production, sandbox = cloud["cloud"]["accounts"]
    production["roles"].append(
        {
            "name": "RambridgeHub",
            "id": "300000000000000199",
            "trust": trust({"Federated": "acs:ram::1000000000000001:saml-provider/rambridge"}),
            "policies": ["EnterSandbox"],
        }
    )
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "acs:ram::1000000000000002:*"}
    policy = {"Version": "1", "Statement": [statement]}
    production.setdefault("policies", []).append(
        {"name": "EnterSandbox", "versions": [{"id": "v1", "document": policy}]}
    )
    roles = {role["name"]: role for role in sandbox["roles"]}
    roles["Developer"]["trust"] = trust({"RAM": HUB}, StringEquals={"sts:ExternalId": EXTERNAL_ID})
    roles["ReadOnly"]["trust"] = trust({"RAM": HUB}, StringEquals={"sts:ExternalId": "somebody-elses"})


def enter_via_the_hub(account):
    for name in ("trust", "oidc_provider", "oidc_audience"):
        account.pop(name, None)
    account |= {
        "via": {"account": "acme-production", "role": "RambridgeHub"},
        "external_id": EXTERNAL_ID,
        "source_identity": True,
    }


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    installation = prepare(tmp_path_factory.mktemp("chaining"))
    edit(installation.config / "sandbox.yaml", open_the_way)
    edit(installation.config / "accounts" / "acme-sandbox.yaml", enter_via_the_hub)
    (installation.config / "rules" / "50-chained.yaml").write_text(yaml.safe_dump(RULES))
    with run_sandbox(installation.config, installation.folder / "certs" / "sandbox"):
        app = create_app(load_configuration(installation.config), embedded_store.start(installation.store_folder))
        with serve(app, installation.bridge):
            yield installation
    embedded_store.stop(installation.store_folder)


def test_a_chain_with_the_external_id_leads_to_credentials(installation):
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)["role acme-sandbox/Developer"]
    assert read_credentials(browser.submit(f"/credentials/{chosen['id']}"))["AccessKeyId"].startswith("STS.")
    [issued] = [record for record in installation.records() if record["event"] == "exchange.issued"]
    assert issued["trust"] == "via acme-production/RambridgeHub"
    assert issued["source_identity"] == "lin.wei@acme.example"


def test_a_role_that_demands_another_external_id_is_refused(installation):
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)["role acme-sandbox/ReadOnly"]
    page = browser.submit(f"/credentials/{chosen['id']}")
    assert page.status == 403
    assert "exchange_not_trusted" in page.text()
    refused = installation.records()[-1]
    assert (refused["event"], refused["sts_code"]) == ("exchange.refused", "NoPermission")
