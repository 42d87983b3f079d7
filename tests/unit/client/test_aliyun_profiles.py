import json
import random

import pytest

from bridge.client.aliyun_profiles import Profile, is_ours, write_profiles
from bridge.client.failure import ClientError

COMMAND = ("/usr/bin/rambridge", "credentials", "--server", "https://a.example.com", "--account", "1", "--role", "Dev")
OURS = Profile("work", COMMAND, default_region="cn-hangzhou")
THEIRS = {
    "current": "default",
    "profiles": [
        {"name": "default", "mode": "AK", "access_key_id": "i", "access_key_secret": "s", "retry_count": 3, "x": 1.50},
        {"name": "生产", "mode": "StsToken", "sts_expiration": 1796000000, "nested": {"deep": [None, True, "é"]}},
    ],
    "meta_path": "",
    "unknown": {"to": "us"},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".aliyun" / "config.json"


def put(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_new_file_is_what_the_cli_would_take(path):
    change = write_profiles(path, [OURS])
    assert (change.added, change.renewed, change.backup) == (("work",), (), None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    content = read(path)
    assert content["current"] == "work"
    [profile] = content["profiles"]
    assert profile["mode"] == "External"
    assert profile["region_id"] == "cn-hangzhou"
    assert is_ours(profile)


def test_other_profiles_stay_as_they_are_and_the_file_is_kept_beside(path):
    put(path, json.dumps(THEIRS, ensure_ascii=False))
    before = path.read_bytes()
    change = write_profiles(path, [OURS])
    assert change.backup.read_bytes() == before
    assert change.backup.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o600
    after = read(path)
    assert after["profiles"].pop()["name"] == "work"
    assert json.dumps(after) == json.dumps(THEIRS)  # order too
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["config.json", "config.json.before-rambridge"]


def test_writing_again_does_not_push_out_the_file_of_before(path):
    put(path, json.dumps(THEIRS))
    before = path.read_bytes()
    write_profiles(path, [OURS])
    assert write_profiles(path, [OURS, Profile("more", COMMAND)]).backup.read_bytes() == before
    content = read(path)
    content["profiles"].append({"name": "theirs", "mode": "AK"})
    put(path, json.dumps(content))
    before = path.read_bytes()
    assert write_profiles(path, [OURS]).backup.read_bytes() == before


def test_any_file_of_the_clis_form_comes_back_with_nothing_else_changed(path):
    dice = random.Random(7)

    def value(depth=0):
        simple = (
            None,
            True,
            dice.randrange(-(10**18), 10**18),
            dice.random(),
            "".join(chr(dice.randrange(1, 0xD800)) for _ in range(5)),
        )
        if depth < 3 and dice.random() < 0.4:
            return dice.choice(([value(depth + 1)], {str(dice.random()): value(depth + 1)}))
        return dice.choice(simple)

    for number in range(40):
        content = {
            "profiles": [{"name": f"p{place}", "a": value()} for place in range(dice.randrange(4))],
            "b": value(),
        }
        content["current"] = "p0"
        put(path, json.dumps(content))
        write_profiles(path, [OURS])
        after = read(path)
        assert after["profiles"].pop()["name"] == "work", number
        assert json.dumps(after) == json.dumps(content)


def test_writing_again_renews_ours_and_keeps_what_the_person_set(path):
    write_profiles(path, [OURS])
    content = read(path)
    content["profiles"][0] |= {"region_id": "eu-central-1", "language": "zh", "access_key_id": "left by an SDK"}
    put(path, json.dumps(content))
    change = write_profiles(path, [Profile("work", (*COMMAND[:-1], "Other"), default_region="cn-hangzhou")])
    assert change.renewed == ("work",)
    [profile] = read(path)["profiles"]
    assert (profile["region_id"], profile["language"]) == ("eu-central-1", "zh")
    assert profile["process_command"].endswith("--role Other")
    assert "access_key_id" not in profile
    write_profiles(path, [Profile("work", COMMAND, region="cn-beijing")])
    assert read(path)["profiles"][0]["region_id"] == "cn-beijing"


def test_a_name_that_somebody_else_has_is_refused_unless_they_say_so(path):
    put(path, json.dumps(THEIRS))
    before = path.read_bytes()
    taken = Profile("default", COMMAND, default_region="cn-hangzhou")
    with pytest.raises(ClientError, match="--replace"):
        write_profiles(path, [OURS, taken])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    write_profiles(path, [taken], replace=True)
    assert is_ours(read(path)["profiles"][0])


def test_t_out_11_another_service_takes_the_place_of_no_profile_by_what_it_calls_its_roles(path):
    """Programs would go on with that name, and work in an account of somebody else's."""
    write_profiles(path, [OURS])
    before = path.read_bytes()
    elsewhere = tuple(word.replace("https://a.example.com", "https://b.example.com") for word in COMMAND)
    with pytest.raises(ClientError, match=r"asks another service \(https://a\.example\.com\).*--replace"):
        write_profiles(path, [Profile("work", elsewhere)])
    assert path.read_bytes() == before
    assert write_profiles(path, [OURS]).renewed == ("work",)
    assert write_profiles(path, [Profile("work", elsewhere)], replace=True).renewed == ("work",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"profiles": {}}',
        '{"profiles": ["x"]}',
        '{"profiles": []} trailing',
        '// a comment\n{"profiles": []}',
        '{"profiles": [], "profiles": []}',
        '{"profiles": [{"name": "a", "name": "b"}]}',
        '{"profiles": [{"name": "a"}, {"name": "a"}]}',
        '{"profiles": [], "x": NaN}',
        '{"profiles": [], "x": 1e999}',
        '{"profiles": [], "x": "\\ud800"}',
        '\ufeff{"profiles": []}',
        '{"profiles": ' + "[" * 200_000,
    ],
)
def test_a_file_that_cannot_be_kept_is_left_as_it_is(path, text):
    put(path, text)
    with pytest.raises(ClientError, match="left as it is"):
        write_profiles(path, [OURS])
    assert path.read_text(encoding="utf-8") == text
    assert list(path.parent.iterdir()) == [path]


def test_a_file_in_another_encoding_is_left_as_it_is(path):
    put(path, "")
    path.write_bytes('{"profiles": [{"name": "é"}]}'.encode("latin-1"))
    with pytest.raises(ClientError, match="left as it is"):
        write_profiles(path, [OURS])


def test_a_link_stays_a_link(path, tmp_path):
    elsewhere = tmp_path / "dotfiles" / "aliyun.json"
    put(elsewhere, json.dumps(THEIRS))
    path.parent.mkdir()
    path.symlink_to(elsewhere)
    write_profiles(path, [OURS])
    assert path.is_symlink()
    assert read(elsewhere)["profiles"][-1]["name"] == "work"


def test_the_default_changes_only_when_that_is_asked_for(path):
    put(path, json.dumps(THEIRS))
    write_profiles(path, [OURS])
    assert read(path)["current"] == "default"
    write_profiles(path, [OURS], make_default="work")
    assert read(path)["current"] == "work"
