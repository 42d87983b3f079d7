"""``rambridge doctor`` finds each planted fault, says how to mend it, and finds nothing where nothing is wrong."""

import json
import shutil
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import yaml

from bridge import embedded_store
from bridge.app import create_app
from bridge.keys import create_missing
from bridge.sandbox.workspace import find_free_ports
from bridge.settings import load_configuration
from tests.installation import serve
from tests.ram_account import prepare_accounts


@pytest.fixture
def accounts(tmp_path, monkeypatch):
    return prepare_accounts(tmp_path, monkeypatch)


def examine(accounts, account="acme-production", *options):
    result = accounts.run("doctor", "--format", "json", *options, account=account)
    assert result.exit_code in {0, 1}, result.output
    assert result.stdout, result.output
    document = json.loads(result.stdout)
    assert document["healthy"] == (result.exit_code == 0)
    return document["findings"]


def failures(findings):
    """Return what failed, of each check the first."""
    return {each["check"]: each for each in reversed(findings) if each["result"] == "failed"}


@contextmanager
def run_everything(accounts):
    """The service, its store, and the sandbox."""
    installation = accounts.installation
    with ExitStack() as stack:
        stack.enter_context(accounts.serve())
        stack.callback(embedded_store.stop, installation.store_folder)
        app = create_app(load_configuration(installation.config), embedded_store.start(installation.store_folder))
        stack.enter_context(serve(app, installation.bridge))
        yield


@pytest.mark.parametrize("account", ["acme-production", "acme-sandbox"])
def test_what_set_up_makes_in_an_empty_account_is_a_whole_chain_and_its_exchange_is_recorded(accounts, account):
    accounts.empty(account)
    with run_everything(accounts):
        assert accounts.run("setup", "apply", "--yes", account=account).exit_code == 0
        findings = examine(accounts, account)
    assert failures(findings) == {}
    checks = {each["check"] for each in findings if each["result"] == "ok"}
    assert {
        "keys",
        "store",
        "store-keeps",
        "audit",
        "published-metadata",
        "sts",
        "clock",
        "ram",
        "saml-provider",
    } <= checks
    assert {"trust", "duration", "exchange"} <= checks
    assert ({"discovery", "oidc-provider"} <= checks) == (account == "acme-sandbox")
    record = accounts.installation.records()[-1]
    assert (record["event"], record["account"]) == ("doctor.exchanged", account)
    assert record["access_key_id"].startswith("STS.")
    assert "secret" not in json.dumps(record).lower()


def plant_other_metadata(accounts):
    document = (
        '<m:EntityDescriptor xmlns:m="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://other.example">'
        '<m:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"/></m:EntityDescriptor>'
    )
    accounts.change(
        "acme-production", lambda each: each.update(saml_providers=[{"name": "rambridge", "metadata": document}])
    )


def plant_expired_certificate(accounts):
    class Once:
        def now(self):
            return datetime.now(UTC) - timedelta(days=4 * 365)

    folder = accounts.installation.folder / "certs"
    shutil.rmtree(folder / "saml-issuer")
    create_missing(folder, Once())


def change_role(accounts, name, change):
    def find(account):
        change(next(each for each in account["roles"] if each["name"] == name))

    accounts.change("acme-production", find)


def plant_other_provider(accounts):
    principal = {"Federated": "acs:ram::1000000000000001:saml-provider/old-idp"}
    change_role(accounts, "ReadOnly", lambda role: role["trust"]["Statement"][0].update(Principal=principal))


def plant_missing_role(accounts):
    accounts.change(
        "acme-production",
        lambda each: each.update(roles=[role for role in each["roles"] if role["name"] != "FinanceAuditor"]),
    )


def plant_short_maximum(accounts):
    change_role(accounts, "PlatformAdmin", lambda role: role.update(max_session_duration=3600))


def plant_wrong_audience(accounts):
    accounts.change("acme-sandbox", lambda each: each["oidc_providers"][0].update(client_ids=["another-audience"]))


def change_file(accounts, name, **values):
    path = accounts.installation.config / name
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))


def plant_unreachable_sts(accounts):
    (port,) = find_free_ports(1)
    change_file(accounts, "accounts/acme-production.yaml", endpoint=f"http://127.0.0.1:{port}")


def plant_wrong_access_key(accounts):
    secret = accounts.installation.config / "accounts" / "secret"
    secret.write_text("wrong")
    change_file(
        accounts,
        "accounts/acme-production.yaml",
        trust="access_key",
        access_key_id="file:id",
        access_key_secret="file:secret",
    )
    (secret.parent / "id").write_text("LTAISandboxRambridge")


def plant_redis_down(accounts):
    (port,) = find_free_ports(1)
    change_file(accounts, "bridge.yaml", store=f"redis://127.0.0.1:{port}/0")


RAM_FAULTS = {
    plant_other_metadata: ("saml-provider", "https://other.example", "setup plan"),
    plant_other_provider: ("trust", "saml-provider/old-idp", "setup plan"),
    plant_missing_role: ("role", "no role of this name", "setup plan"),
    plant_short_maximum: ("duration", "7200 s, and MaxSessionDuration in RAM is 3600 s", "setup apply"),
}
FAULTS_HERE = {
    plant_expired_certificate: ("keys", "saml-issuer current ended on", "keys rotate"),
    plant_unreachable_sts: ("sts", "127.0.0.1", "endpoint"),
    plant_redis_down: ("store", "", "Start Redis"),
}


@pytest.mark.parametrize(
    ("account", "faults"),
    [
        ("acme-production", RAM_FAULTS),
        ("acme-production", FAULTS_HERE),
        ("acme-sandbox", {plant_wrong_audience: ("oidc-provider", "another-audience", "oidc_audience")}),
        ("acme-production", {plant_wrong_access_key: ("exchange", "SignatureDoesNotMatch", "access_key_secret")}),
    ],
    ids=["in RAM", "here", "audience", "AccessKey"],
)
def test_each_planted_fault_is_found_and_the_advice_says_how_to_mend_it(accounts, account, faults):
    for plant in faults:
        plant(accounts)
    with accounts.serve():
        failed = failures(examine(accounts, account))
    for check, found, advice in faults.values():
        assert found in failed[check]["found"], failed[check]
        assert advice in failed[check]["advice"], failed[check]


class _Late(BaseHTTPRequestHandler):
    """Answers like an STS whose clock, or rather ours, is ten minutes off."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response_only(400)
        self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_clock_that_is_off_is_found_by_the_date_of_sts(accounts):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Late)
    Thread(target=server.serve_forever, daemon=True).start()
    change_file(accounts, "accounts/acme-production.yaml", endpoint=f"http://127.0.0.1:{server.server_port}")
    try:
        with accounts.serve():
            finding = failures(examine(accounts))["clock"]
    finally:
        server.shutdown()
        server.server_close()
    assert "600 s behind that of STS" in finding["found"] or "599 s behind" in finding["found"]
    assert "NTP" in finding["advice"]


def test_a_wrong_key_for_ram_is_found_and_everything_else_is_still_examined(accounts, monkeypatch):
    with accounts.serve():
        accounts.run("setup", "apply", "--yes")
        monkeypatch.setenv("OTHER_SECRET", "another")
        result = accounts.run("doctor", "--format", "json", key=("env:RAM_KEY_ID", "env:OTHER_SECRET"))
    findings = json.loads(result.stdout)["findings"]
    assert "SignatureDoesNotMatch" in failures(findings)["ram"]["found"]
    assert "AccessKey" in failures(findings)["ram"]["advice"]
    assert {"exchange", "clock"} <= {each["check"] for each in findings if each["result"] == "ok"}


def test_without_the_sdks_the_advice_is_to_install_them_and_without_a_key_to_say_one(accounts, monkeypatch):
    def find_advice(key):
        result = accounts.run("doctor", "--format", "json", "--no-exchange", key=key)
        [finding] = [each for each in json.loads(result.stdout)["findings"] if each["check"] == "ram"]
        return finding["result"], finding["found"], finding["advice"]

    result, found, advice = find_advice(("env:RAM_KEY_ID", "env:NOT_SET_HERE"))
    assert (result, found, advice) == ("failed", "env:NOT_SET_HERE is empty, or not set", "")
    monkeypatch.delitem(sys.modules, "bridge.setup.ram", raising=False)
    monkeypatch.setitem(sys.modules, "alibabacloud_ims20190815", None)
    for key, expected in ((("env:RAM_KEY_ID", "env:RAM_KEY_SECRET"), "failed"), (None, "skipped")):
        result, found, advice = find_advice(key)
        assert result == expected
        assert found.startswith("alibabacloud_ims20190815 is not installed")
        assert "pip install 'rambridge[setup]'" in found
        assert advice.startswith("Install them where you type this")


def test_a_role_that_is_named_is_the_one_that_is_tried(accounts):
    with accounts.serve():
        accounts.run("setup", "apply", "--yes")
        finding = failures(examine(accounts, "acme-production", "--role", "Nowhere"))["exchange"]
    assert (finding["subject"], finding["result"]) == ("acme-production/Nowhere", "failed")
    record = accounts.installation.records()[-1]
    assert (record["event"], record["role"], record["code"]) == ("doctor.refused", "Nowhere", "exchange_role_missing")


def test_without_an_exchange_nothing_is_asked_of_sts(accounts):
    with accounts.serve():
        findings = examine(accounts, "acme-production", "--no-exchange")
    assert [each["result"] for each in findings if each["check"] == "exchange"] == ["skipped"]
    assert accounts.installation.records() == []
