"""What a reload re-uses: everything of a file that did not change, and nothing that could be out of date."""

import gc
from dataclasses import replace

import pytest

from bridge.entitlements.rules import readings
from bridge.errors import SettingsError
from bridge.settings import load_configuration
from bridge.settings.configuration import compile_rule_files
from tests.unit.configurations import PRODUCTION, write_configuration

GRANT = "grant: [{account: production, role: Admin}]"
FIRST = f"rules:\n- name: first\n  groups: [$team]\n  {GRANT}\n"
SECOND = f"rules:\n- name: second\n  groups: [b]\n  when: claims.x == 'y'\n  {GRANT}\n"
CONSTANTS = "constants:\n  team: [a]\n"


@pytest.fixture
def configuration(tmp_path):
    return load_configuration(write_configuration(tmp_path))


def with_texts(configuration, **changes):
    texts = {"10-first.yaml": CONSTANTS + FIRST, "20-second.yaml": SECOND}
    texts |= {f"{name}.yaml": text for name, text in changes.items()}
    files = replace(configuration.rule_files, texts={name: text.encode() for name, text in texts.items()})
    return compile_rule_files(configuration, files)


def test_rules_of_a_file_that_did_not_change_are_the_same_objects(configuration):
    before = with_texts(configuration)
    after = with_texts(configuration, third=SECOND.replace("second", "third"))
    assert before.version != after.version
    assert [one is other for one, other in zip(before.rules, after.rules, strict=False)] == [True, True]
    assert [rule.id for rule in after.rules] == ["10-first.yaml:first", "20-second.yaml:second", "third.yaml:third"]


def test_a_file_that_changed_is_read_anew(configuration):
    before = with_texts(configuration)
    after = with_texts(configuration, **{"20-second": SECOND.replace("[b]", "[c]")})
    assert after.rules[0] is before.rules[0]
    assert after.rules[1].groups == {"c"}


def test_rules_are_compiled_anew_when_a_constant_of_another_file_changed(configuration):
    first = {"10-first": FIRST}
    before = with_texts(configuration, **first, constants=f"{CONSTANTS}{SECOND}")
    after = with_texts(configuration, **first, constants=f"{CONSTANTS}{SECOND}".replace("[a]", "[a, z]"))
    assert before.rules[0].groups == {"a"}
    assert after.rules[0].groups == {"a", "z"}


def test_rules_are_compiled_anew_when_an_account_changed(tmp_path):
    folder = write_configuration(tmp_path)
    before = load_configuration(folder)
    assert load_configuration(folder).rules.rules[0] is before.rules.rules[0]
    write_configuration(folder, {"accounts/production.yaml": f"{PRODUCTION}roles: [Admin]\n"})
    after = load_configuration(folder)
    assert before.rules.rules[0].grants[0].allowed_roles is None
    assert after.rules.rules[0].grants[0].allowed_roles == {"Admin"}


def test_a_file_with_a_problem_is_told_about_each_time(configuration):
    before = with_texts(configuration)
    for _ in range(2):
        with pytest.raises(SettingsError, match="nonsense"):
            with_texts(configuration, third=SECOND.replace("claims.x == 'y'", "nonsense == 1"))
        with pytest.raises(SettingsError, match="stands in this file already"):
            with_texts(configuration, third=f"{SECOND}{SECOND.partition(chr(10))[2]}")
        with pytest.raises(SettingsError, match="no account named"):
            with_texts(configuration, third=SECOND.replace("production", "elsewhere"))
    assert with_texts(configuration).rules == before.rules


def test_what_no_rule_set_uses_any_more_is_forgotten(configuration):
    rules = with_texts(configuration)
    path = configuration.rule_files.folder / "20-second.yaml"
    assert readings.find_document(path, SECOND.encode()) is not None
    del rules
    gc.collect()
    assert readings.find_document(path, SECOND.encode()) is None
