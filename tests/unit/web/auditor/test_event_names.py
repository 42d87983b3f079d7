"""Every kind of event, every outcome and every filter has a name in both languages."""

import pytest

from bridge.audit.search.query import OUTCOMES
from bridge.language import speaking, translate
from bridge.web.auditor.event_names import NAMES, THINGS, name_event
from bridge.web.auditor.filter_words import TITLES, describe_value
from tests.unit.web.auditor.test_sentences import EVENTS

_LETTERS_ALONE = {"AccessKeyId", "RequestId"}
"""Words of Alibaba Cloud's own, the same in both languages."""


def is_chinese(text):
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def test_the_names_are_those_of_the_events_and_of_their_things():
    events = {kind.name for kind in EVENTS}
    assert NAMES.keys() == events, "name it in bridge/web/auditor/event_names.py"
    assert THINGS.keys() == {event.partition(".")[0] for event in events}


@pytest.mark.parametrize("event", [*NAMES, *THINGS])
def test_an_event_has_a_name_in_both_languages(event):
    english = name_event(event)
    assert english != event
    assert not is_chinese(english)
    with speaking("zh-CN"):
        assert is_chinese(name_event(event))


def test_no_two_events_have_one_name_in_either_language():
    for language in ("en", "zh-CN"):
        with speaking(language):
            assert len({name_event(event) for event in NAMES}) == len(NAMES)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_has_a_name_in_both_languages(outcome):
    assert describe_value("outcome", outcome)
    with speaking("zh-CN"):
        assert is_chinese(describe_value("outcome", outcome))


@pytest.mark.parametrize("name", TITLES)
def test_a_filter_has_a_title_in_both_languages(name):
    with speaking("zh-CN"):
        assert is_chinese(translate(TITLES[name])) or TITLES[name] in _LETTERS_ALONE


def test_an_event_of_a_later_version_stands_as_it_is():
    assert name_event("later.event") == "later.event"
