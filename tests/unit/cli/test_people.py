"""What people read when the service, or their own machine, is not as it should be; the service here is a wrong one."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli.main import main
from bridge.client.oauth import Tokens
from bridge.client.remembered import Remembered
from bridge.client.service import Service
from bridge.client.token_file import TokenFile
from tests.fakes.wrong_service import wrong_service

ROOT = Path(__file__).parents[3]
ROLE = {
    "id": "e1",
    "kind": "role",
    "account": "production",
    "account_id": "1001",
    "account_title": "Acme Production",
    "name": "ReadOnly",
    "title": "Read only",
    "purpose": "Look \x1b[31mat everything",
    "console": True,
    "terminal": True,
    "max_duration_seconds": 3600,
    "credentials_duration": {"seconds": 5400},
}
CREDENTIALS = {
    "access_key_id": "STS.x",
    "access_key_secret": "a secret",
    "security_token": "a token",
    "expires_at": "2030-01-01T00:00:00Z",
}


@pytest.fixture
def service(tmp_path, monkeypatch):
    """Return a service at which this home folder is signed in."""
    for name in ("RAMBRIDGE_SERVER", "RAMBRIDGE_ROLE", "RAMBRIDGE_ACCOUNT", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAMBRIDGE_TOKEN_STORE", "file")
    with wrong_service() as service:
        service.answers["/api/v1/session"] = (200, session([ROLE]))
        service.answers["/api/v1/credentials"] = (200, CREDENTIALS)
        TokenFile(Service(service.url).origin).write(Tokens("access", "refresh", 4_000_000_000.0))
        monkeypatch.setenv("RAMBRIDGE_SERVER", service.url)
        yield service


def session(entitlements):
    return {
        "provider": "acme",
        "subject": "lin",
        "claims": {"name": ["林薇"]},
        "session_ends_at": "2030-01-01T00:00:00Z",
        "entitlements": entitlements,
    }


def run(*words):
    return CliRunner().invoke(main, list(words))


def test_the_only_role_needs_no_name(service):
    assert json.loads(run("credentials").stdout)["expiration"] == "2030-01-01T00:00:00Z"
    assert [form for _, path, form in service.asked if path == "/api/v1/credentials"]


@pytest.mark.parametrize(
    ("role", "following"), [("ReadOnly", "Next: rambridge exec"), ("Developer", "Next: rambridge use\n")]
)
def test_what_comes_next_is_possible_with_the_role_that_was_chosen(service, role, following):
    Remembered(server=service.url, account="1001", role=role).write()
    assert following in run("whoami").output


def test_no_credentials_leave_where_the_clock_would_make_them_worthless(service):
    service.seconds_ahead = 4_000
    done = run("env")
    assert (done.exit_code, done.stdout) == (7, "")
    assert done.stderr == (
        "This machine's clock is 1 h 7 min behind the service's, so Alibaba Cloud would refuse what is signed here. "
        "Set the clock, and try again.\n"
    )


def test_what_a_service_writes_cannot_move_the_cursor(service):
    done = run("roles")
    assert "\x1b[31m" not in done.output
    assert "Look [31mat everything" in done.stdout


def test_how_long_credentials_last_is_said_in_hours(service):
    assert "1 h 30 min" in run("roles").stdout


def test_whom_to_ask_and_how_sensitive_a_role_is_stand_in_the_table_where_there_is_room(service, monkeypatch):
    cared = ROLE | {"owner": "cloud-team@acme.example", "sensitivity": "high"}
    service.answers["/api/v1/session"] = (200, session([cared, ROLE | {"id": "e2", "name": "Other"}]))
    monkeypatch.setenv("COLUMNS", "160")
    header, *lines = run("roles").stdout.splitlines()
    assert [line.partition("cloud-team@acme.example")[0].split()[-1] for line in lines][1] == "high"
    assert "SENSITIVITY" in header
    monkeypatch.setenv("COLUMNS", "80")
    assert "cloud-team@acme.example" not in run("roles").stdout
    told = json.loads(run("roles", "--json").stdout)
    assert {(each["owner"], each["sensitivity"]) for each in told} == {("cloud-team@acme.example", "high"), ("", "")}
    assert [each["name"] for each in json.loads(run("roles", "cloud-team", "--json").stdout)] == ["ReadOnly"]


@pytest.mark.parametrize(
    ("answer", "exit_code", "said"),
    [
        ((503, {"code": "store_unavailable", "message": "Away.", "reference": "R1"}), 5, "Away. [store_unavailable,"),
        ((403, {"code": "not_entitled", "message": "Not yours.", "reference": "R2"}), 4, "Not yours. [not_entitled,"),
        ((403, {"code": "not_entitled", "help": {"message": "Come at 8."}, "reference": "R3"}), 4, "Come at 8. [not_"),
        (
            (403, {"code": "not_entitled", "help": {"message": "Again.", "sign_in": "/step-up/x"}, "reference": "R4"}),
            4,
            "Again. Do so on your page in the browser, then type: rambridge login [not_",
        ),
        ((200, {"hello": "world"}), 6, "no credentials in it"),
    ],
)
def test_each_refusal_has_a_sentence_and_an_exit_code(service, answer, exit_code, said):
    service.answers["/api/v1/credentials"] = answer
    done = run("credentials")
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert said in done.stderr
    told = json.loads(run("credentials", "--json").stderr)
    assert told["exit_code"] == exit_code
    assert told.get("reference", "") == answer[1].get("reference", "")


def test_a_command_line_that_makes_no_sense_is_json_too(service):
    service.answers["/api/v1/session"] = (200, session([ROLE, ROLE | {"id": "e2", "name": "Admin"}]))
    told = json.loads(run("credentials", "--json").stderr)
    assert (told["error"], told["exit_code"]) == ("usage", 2)
    assert run("credentials").exit_code == 2


def test_somebody_without_roles_is_told_where_to_ask(service):
    service.answers["/api/v1/session"] = (200, session([]))
    assert service.url in run("roles").stderr
    assert service.url in run("whoami").stderr


def test_a_role_and_a_user_of_one_name_get_a_profile_each(service, tmp_path):
    service.answers["/api/v1/session"] = (200, session([ROLE, ROLE | {"id": "e2abcdefgh", "kind": "user"}]))
    assert run("configure", "--all").exit_code == 0
    profiles = json.loads((tmp_path / ".aliyun/config.json").read_text())["profiles"]
    assert {profile["name"] for profile in profiles} == {"production-ReadOnly-e1", "production-ReadOnly-e2abcd"}
    assert {profile["process_command"].split()[-1] for profile in profiles} == {"e1", "e2abcdefgh"}
    assert run("configure", "--all").exit_code == 0


def test_t_out_11_a_folder_that_somebody_cloned_is_not_taken_for_the_command(service, tmp_path, monkeypatch):
    """Programs start the command of a profile in whatever folder they are."""
    service.answers["/api/v1/session"] = (200, session([ROLE]))
    cloned = tmp_path / "cloned"
    (cloned / "bridge").mkdir(parents=True)
    for name in ("__init__.py", "__main__.py"):
        (cloned / "bridge" / name).write_text("print('taken')")
    monkeypatch.chdir(cloned)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert run("configure").exit_code == 0
    [profile] = json.loads((tmp_path / ".aliyun/config.json").read_text())["profiles"]
    command = shlex.split(profile["process_command"])
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    assert "taken" not in done.stdout


@pytest.mark.parametrize("address", ["--gpu-launcher=x", "file:///etc/passwd", "https://evil.example/go/x", None])
def test_t_out_11_an_address_of_another_place_reaches_no_browser(service, address):
    role = ("console", "--print", "--role", "ReadOnly")
    service.answers["/api/v1/links"] = (200, {"url": address})
    done = CliRunner().invoke(main, role)
    assert (done.stdout, "another place" in done.stderr) == ("", True)
    assert done.exit_code
    service.answers["/api/v1/links"] = (200, {"url": f"{service.url}/go/x"})
    assert CliRunner().invoke(main, role).stdout == f"{service.url}/go/x\n"
