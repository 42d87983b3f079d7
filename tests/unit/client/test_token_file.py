import json

import pytest

from bridge.client.failure import ClientError
from bridge.client.oauth import Tokens
from bridge.client.token_file import TokenFile

SERVER = "https://access.example.com"
TOKENS = Tokens("an access token", "a refresh token", 1_800_000_000.5)


@pytest.fixture
def kept(tmp_path):
    return TokenFile(SERVER, tmp_path / "state")


def test_tokens_are_kept_for_their_owner_alone(kept):
    kept.write(TOKENS)
    assert kept.read() == TOKENS
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert kept.path.parent.stat().st_mode & 0o777 == 0o700
    others = Tokens("another", "b", 1.0)
    kept.write(others)
    assert kept.read() == others
    assert [path.name for path in kept.path.parent.iterdir()] == [kept.path.name]


def test_tokens_do_not_show_themselves():
    assert "token" not in repr(TOKENS).removeprefix("Tokens")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_file_that_others_can_reach_is_not_believed(kept, mode):
    kept.write(TOKENS)
    kept.path.chmod(mode)
    with pytest.raises(ClientError, match="not yours alone"):
        kept.read()


def test_a_link_in_its_place_is_not_followed(kept, tmp_path):
    kept.write(TOKENS)
    elsewhere = tmp_path / "elsewhere"
    kept.path.rename(elsewhere)
    kept.path.symlink_to(elsewhere)
    with pytest.raises(ClientError):
        kept.read()


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"server": "x"}', '{"server": 1, "access": 2}'])
def test_a_file_of_another_form_is_no_token(kept, text):
    kept.write(TOKENS)
    kept.path.write_text(text)
    assert kept.read() is None


def test_a_token_goes_to_no_other_service(kept, tmp_path):
    kept.write(TOKENS)
    other = TokenFile("https://other.example.com", tmp_path / "state")
    assert other.read() is None
    other.path.write_text(json.dumps(json.loads(kept.path.read_text())))
    other.path.chmod(0o600)
    assert other.read() is None
    kept.forget()
    kept.forget()
    assert kept.read() is None
