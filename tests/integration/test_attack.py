"""``rambridge attack``: the corpus against a configuration, and a build that is broken on purpose."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import bridge.identity.oidc.id_token
import bridge.identity.saml.response
from bridge.attack.oidc.tokens import PROVIDER
from bridge.attack.report import find_remarks, is_passed
from bridge.attack.run import attack, find_cases
from bridge.attack.saml.messages import make_provider
from bridge.attack.seal import SealBroken, sealed
from bridge.audit.events import SignInRefused
from bridge.audit.log import AuditLog
from bridge.cli.main import main
from bridge.errors import SAMLAudience
from bridge.identity.pending import PendingSignIns
from bridge.settings import Settings

ROOT = Path(__file__).parents[2]
WHOLE = bool(os.environ.get("RAMBRIDGE_TEST_WHOLE_CORPUS"))
"""Whether everything is sent here too: the corpus itself is sent, case by case, in tests/attacks."""
ATTACKED = {"acme-saml": ("SAML-02", 30, 250), "acme-oidc": ("OIDC-17", 20, 200)}
"""What is sent in any case, and how many messages that, and everything, are at least."""
WATCHED = """
import sys
def watch(event, arguments):
    if event == "socket.connect":
        print("connects to", arguments[1], file=sys.stderr)
sys.addaudithook(watch)
from bridge.cli.main import main
main()
"""
"""The command in a process that tells of every connection, without the lane's own seal being asked."""


@pytest.fixture
def config(tmp_path):
    """Return the demo's configuration as a clone has it: there are no keys, secrets, store or records yet."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path / "config"


def run(config, *arguments):
    return CliRunner().invoke(main, ["--config", str(config), "attack", *arguments])


@pytest.mark.parametrize("provider", ATTACKED)
def test_the_demos_configuration_refuses_everything_and_nothing_leaves_the_machine(config, tmp_path, provider):
    before = sorted(tmp_path.rglob("*"))
    report = tmp_path.parent / f"{tmp_path.name}.json"
    threat, *at_least = ATTACKED[provider]
    arguments = ["--config", str(config), "attack", "--provider", provider, "--report", str(report)]
    arguments += [] if WHOLE else ["--threat", threat]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WATCHED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)

    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 accepted, 0 server errors" in done.stdout
    [tried] = json.loads(report.read_text())["providers"]
    cases = tried["cases"]
    assert len(cases) >= at_least[WHOLE]
    assert {case["verdict"] for case in cases} == {"refused"}
    assert all(case["twin_accepted"] and "fault" not in case for case in cases)
    connections = {line for line in done.stderr.splitlines() if line.startswith("connects to")}
    assert connections
    assert [line for line in connections if not line.startswith(("connects to ('127.0.0.1'", "connects to /"))] == []
    assert sorted(tmp_path.rglob("*")) == before, "keys, store and records of the service are left alone"


@pytest.mark.parametrize(
    ("module", "threat", "case"),
    [
        (bridge.identity.saml.response, "SAML-14", "T-SAML-14[no_audience_restriction]"),
        (bridge.identity.oidc.id_token, "OIDC-07", "T-OIDC-07[aud substring]"),
    ],
    ids=["SAML", "OIDC"],
)
def test_a_build_without_a_check_fails_and_names_the_case(config, monkeypatch, module, threat, case):
    whole = run(config, "--threat", threat)
    assert whole.exit_code == 0, whole.output
    monkeypatch.setattr(module, "check_audience", lambda *_: None)
    broken = run(config, "--threat", threat)
    assert broken.exit_code == 1
    assert f"{case}: accepted" in broken.output
    assert "ACCEPTED" in broken.output


def test_a_fault_is_no_refusal(config, monkeypatch):
    def fail(*_):
        raise RuntimeError("a fault of this build")

    monkeypatch.setattr(bridge.identity.saml.response, "check_audience", fail)
    broken = run(config, "--threat", "SAML-14")
    assert broken.exit_code == 1
    assert "SERVER ERROR" in broken.output
    assert "status 500, code internal" in broken.output
    assert "a fault of this build" not in broken.output


def test_refusing_everybody_is_no_success(config, monkeypatch):
    def refuse(*_):
        raise SAMLAudience("everybody")

    monkeypatch.setattr(bridge.identity.saml.response, "check_audience", refuse)
    broken = run(config, "--threat", "SAML-14", "--json")
    assert broken.exit_code == 1
    report = json.loads(broken.stdout)
    assert not report["passed"]
    [tried] = report["providers"]
    assert {case["verdict"] for case in tried["cases"]} == {"not applicable"}
    assert any("proved nothing" in remark for remark in tried["remarks"])


def test_a_refusal_without_a_record_is_flawed(config, monkeypatch):
    append = AuditLog.append
    unrecorded = (SignInRefused,)
    monkeypatch.setattr(AuditLog, "append", lambda *a: None if isinstance(a[2], unrecorded) else append(*a))
    broken = run(config, "--threat", "SAML-22")
    assert broken.exit_code == 1
    assert "T-SAML-22[proxy_audience]: flawed: it left 0 records" in broken.output


def test_a_refusal_that_uses_the_question_up_is_flawed(config, monkeypatch):
    find = PendingSignIns.find

    def burn(questions, *handle):
        question = find(questions, *handle)
        questions._redis.flushall()
        return question

    monkeypatch.setattr(PendingSignIns, "find", burn)
    broken = run(config, "--threat", "SAML-22")
    assert broken.exit_code == 1
    assert "T-SAML-22[proxy_audience]: flawed: it used something up" in broken.output


def test_what_wants_to_leave_the_machine_is_stopped_and_told(config, monkeypatch):
    def fetch(*_):
        socket.create_connection(("192.0.2.1", 443))

    monkeypatch.setattr(bridge.identity.saml.response, "check_audience", fetch)
    broken = run(config, "--threat", "SAML-14")
    assert broken.exit_code == 1
    assert "wanted to leave this machine, and was stopped: 192.0.2.1" in broken.output


def test_a_seal_lets_this_machine_through_and_ends_with_its_block():
    with socket.create_server(("127.0.0.1", 0)) as server, sealed() as seal:
        socket.create_connection(server.getsockname()).close()
        with pytest.raises(SealBroken):
            socket.getaddrinfo("idp.example.com", 443)
        with pytest.raises(SealBroken), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            datagram.sendto(b"x", ("192.0.2.1", 53))
        with pytest.raises(SealBroken), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            datagram.sendmsg([b"x"], [], 0, ("192.0.2.2", 53))
        with pytest.raises(SealBroken):
            socket.gethostbyname("sts.example.com")
    assert seal.attempts == ["idp.example.com", "192.0.2.1", "192.0.2.2", "sts.example.com"]
    with socket.socket() as unsealed:
        unsealed.settimeout(1)
        assert unsealed.connect_ex(("127.0.0.1", 1)) != 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--provider", "nobody"], "no provider is called nobody; there are acme-oidc, acme-saml"),
        (["--threat", "SAML-0"], "no case of these threats can be tried: SAML-0"),
    ],
)
def test_what_cannot_be_tried_is_said(config, arguments, sentence):
    asked = run(config, *arguments)
    assert asked.exit_code == 2
    assert sentence in asked.output


def test_the_report_for_people_has_every_case(config, tmp_path):
    report = tmp_path / "attack.md"
    done = run(config, "--provider", "acme-saml", "--threat", "SAML-22", "--report", str(report))
    assert done.exit_code == 0, done.output
    text = report.read_text()
    assert "Passed." in text
    assert text.count("\n| T-SAML-22") == 6
    assert "rambridge 0." in text


SETTINGS = {
    "strict SAML": (
        make_provider(
            signed="both",
            encryption="require",
            requested_authn_contexts=["urn:x:mfa"],
            force_authn=True,
            name_id_format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
            single_valued=["groups"],
            clock_skew_seconds=0,
        ),
        ["SAML-02", "SAML-19", "SAML-20", "SAML-26"],
    ),
    "lenient SAML": (
        make_provider(
            idp_initiated=True,
            encryption_cbc=True,
            clock_skew_seconds=300,
            max_authentication_age_seconds=864_000,
        ),
        ["SAML-19", "SAML-20", "SAML-26"],
    ),
    "OpenID Connect": (
        PROVIDER.model_copy(
            update={
                "issuer": "https://login.example.com/{tenantid}/v2.0",
                "tenants": ("aaaaaaaa-2222-3333-4444-5555aaaabbbb",),
                "algorithms": ("ES256", "RS384"),
                "required_acr": ("urn:x:mfa",),
                "userinfo": "always",
                "par": "require",
                "client_authentication": "private_key_jwt",
                "max_age_seconds": 600,
                "clock_skew_seconds": 300,
                "logout_token_typ_jwt": True,
            }
        ),
        ["OIDC-01", "OIDC-02", "OIDC-13", "OIDC-15", "OIDC-17", "OIDC-20"],
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_whatever_the_settings_the_twins_fit_them_and_what_is_changed_is_told(name):
    provider, threats = SETTINGS[name]
    cases = find_cases(provider, threats)[:: 1 if WHOLE else 2]
    tried = attack(Settings(public_url="https://bridge.example.org"), provider, cases)
    assert [outcome for outcome in tried.outcomes if outcome.verdict != "refused"] == []
    assert is_passed(tried)
    assert any("Tried with other settings" in remark for remark in find_remarks(tried))
