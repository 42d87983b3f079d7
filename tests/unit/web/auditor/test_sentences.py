"""Every event has its own plain sentence, and nothing that a record holds becomes part of a page's markup."""

import dataclasses

import pytest

from bridge.audit import events
from bridge.language import LANGUAGES, speaking
from bridge.web.auditor.lines import write_line
from bridge.web.auditor.sentences import Sentences
from bridge.web.auditor.story import Related, tell_story
from tests.english import find_english

HOSTILE = '<img src=x onerror="alert(1)">'


def find_events(kind=events.Event):
    for each in kind.__subclasses__():
        if hasattr(each, "name") and isinstance(getattr(each, "name", None), str):
            yield each
        yield from find_events(each)


EVENTS = sorted(set(find_events()), key=lambda kind: kind.name)


def fill(kind, text):
    """Return a record of the event in which every text is ``text``."""
    record = {"event": kind.name, "position": 3, "time": "2026-11-29T14:30:05.000000Z", "reference": "1A2B-3C4D-5E6F"}
    for field in dataclasses.fields(kind):
        annotation = str(field.type)
        if "Person" in annotation:
            record[field.name] = {"issuer": text, "subject": text, "person": text}
            record[f"{field.name}_digest"] = "0" * 32
        elif "tuple" in annotation:
            record[field.name] = [text]
        elif "int" in annotation:
            record[field.name] = 3600
        elif "bool" in annotation:
            record[field.name] = True
        else:
            record[field.name] = text
    record.pop("checks", None)
    return record


@pytest.fixture
def say():
    return Sentences(
        {"acme": "Acme"}, {"production": "Acme Production"}, person_href=lambda digest: f"/people/{digest}"
    )


@pytest.mark.parametrize("kind", EVENTS, ids=[kind.name for kind in EVENTS])
def test_every_event_has_a_sentence_of_its_own(kind, say):
    sentence = say.tell(fill(kind, "something"))
    assert "was recorded" not in sentence, "add it to bridge/web/auditor/sentences.py"
    assert sentence.striptags().endswith((".", "”"))


@pytest.mark.parametrize("kind", EVENTS, ids=[kind.name for kind in EVENTS])
def test_a_record_that_says_no_more_than_its_event_can_be_told(kind, say):
    bare = {"event": kind.name, "position": 3, "time": "2026-11-29T14:30:05.000000Z", "reference": ""}
    for record in (bare, bare | {"erased": True, "subject_digest": "0" * 32}):
        assert say.tell(record).striptags()
        assert tell_story(record, Related(same_request=[record]), say)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", EVENTS, ids=[kind.name for kind in EVENTS])
def test_what_a_record_holds_is_text_and_never_markup(kind, language, say):
    record = fill(kind, HOSTILE)
    with speaking(language):
        chapters = tell_story(record, Related(same_request=[record]), say)
        texts = [say.tell(record), *(sentence for chapter in chapters for sentence in chapter.sentences)]
    assert texts
    for text in texts:
        assert "<img" not in text


@pytest.mark.parametrize("kind", EVENTS, ids=[kind.name for kind in EVENTS])
def test_every_event_has_a_whole_sentence_in_chinese(kind, say):
    for text in ("something", ""):
        with speaking("zh-CN"):
            sentence = say.tell(fill(kind, text)).striptags()
        assert sentence.endswith(("。", "”"))
        assert not find_english(sentence)


def test_titles_stand_for_names_and_the_person_leads_to_their_page(say):
    record = fill(events.ChoiceMade, "x") | {
        "person": "林薇",
        "subject_digest": "ab" * 16,
        "account": "production",
        "entitlement": "role PlatformAdmin",
        "purpose": "console",
    }
    sentence = say.tell(record)
    assert f'href="/people/{"ab" * 16}"' in sentence
    assert "林薇 asked for the role PlatformAdmin in Acme Production to open the console" in sentence.striptags()
    assert "href" not in say.without_links().tell(record)


ERASED = {
    "event": "session.ended",
    "position": 1,
    "time": "2026-11-29T14:30:05.000000Z",
    "reference": "",
    "reason": "signed_out_here",
    "subject_digest": "0" * 32,
    "erased": True,
}


def test_an_erased_person_is_called_one(say):
    assert say.tell(ERASED).striptags() == "The session of [erased person] ended: they signed out here."


@pytest.mark.parametrize("language", LANGUAGES)
def test_that_somebody_was_erased_is_said_once(language, say):
    with speaking(language):
        assert write_line(ERASED, say).marks == ()
        [mark] = write_line(ERASED | {"event": "logout.accepted"}, say).marks
    assert mark.kind == "plain"


@pytest.mark.parametrize(
    ("files", "found", "strays", "words"),
    [
        (1, 1, 0, "one file with one event of ActionTrail shows no stray"),
        (2, 1_000, 1, "2 files with 1,000 events of ActionTrail shows one set of credentials that nobody here issued"),
        (0, 0, 3, "0 files with 0 events of ActionTrail shows 3 sets of credentials that nobody here issued"),
    ],
)
def test_an_import_is_told_with_one_or_several(files, found, strays, words, say):
    record = {"event": "trail.imported", "files": files, "events": found, "stray_count": strays}
    assert say.tell(record).striptags() == f"The import of {words}."
