"""Records of real sign-ins at receivers and in files, as ``audit.yaml`` says it, and how far behind they are."""

import json
import time

import pytest
import requests
from click.testing import CliRunner

from bridge.cli.main import main
from tests.fakes.authority import make_authority
from tests.fakes.receivers import HTTPReceiver, SyslogReceiver
from tests.installation import run_installation


def wait_for(found, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.fixture
def receivers(tmp_path):
    ca_file, context = make_authority(tmp_path, "siem")
    syslog, webhook = SyslogReceiver(context), HTTPReceiver()
    yield syslog, webhook, ca_file
    syslog.close()
    webhook.close()


@pytest.fixture
def forwarding(tmp_path_factory, receivers, monkeypatch):
    syslog, webhook, ca_file = receivers
    monkeypatch.setenv("HOOK_SECRET", "a secret of the test's own")

    def configure(installation):
        (installation.config / "audit.yaml").write_text(
            f"""
forwarding:
  - {{name: siem, to: syslog, host: 127.0.0.1, port: {syslog.port}, ca_file: {ca_file}, format: ocsf}}
  - {{name: hook, to: webhook, url: "http://127.0.0.1:{webhook.port}/hook", secret: env:HOOK_SECRET, personal: sealed}}
  - {{name: dead, to: webhook, url: "http://127.0.0.1:9/", secret: env:HOOK_SECRET}}
"""
        )

    with run_installation(tmp_path_factory.mktemp("forwarding"), configure) as (installation, _):
        yield installation


def test_a_sign_in_is_at_every_receiver_a_moment_later_and_the_lag_of_a_dead_one_is_visible(forwarding, receivers):
    syslog, webhook, _ = receivers
    wait_for(lambda: "new" not in {each["state"] for each in lag(forwarding).values()})
    forwarding.sign_in("lin.wei")

    def events():
        return [each for each in syslog.records() if each["metadata"]["event_code"] == "sign_in.accepted"]

    (event,) = wait_for(events)
    assert (event["class_uid"], event["user"]["name"], event["src_endpoint"]["ip"]) == (3002, "林薇", "127.0.0.1")

    def sealed():
        batches = [json.loads(body) for _, _, body in webhook.requests]
        return [record for batch in batches for record in batch["records"] if record["event"] == "sign_in.accepted"]

    (record,) = wait_for(sealed)
    assert "person" not in record
    assert record["sealed_for"] == f"subject/{record['subject_digest']}"
    failing = wait_for(lambda: (each := lag(forwarding)["dead"])["state"] == "failing" and each)
    assert failing["records"] > 0
    shown = CliRunner().invoke(main, ["--config", str(forwarding.config), "audit", "forwarding"]).output
    assert "has everything" in shown
    assert "failing" in shown
    assert "127.0.0.1:9" in shown


def lag(installation):
    answer = requests.get(f"{installation.bridge}/health/ready", timeout=60)
    assert answer.status_code == 200, "a receiver that is away makes nothing unready"
    return answer.json()["audit"]["forwarding"]
