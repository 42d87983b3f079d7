import time

import pytest

from bridge.client.failure import Refused
from bridge.client.roles import Role, find_role, search


def role(title, account, number, name, purpose=""):
    return Role(
        entitlement=f"{account}/{name}",
        account=account,
        account_id=number,
        account_title=title,
        name=name,
        title=name,
        purpose=purpose,
        seconds=3600,
        has_credentials=True,
        has_console=True,
    )


ROLES = [
    role("Acme Production", "production", "1001", "PlatformAdmin", "Runs the platform"),
    role("Acme Production", "production", "1001", "ReadOnly"),
    role("Acme Sandbox", "sandbox", "1002", "PlatformAdmin"),
    role("上海财务", "finance", "1003", "Billing", "发票和账单"),
]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("prod admin", ROLES[0]),
        ("admin prod", ROLES[0]),
        ("pdadm sand", ROLES[2]),
        ("1002", ROLES[2]),
        ("RUNS", ROLES[0]),
        ("账单", ROLES[3]),
        ("ｂｉｌｌing", ROLES[3]),
        ("rdonly", ROLES[1]),
        ("prread", ROLES[1]),
        ("sapladm", ROLES[2]),
    ],
)
def test_parts_of_words_find_a_role(words, first):
    assert search(ROLES, words)[0] == first


@pytest.mark.parametrize(("words", "found"), [("admin", [0, 2]), ("prre", [1]), ("acprpa", [0])])
def test_letters_that_are_only_somewhere_find_nothing_where_words_do(words, found):
    purpose = "A place for demos in which readers may repair their own projects"
    roles = [role(each.account_title, each.account, each.account_id, each.name, purpose) for each in ROLES[:3]]
    assert sorted(search(roles, words), key=roles.index) == [roles[place] for place in found]


def test_every_word_must_be_there_and_none_finds_all():
    assert search(ROLES, "prod billing") == []
    assert search(ROLES, "zzz") == []
    assert search(ROLES, "") == ROLES


@pytest.mark.parametrize(
    ("account", "name", "meant"),
    [
        ("1001", "readonly", ROLES[1]),
        ("acme sandbox", "PlatformAdmin", ROLES[2]),
        ("finance", "", ROLES[3]),
        ("", "Billing", ROLES[3]),
        ("", "sandbox/PlatformAdmin", ROLES[2]),
    ],
)
def test_a_role_is_meant_by_any_of_its_names(account, name, meant):
    assert find_role(ROLES, account, name) == meant


def test_what_is_not_meant_by_one_name_alone_says_what_there_is():
    with pytest.raises(Refused, match=r"(?s)Several roles .* Add --account.*Acme Sandbox"):
        find_role(ROLES, "", "PlatformAdmin")
    with pytest.raises(Refused, match=r"(?s)You have no role Root in 1001. Yours:.*ReadOnly in Acme Production"):
        find_role(ROLES, "1001", "Root")
    with pytest.raises(Refused, match="you have none at the moment"):
        find_role([], "1001", "Root")


def test_t_out_11_titles_of_hundreds_of_equal_letters_are_searched_at_once():
    long = role("a " * 400, "production", "1001", "a")
    started = time.process_time()
    assert search([long], "a" * 31 + "b") == []
    assert search([long], "a" * 32) == [long]
    assert time.process_time() - started < 1
