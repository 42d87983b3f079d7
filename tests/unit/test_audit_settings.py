"""What ``rambridge check`` says of receivers and scheduled exports in ``audit.yaml``."""

import shutil
from pathlib import Path

import pytest

from bridge.settings import check_configuration, load_configuration

CONFIG = Path(__file__).parents[2] / "config"
SIEM = "forwarding:\n  - {name: siem, to: syslog, host: siem.example.com%s}\n"
HOOK = "forwarding:\n  - {name: hook, to: webhook, url: 'https://soar.example.com/hook', secret: 'env:HOOK'%s}\n"
SLS = (
    "forwarding:\n  - {name: sls, to: sls, endpoint: 'https://cn-hangzhou.log.aliyuncs.com', region: cn-hangzhou, "
    "project: acme, logstore: audit%s}\n"
)
ALERTS = "alerts: {webhook: {url: 'https://soar.example.com/hook', secret: 'env:HOOK'%s}}\n"
WITNESS = "witnesses:\n  - {name: second, to: witness, url: 'https://witness.example.com'%s}\n"
FILE = "witnesses:\n  - {name: disk, to: file, path: /tmp/log%s}\n"
BURST = "refusals_per_minute: 20\nalerts:\n  refused_signatures:\n    count: %s\n    seconds: %s\n"
DAILY = "exports:\n  - {name: daily, folder: /tmp%s}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK", "a secret")
    shutil.copytree(CONFIG, tmp_path / "config")
    secret = tmp_path / "certs" / "sandbox" / "oidc-client-secret"
    secret.parent.mkdir(parents=True)
    secret.write_text("a secret")
    return tmp_path / "config"


def problems(folder, text, *, development=True):
    (folder / "audit.yaml").write_text(text)
    if not development:
        bridge = folder / "bridge.yaml"
        bridge.write_text(bridge.read_text().replace("development: true", "development: false"))
    return [problem for problem in check_configuration(folder) if problem.file.name == "audit.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        *(SIEM % "", SIEM % ", format: ocsf, personal: sealed", HOOK % "", SLS % ""),
        *(DAILY % "", ALERTS % "", WITNESS % "", FILE % ""),
    ],
)
def test_what_the_documentation_shows_is_accepted(folder, text):
    assert problems(folder, text, development=False) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(SIEM % ", port: 1514", "port 1514", id="port that outbound does not allow"),
        pytest.param(
            SIEM.replace("siem.example.com", "100.100.100.200") % "", "metadata service", id="metadata service"
        ),
        pytest.param(SIEM % ", ca_file: nowhere.pem", "nowhere.pem", id="file that is missing"),
        pytest.param(SIEM % ", facility: 13", "facility", id="unknown key"),
        pytest.param(
            SIEM % "" + "  - {name: siem, to: syslog, host: other.example.com}\n", "stands twice", id="name twice"
        ),
        pytest.param(HOOK.replace("https:", "http:") % "", "plain http", id="plain http"),
        pytest.param(HOOK.replace("https:", "ftp:") % "", "webhook", id="no web address"),
        pytest.param(HOOK.replace("env:HOOK", "hunter2") % "", "must not stand in this file", id="secret in the file"),
        pytest.param(SLS % ", access_key_id: env:HOOK", "belong together", id="half a key"),
        pytest.param(SLS.replace("https:", "http:") % "", "plain http", id="SLS over plain http"),
        pytest.param(SLS.replace("https://", "") % "", "https://REGION", id="SLS without a scheme"),
        pytest.param(ALERTS.replace("https:", "http:") % "", "plain http", id="alerts over plain http"),
        pytest.param(ALERTS % ", ca_file: nowhere.pem", "nowhere.pem", id="alerts' file that is missing"),
        pytest.param(WITNESS.replace("https:", "http:") % "", "plain http", id="witness over plain http"),
        pytest.param(WITNESS.replace("https:", "ftp:") % "", "of a witness", id="witness without a web address"),
        pytest.param(
            WITNESS.replace("witness.example.com", "100.100.100.200") % "", "metadata service", id="witness's host"
        ),
        pytest.param(
            WITNESS.replace("witness.example.com", "[fd00::1]") % "", "allowed_networks", id="witness's IPv6 host"
        ),
        pytest.param(WITNESS.replace(".com", ".com:8443") % "", "8443", id="witness's port"),
        pytest.param(WITNESS % ", ca_file: nowhere.pem", "nowhere.pem", id="witness's file that is missing"),
        pytest.param(FILE.replace("/tmp", "nowhere") % "", "nothing will be written", id="witness's folder"),
        pytest.param(DAILY % "" + "  - {name: daily, folder: /tmp}\n", "stands twice", id="export's name twice"),
        pytest.param(
            FILE % "" + "  - {name: disk, to: file, path: /tmp/b}\n", "stands twice", id="witness's name twice"
        ),
        pytest.param("privileged: ['Admin']\n", "not an account and a role", id="pattern without an account"),
        pytest.param("privileged: ['a/b/c']\n", "not an account and a role", id="pattern with too much"),
        pytest.param(DAILY % ", at: '24:00'", "at", id="no time of a day"),
        pytest.param(DAILY.replace("/tmp", "nowhere") % "", "nothing will be written", id="folder that is missing"),
    ],
)
def test_each_mistake_is_named_with_what_to_write(folder, text, says):
    found = problems(folder, text, development=False)
    assert [problem for problem in found if says in problem.message + problem.fix], found


def test_t_aud_07_a_burst_that_is_over_before_it_is_summed_up_is_refused_where_it_stands(folder):
    [problem] = problems(folder, BURST % (21, 119))
    assert (problem.line, problem.column, problem.severity) == (5, 14, "error")
    assert problem.fix == "Write `seconds: 120` or more, or a `count` of 20 or less."
    for accepted in (BURST % (20, 119), BURST % (21, 120), BURST % (21, 119) + "  off: [refused_signatures]\n"):
        assert problems(folder, accepted) == []


@pytest.mark.parametrize("text", [HOOK, ALERTS])
@pytest.mark.parametrize(("secret", "usable"), [("whsec_c2Vj", True), ("whsec_", False), ("whsec_c2 Vj", False)])
def test_a_secret_that_cannot_be_what_was_given_out_is_named(folder, monkeypatch, text, secret, usable):
    monkeypatch.setenv("HOOK", secret)
    found = problems(folder, text % "", development=False)
    assert usable == (not [problem for problem in found if "whsec_" in problem.message]), found


def test_a_secret_is_read_and_paths_are_relative_to_the_file(folder):
    (folder / "siem.pem").write_text("")
    (folder / "audit.yaml").write_text(
        (SIEM % ", ca_file: siem.pem, certificate: siem.pem")
        + HOOK.removeprefix("forwarding:\n") % ", ca_file: siem.pem"
        + (ALERTS % ", ca_file: siem.pem")
        + (WITNESS % ", ca_file: siem.pem")
        + FILE.removeprefix("witnesses:\n").replace("/tmp", "..") % ""
        + DAILY.replace("/tmp", "..") % ""
    )
    audit = load_configuration(folder).audit
    files = [audit.forwarding[0].certificate, *(each.ca_file for each in audit.forwarding)]
    files += [audit.alerts.webhook.ca_file, audit.witnesses[0].ca_file]
    assert files == [folder / "siem.pem"] * 5
    assert audit.witnesses[1].path == folder.parent / "log"
    assert audit.forwarding[1].secret.get_secret_value() == "a secret"
    assert audit.exports[0].folder == folder.parent
