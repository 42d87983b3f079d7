"""What the official SDK puts on the wire for Simple Log Service, decoded by the SDK's own protobuf."""

import json

import lz4.block
import pytest
from aliyun.log.log_logs_pb2 import LogGroup

from bridge.audit.feed import Feed
from bridge.audit.forwarding.forwarder import Forwarder, Receiver
from bridge.audit.forwarding.sls import TOPIC, Key, LogStore, SimpleLogServiceSender, find_machine_key
from bridge.clock import SystemClock
from bridge.errors import ForwardingFailed
from tests.fakes.receivers import HTTPReceiver

KEY = Key("LTAIexample", "a-secret", "a-token")


ENDPOINT = "http://cn-hangzhou.log.aliyuncs.com"


@pytest.fixture
def service(monkeypatch):
    """Stands where the SDK's requests go, whatever their host: at the proxy that they take."""
    opened = []

    def start(*plan, answer=b"{}"):
        opened.append(HTTPReceiver(plan, answer=answer))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{opened[-1].port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def forwarder(log, key=lambda: KEY):
    store = LogStore(ENDPOINT, "cn-hangzhou", "acme-audit", "rambridge")
    sender = SimpleLogServiceSender(store, key, source="bridge.example.com/audit", encode=dict)
    return Forwarder(Receiver("sls", sender, Feed(log.engine), from_the_beginning=True), log.engine, SystemClock())


def decode(request):
    _, headers, body = request
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["x-log-compresstype"] == "lz4"
    raw = lz4.block.decompress(body, uncompressed_size=int(headers["x-log-bodyrawsize"]))
    group = LogGroup()
    group.ParseFromString(raw)
    return group


def fields(item):
    return {content.Key: content.Value for content in item.Contents}


def test_records_arrive_as_logs_with_their_time_and_fields_in_order(log, service):
    log.add(20, amr=["pwd", "otp"], mfa=True)
    receiver = service()
    assert forwarder(log).forward_once() == 20
    (request,) = receiver.requests
    group = decode(request)
    assert (group.Topic, group.Source) == (TOPIC, "bridge.example.com/audit")
    assert [int(fields(item)["position"]) for item in group.Logs] == list(range(20))
    first = fields(group.Logs[0])
    assert (first["event"], json.loads(first["amr"]), first["mfa"]) == ("sign_in.accepted", ["pwd", "otp"], "true")
    assert [item.Time for item in group.Logs] == list(range(group.Logs[0].Time, group.Logs[0].Time + 20))
    assert {item.Time_ns for item in group.Logs} == {0}


def test_all_go_to_one_shard_of_the_log_store_since_a_shard_keeps_the_order(log, service):
    log.add(2)
    receiver = service()
    one = forwarder(log)
    one.forward_once()
    log.add(2)
    one.forward_once()
    paths = [path for path, _, _ in receiver.requests]
    assert len(set(paths)) == 1
    assert paths[0].startswith(
        "http://acme-audit.cn-hangzhou.log.aliyuncs.com:80/logstores/rambridge/shards/route?key="
    )


def test_requests_are_signed_with_version_4_and_carry_the_token(log, service):
    log.add(1)
    receiver = service()
    forwarder(log).forward_once()
    headers = {name.lower(): value for name, value in receiver.requests[0][1].items()}
    assert headers["authorization"].startswith("SLS4-HMAC-SHA256 Credential=LTAIexample/")
    assert "/cn-hangzhou/sls/aliyun_v4_request" in headers["authorization"]
    assert headers["x-acs-security-token"] == "a-token"
    assert headers["host"] == "acme-audit.cn-hangzhou.log.aliyuncs.com"


def test_what_the_service_refuses_is_sent_again_and_the_reason_is_its_code(log, service):
    log.add(3)
    answer = json.dumps({"errorCode": "WriteQuotaExceed", "errorMessage": "slow down"}).encode()
    receiver = service(403, answer=answer)
    one = forwarder(log)
    with pytest.raises(ForwardingFailed, match="WriteQuotaExceed"):
        one.forward_once()
    while one.forward_once():
        pass
    positions = [fields(item)["position"] for request in receiver.requests for item in decode(request).Logs]
    assert positions == ["0", "1", "2"]


def test_without_any_key_on_the_machine_nothing_is_sent(log, service, monkeypatch, tmp_path):
    for name in ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    log.add(1)
    receiver = service()
    with pytest.raises(ForwardingFailed, match="no AccessKey"):
        forwarder(log, find_machine_key).forward_once()
    assert receiver.attempts == 0
