"""Which language a browser asks for."""

import pytest

from bridge.language import LANGUAGES
from bridge.web.languages import LONGEST_HEADER_CHARACTERS, match_languages

CHINESE = [
    "zh",
    "zh-CN",
    "ZH-cn",
    "zh-Hans-CN, en;q=0.5",
    "zh-Hans",
    "zh-TW",  # understood better than English
    "zh-Hant-HK,zh-Hant;q=0.9,en-GB;q=0.8",
    "zh-CN,zh;q=0.9,en;q=0.8,en-GB;q=0.7,en-US;q=0.6",  # Edge
    "zh-CN,zh;q=0.8,zh-TW;q=0.7,zh-HK;q=0.5,en-US;q=0.3,en;q=0.2",  # Firefox
    "zh-CN,zh-Hans;q=0.9",  # Safari
    "de-DE,de;q=0.9,zh;q=0.1",
    "en;q=0.2 , zh ; q=0.3",
    "en;Q=0.2,zh;Q=0.300",
    "zh,*",
    "*,zh",
    "en;q=0.5,*",
    "en;q=0,*",
    "*;q=0,zh-CN",
    "zh-TW;q=0,zh;q=0.5",
]
ENGLISH = [
    "",
    " ",
    "*",
    "en",
    "en-GB,en;q=0.9",
    "en-US,en;q=0.9,zh-CN;q=0.8",
    "zh;q=0.8,en-US",
    "de-DE,de;q=0.9",
    "ja,ko;q=0.5",
    "de,*;q=0.5",
    "zh;q=0",
    "zh;q=0.000,*",
    "zh-CN;q=0,zh",
    "*;q=0",
    "en,zh",
    "zhx",
    "zh_CN",
    "zh-",
    "-zh",
    "zh-toolongasubtag",
    "中文",
    "zh;q=1.1",
    "zh;q=-1",
    "zh;q=nan",
    "zh;q=٠.5",
    "zh;q=0.1234",
    "zh;q=",
    "zh;level=1",
    "zh en",
    ",,;;,q=1",
    "\x00zh",
]


@pytest.mark.parametrize("header", CHINESE)
def test_chinese_is_understood(header):
    assert match_languages(header) == "zh-CN"


@pytest.mark.parametrize("header", ENGLISH)
def test_everything_else_is_answered_in_english(header):
    assert match_languages(header) == "en"


def test_of_two_equal_ones_the_first_is_taken():
    assert match_languages("en;q=0.5,zh;q=0.5") == "en"
    assert match_languages("zh;q=0.5,en;q=0.5") == "zh-CN"


def test_what_is_malformed_does_not_spoil_the_rest():
    assert match_languages("en;q=2,??,zh;q=0.1") == "zh-CN"


def test_a_header_is_read_only_so_far():
    assert match_languages("x" * LONGEST_HEADER_CHARACTERS + ",zh") == "en"
    assert match_languages("zh," + "de;q=0.5," * 100_000) == "zh-CN"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_is_found_by_its_own_tag(language):
    assert match_languages(language) == language
