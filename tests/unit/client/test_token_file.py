import json

import pytest

from bridge.client.failure import ClientError
from bridge.client.token_file import TokenFile

SERVER = "https://access.example.com"


@pytest.fixture
def kept(tmp_path):
    return TokenFile(SERVER, tmp_path / "state")


def test_a_token_is_kept_for_its_owner_alone(kept):
    kept.write("secret", 3_600)
    assert kept.read() == "secret"
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert kept.path.parent.stat().st_mode & 0o777 == 0o700
    kept.write("another", 3_600)
    assert kept.read() == "another"
    assert [path.name for path in kept.path.parent.iterdir()] == [kept.path.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_can_reach_is_not_believed(kept, mode):
    kept.write("secret", 3_600)
    kept.path.chmod(mode)
    with pytest.raises(ClientError, match="not yours alone"):
        kept.read()


def test_a_link_in_its_place_is_not_followed(kept, tmp_path):
    kept.write("secret", 3_600)
    elsewhere = tmp_path / "elsewhere"
    kept.path.rename(elsewhere)
    kept.path.symlink_to(elsewhere)
    with pytest.raises(ClientError):
        kept.read()


@pytest.mark.parametrize("seconds", [-1, 0, 9])
def test_a_token_at_its_end_is_none(kept, seconds):
    kept.write("secret", seconds)
    assert kept.read() == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"server": "x"}', '{"server": 1, "access_token": 2}'])
def test_a_file_of_another_form_is_no_token(kept, text):
    kept.write("secret", 3_600)
    kept.path.write_text(text)
    assert kept.read() == ""


def test_a_token_goes_to_no_other_service(kept, tmp_path):
    kept.write("secret", 3_600)
    other = TokenFile("https://other.example.com", tmp_path / "state")
    assert other.read() == ""
    other.path.write_text(json.dumps(json.loads(kept.path.read_text())))
    other.path.chmod(0o600)
    assert other.read() == ""
    kept.forget()
    kept.forget()
    assert kept.read() == ""
