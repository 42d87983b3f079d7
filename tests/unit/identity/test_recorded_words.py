"""The words of a trace are recorded in English, and shown in the language of whoever reads the record."""

import ast
import inspect
import re

import pytest

from bridge.identity import trace
from bridge.identity.checks import explain_checks
from bridge.identity.oidc import trace as oidc_trace
from bridge.identity.oidc import workload_token
from bridge.identity.recorded_words import read_recorded
from bridge.identity.saml import trace as saml_trace
from bridge.language import speaking
from tests.english import find_english


def find_words(module):
    """Yield the texts in the code of a module that a trace may record, a 7 where a value stands."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) or (isinstance(node, ast.FunctionDef) and node.name in RECORDING):
            body = (
                node.body
                if isinstance(node, ast.Lambda)
                else ast.Module(node.body[bool(ast.get_docstring(node)) :], [])
            )
            yield from find_texts(body)


RECORDING = {
    *("from_now", "between", "differ", "recent", "characters", "match"),
    *("_moment", "_digest", "_userinfo", "_key", "_groups_endpoint", "_question", "_step_up", "_person", "_inner"),
    *("_decryption", "_assertions", "_signature", "_name_key", "_session_end", "_fresh", "_words"),
}
"""The functions that put what was seen into words."""


def find_texts(node):
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(each.value) if isinstance(each, ast.Constant) else "7" for each in node.values)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from find_texts(child)


MADE_OF_OTHERS = {"7 7", "7, 77", "exp 7", "iat 7", "7 after our question"}
WORDS = sorted(
    {
        text.strip("; ")
        for module in (trace, saml_trace, oidc_trace, workload_token)
        for text in find_words(module)
        if " " in text.strip("; ") and text.strip("; ") not in MADE_OF_OTHERS
    }
)


def test_there_are_words_to_translate():
    assert len(WORDS) > 50


@pytest.mark.parametrize("text", WORDS)
def test_whatever_a_trace_may_say_is_shown_in_chinese(text):
    with speaking("zh-CN"):
        shown = read_recorded(text)
    assert re.search("[\u4e00-\u9fff]", shown), "add it to bridge/identity/recorded_words.py"
    assert not find_english(shown)


def test_several_words_of_one_cell_are_shown_in_their_order():
    with speaking("zh-CN"):
        assert read_recorded("rsa-sha256, certificate ab12; the content is not what was signed") == (
            "rsa-sha256、证书 ab12；内容与签名时不同"
        )


@pytest.mark.parametrize("text", ["", "https://idp.example/a, b; c", "somebody's own words, and more", "RS256"])
def test_what_a_stranger_wrote_stands_as_it_is(text):
    with speaking("zh-CN"):
        assert read_recorded(text) == text


def test_the_lines_of_a_refusal_are_in_the_language_of_their_reader():
    checks = [["question", "pass", "found", "found"], ["browser", "fail", "differs", "matches"]]
    english = explain_checks("saml", checks)
    with speaking("zh-CN"):
        chinese = explain_checks("saml", checks)
    assert [line.measured for line in english[:2]] == ["found", "differs"]
    assert [line.measured for line in chinese[:2]] == ["已找到", "不一致"]
    assert [line.outcome for line in chinese] == [line.outcome for line in english]
    assert not any(find_english(line.title) for line in chinese)
