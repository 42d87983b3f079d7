"""An account that is entered from a role of another one, at the sandbox that checks every step (threat STS-11)."""

import pytest
import yaml

from bridge.clock import SystemClock
from bridge.errors import ExchangeNotTrusted
from bridge.exchange.assume import Exchange
from bridge.exchange.metadata import entity_id
from bridge.exchange.sts_client import STSClient
from bridge.keys import KeyFolder
from bridge.outbound import Outbound
from bridge.sandbox.servers import run_sandbox
from bridge.settings import load_configuration
from tests.factories import make_choice, make_entitlement
from tests.installation import prepare, run_bridge
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
            "policies": ["enter-the-sandbox"],
        }
    )
    enter = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "acs:ram::1000000000000002:*"}
    production["policies"].append(
        {"name": "enter-the-sandbox", "versions": [{"id": "v1", "document": {"Version": "1", "Statement": [enter]}}]}
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
    with run_sandbox(installation.config, installation.folder / "certs" / "sandbox"), run_bridge(installation):
        yield installation


def test_t_sts_11_a_chain_with_the_external_id_leads_to_credentials(installation):
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)["role acme-sandbox/Developer"]
    assert read_credentials(browser.submit(f"/credentials/{chosen['id']}"))["AccessKeyId"].startswith("STS.")
    [issued] = [record for record in installation.records() if record["event"] == "exchange.issued"]
    assert issued["trust"] == "via acme-production/RambridgeHub"
    assert issued["source_identity"] == "lin.wei@acme.example"


def test_t_sts_11_a_role_that_demands_another_external_id_is_refused(installation):
    browser = installation.sign_in()
    chosen = entitlements(installation, browser)["role acme-sandbox/ReadOnly"]
    page = browser.submit(f"/credentials/{chosen['id']}")
    assert page.status == 403
    assert "exchange_not_trusted" in page.text()
    refused = installation.records()[-1]
    assert (refused["event"], refused["sts_code"]) == ("exchange.refused", "NoPermission")


def enter_with(installation, external_id, role="Developer"):
    """Return credentials for a role of the far account, for which we send this ExternalId."""
    configuration, clock = load_configuration(installation.config), SystemClock()
    settings, accounts = configuration.settings, dict(configuration.accounts)
    accounts["acme-sandbox"] = accounts["acme-sandbox"].model_copy(update={"external_id": external_id})
    exchange = Exchange(
        accounts,
        issuer=settings.public_url,
        entity_id=entity_id(settings.public_url),
        keys=KeyFolder(settings.key_folder),
        sts=STSClient(Outbound(development=True), clock),
        clock=clock,
    )
    return exchange.issue(make_choice(entitlement=make_entitlement(account="acme-sandbox", name=role)))


@pytest.mark.parametrize(
    "external_id",
    [
        pytest.param(None, id="none"),
        pytest.param("somebody-elses", id="another customer's"),
        pytest.param(EXTERNAL_ID.upper(), id="in another case"),
        pytest.param(EXTERNAL_ID[:-1], id="its beginning"),
        pytest.param(EXTERNAL_ID + "3", id="and more"),
        pytest.param(f"{EXTERNAL_ID},{EXTERNAL_ID}", id="twice"),
    ],
)
def test_t_sts_11_the_external_id_must_be_exactly_the_agreed_one(installation, external_id):
    with pytest.raises(ExchangeNotTrusted) as refused:
        enter_with(installation, external_id)

    assert refused.value.upstream_code == "NoPermission"


def test_t_sts_11_the_agreed_one_opens_what_was_agreed_and_no_other_customers_role(installation):
    assert enter_with(installation, EXTERNAL_ID).access_key_id.startswith("STS.")
    assert enter_with(installation, "somebody-elses", "ReadOnly").access_key_id.startswith("STS.")
    with pytest.raises(ExchangeNotTrusted):
        enter_with(installation, EXTERNAL_ID, "ReadOnly")
