"""One catalogue has what people read; what is new in the code is in it, and what is compiled is what it says."""

import re

import pytest

from bridge.language import ENGLISH, LANGUAGES
from tests.words import FOLDER, compile_catalogue, find_messages, find_missing, read_catalogue, texts_of

TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]
HAN = re.compile(r"[\u4e00-\u9fff]")
ENGLISH_WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")
_PLACE = re.compile(r"%\((\w+)\)[a-z]|\{(\w+)\}")


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_catalogue_has_the_messages_of_the_code(language):
    kept = {message.id for message in read_catalogue(language) if message.id}
    assert kept == set(find_messages()), "run `make words`"


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_compiled_is_the_catalogue(language):
    compiled = (FOLDER / f"{language}.mo").read_bytes()
    assert compiled == compile_catalogue(read_catalogue(language)), "run `make words`"


@pytest.mark.parametrize("language", TRANSLATED)
def test_each_message_has_a_translation(language):
    assert [message.id for message in find_missing(read_catalogue(language))] == []


def test_what_is_translated_into_chinese_is_chinese():
    left = [
        text
        for message in read_catalogue("zh-CN")
        for text in texts_of(message)
        if message.id and ENGLISH_WORDS.search(_PLACE.sub("", text)) and not HAN.search(text)
    ]
    assert set(left) <= {"AccessKey ID"}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_places_of_its_message(language):
    for message in read_catalogue(language):
        one = message.id if isinstance(message.id, str) else message.id[-1]
        for text in filter(None, texts_of(message)):
            assert find_places(text) == find_places(one), one


def find_places(text):
    return sorted(one or other for one, other in _PLACE.findall(text))
