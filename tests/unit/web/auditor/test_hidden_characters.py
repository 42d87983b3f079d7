"""WEB-12: what a stranger put into a record turns round nothing on an auditor's page, and hides nothing in it."""

import json

from bridge.web.auditor.record_page import write_opened
from bridge.web.auditor.sentences import bold, code

TURNED = "https://idp.example/\u202e\u2066gpj.exe"


def test_t_web_12_what_turns_text_round_ends_with_what_a_stranger_wrote():
    assert bold(TURNED) == f"<strong><bdi>{TURNED}</bdi></strong>"
    assert code(TURNED) == f'<bdi class="mono">{TURNED}</bdi>'


def test_t_web_12_in_the_record_itself_what_one_cannot_see_is_an_escape_and_what_one_reads_is_none():
    record = {"issuer": TURNED, "detail": "a\nb\x9b2J\U000e0001", "person": "Łukasz 王芳"}
    shown = write_opened(record)
    assert shown.replace("\n", "").isprintable()
    assert "\\u202e\\u2066gpj" in shown
    assert "Łukasz 王芳" in shown
    assert json.loads(shown) == record
