"""One condition against one claim: exact, whole, and nothing that only looks alike."""

import pytest

from bridge.entitlements.matching import find_flaw, fold_case, match_any, match_none, read_texts

WANTED = frozenset({"platform"})


def holds(claims, name="groups", wanted=WANTED):
    return match_any(read_texts(claims, name), wanted, name).holds


@pytest.mark.parametrize(
    "groups",
    [["platform"], ["a", "platform", "z"], "platform", ["platform", "platform"], ["plat\u200bform", "platform"]],
)
def test_a_value_that_is_there_matches(groups):
    assert holds({"groups": groups}) is True


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param([], id="empty list"),
        pytest.param("", id="empty text"),
        pytest.param(["Platform"], id="case"),
        pytest.param(["platform "], id="blank after"),
        pytest.param([" platform"], id="blank before"),
        pytest.param(["platform-admins"], id="prefix"),
        pytest.param(["no-platform"], id="suffix"),
        pytest.param(["platform,admins"], id="comma list"),
        pytest.param("platform,admins", id="comma list as text"),
        pytest.param(["cn=platform"], id="name in a longer name"),
        pytest.param(["plat\u200bform"], id="zero-width space"),
        pytest.param(["platform\u200d"], id="zero-width joiner"),
        pytest.param(["\u202eplatform"], id="bidirectional override"),
        pytest.param(["platform\n"], id="newline"),
        pytest.param(["platform\x00"], id="NUL"),
        pytest.param(["plаtform"], id="Cyrillic a"),
        pytest.param(["ｐｌａｔｆｏｒｍ"], id="full width"),
    ],
)
def test_t_map_05_a_value_that_only_looks_alike_does_not_match(groups):
    assert holds({"groups": groups}) is False


def test_t_map_05_the_decomposed_form_of_a_name_does_not_match_the_composed_one():
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    assert holds({"groups": [composed]}, wanted=frozenset({composed})) is True
    assert holds({"groups": [decomposed]}, wanted=frozenset({composed})) is False
    assert holds({"groups": [decomposed]}, wanted=frozenset({decomposed})) is False


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a\u200bb", "invisible"),
        ("a\u00adb", "invisible"),
        ("\u3164", "invisible"),
        ("\ufeffa", "invisible"),
        ("\u202ea", "invisible"),
        ("a\tb", "control"),
        ("a\x7f", "control"),
        ("\ud800", "control"),
        ("\ue000", "invisible"),
        ("e\u0301", "normal form"),
        ("\u212b", "normal form"),
        ("x" * 1025, "longer than"),
    ],
)
def test_t_map_05_a_flaw_is_named(text, word):
    assert word in find_flaw(text)


@pytest.mark.parametrize("text", ["", "platform", "Größe", "平台组", "Ελλάδα", "a b", "x" * 1024, "😀", "한국어"])
def test_ordinary_text_of_any_language_has_no_flaw(text):
    assert find_flaw(text) is None


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param({"platform": True}, id="object"),
        pytest.param(["platform", 1], id="mixed with a number"),
        pytest.param(["platform", None], id="mixed with null"),
        pytest.param(["platform", ["platform"]], id="nested list"),
        pytest.param(["platform", {"id": "platform"}], id="mixed with an object"),
        pytest.param(1, id="number"),
        pytest.param(True, id="true"),
        pytest.param(["x"] * 10_001, id="too many"),
    ],
)
def test_t_map_06_a_claim_of_another_shape_is_unknown_not_a_match(groups):
    finding = match_any(read_texts({"groups": groups}, "groups"), WANTED, "groups")
    assert finding.holds is None
    assert "groups" in finding.reason


def test_t_map_06_null_is_absent():
    assert holds({"groups": None}) is False


@pytest.mark.parametrize(
    "claims",
    [
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://idp.example/x"}}},
        {"hasgroups": True},
        {"hasgroups": "true"},
        {"hasgroups": ["true"]},
    ],
)
def test_t_map_06_groups_that_were_too_many_to_send_are_unknown_not_empty(claims):
    finding = match_any(read_texts(claims, "groups"), WANTED, "groups")
    assert finding.holds is None
    assert "did not send" in finding.reason


def test_an_absent_claim_never_matches_and_the_reason_says_so():
    finding = match_any(read_texts({}, "groups"), WANTED, "groups")
    assert (finding.holds, "absent" in finding.reason) == (False, True)


def test_the_reason_names_what_was_left_out():
    finding = match_any(read_texts({"groups": ["plat\u200bform"]}, "groups"), WANTED, "groups")
    assert "left out" in finding.reason


# ── None of some groups ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("claims", "holds"),
    [
        pytest.param({"groups": ["employees"]}, True, id="in other groups"),
        pytest.param({"groups": []}, True, id="in no group, as the provider says"),
        pytest.param({"groups": "employees"}, True, id="one text"),
        pytest.param({"groups": ["employees", "platform"]}, False, id="in the group"),
        pytest.param({"groups": ["Platform"]}, True, id="case"),
        pytest.param({}, None, id="absent"),
        pytest.param({"groups": None}, None, id="null"),
        pytest.param({"groups": {"platform": True}}, None, id="object"),
        pytest.param({"groups": ["employees", 1]}, None, id="mixed with a number"),
        pytest.param({"groups": 7}, None, id="number"),
        pytest.param({"hasgroups": True}, None, id="too many to send"),
        pytest.param({"_claim_names": {"groups": "src1"}}, None, id="kept elsewhere"),
        pytest.param({"groups": ["employees", "plat\u200bform"]}, None, id="a value that was left out"),
        pytest.param({"groups": ["Cafe\u0301"]}, None, id="decomposed"),
        pytest.param({"groups": ["plat\u200bform", "platform"]}, False, id="one left out, one is it"),
    ],
)
def test_t_map_06_being_in_no_group_has_to_be_stated(claims, holds):
    finding = match_none(read_texts(claims, "groups"), WANTED, "groups")
    assert finding.holds is holds
    assert "groups" in finding.reason


# ── Upper and lower case ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Platform", "pLATFORM"),
        ("GRÖSSE", "größe".replace("ß", "ss")),
        ("ΑΒΓ", "αβγ"),
        ("ДА", "да"),
        ("平台", "平台"),
    ],
)
def test_t_map_05_case_alone_is_ignored(one, other):
    assert fold_case(one) == fold_case(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("admın", "admin", id="dotless i"),
        pytest.param("admİn", "admin", id="dotted capital I"),
        pytest.param("ſales", "sales", id="long s"),
        pytest.param("straße", "strasse", id="sharp s"),
        pytest.param("plаtform", "platform", id="Cyrillic a"),
        pytest.param("ｐlatform", "platform", id="full width"),
        pytest.param("ﬁnance", "finance", id="ligature"),
        pytest.param("platform ", "platform", id="blank"),
    ],
)
def test_t_map_05_what_only_looks_alike_stays_different(one, other):
    assert fold_case(one) != fold_case(other)


def test_t_map_05_no_letter_but_a_to_z_becomes_an_ascii_letter():
    changed = (letter for letter in map(chr, range(128, 0x110000)) if fold_case(letter) != letter)
    strange = [letter for letter in changed if not find_flaw(letter) and fold_case(letter).isascii()]
    assert strange == []
