"""A trace says in words what was compared with what, whatever a stranger sent, and never fails itself."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.audit.events import MAX_TEXT
from bridge.identity.checks import explain_checks
from bridge.identity.oidc.trace import OIDCTrace
from bridge.identity.oidc.workload_token import WorkloadTrace
from bridge.identity.saml.trace import SAMLTrace
from bridge.identity.trace import (
    Row,
    Skip,
    Trace,
    between,
    characters,
    from_now,
    match,
    put_into_words,
    recent,
)

IDENTITY = Path(__file__).parents[3] / "bridge" / "identity"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class ThreeChecks(Trace):
    rows = (
        Row("first", "First", lambda _: 1, lambda _: "at most 2"),
        Row("optional", "Only sometimes", lambda _: skip(), lambda _: ""),
        Row("second", "Second", lambda trace: trace.seen, lambda trace: trace.wanted),
        Row("third", "Third", lambda _: "", lambda _: ""),
    )


def skip():
    raise Skip


@pytest.mark.parametrize(("seen", "shown"), [("a", "a"), (None, "none"), (["x", "y"], "x, y")])
def test_what_had_begun_failed_and_everything_before_it_passed(seen, shown):
    trace = ThreeChecks()
    trace.at, trace.seen, trace.wanted = "second", seen, "b"
    assert trace.describe() == (("first", "pass", "1", "at most 2"), ("second", "fail", shown, "b"))


def test_what_cannot_be_explained_is_there_all_the_same():
    trace = ThreeChecks()
    trace.at = "second"
    assert trace.describe()[-1] == ("second", "fail", "", "")
    trace.at = "optional"
    assert trace.describe()[-1] == ("optional", "fail", "", "")
    assert trace.describe_claimed() == ("", "")


def test_before_the_first_check_there_is_nothing_to_describe():
    assert ThreeChecks().describe() == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("plain", "plain"),
        ("", ""),
        (None, "none"),
        (True, "True"),
        (12, "12"),
        ([], "none"),
        (["a", 1], "a list of other things than texts"),
        ({"a": 1}, "an object"),
        (object(), "an object"),
        ("line\r\nbreak", "line\\r\\nbreak"),
        ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        ("\u202eevil\u2028", "\\u202eevil\\u2028"),
        ("аdmin", "\\u0430dmin"),
        ("back\\slash", "back\\\\slash"),
        ("x" * 201, "x" * 200 + "..."),
        ([str(number) for number in range(12)], "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"),
        (10**300, str(10**300)[:200] + "..."),
    ],
)
def test_t_web_12_what_a_stranger_sent_is_visible_ascii_and_short(value, words):
    assert put_into_words(value) == words
    assert put_into_words(value).isascii()
    assert put_into_words(value).isprintable()


def test_moments_are_shown_as_seconds_from_our_clock():
    assert from_now(NOW, NOW) == "0 s ago"
    assert from_now(NOW + timedelta(seconds=90), NOW) == "in 90 s"
    assert from_now(NOW - timedelta(seconds=60.4), NOW) == "60.4 s ago"
    assert from_now(None, NOW) is None
    assert between(NOW, NOW + timedelta(hours=1)) == "3600 s"
    assert recent(timedelta(minutes=10), 60) == "in the last 600 s; clocks may differ by 60 s"


def test_of_a_secret_only_its_length_and_whether_it_matches_is_shown():
    assert (match("a", "a"), match("b", "a"), match(None, "a")) == ("matches", "differs", "none")
    assert (characters("abc"), characters(None), characters(["abc"])) == ("3 characters", None, "no text")


@pytest.mark.parametrize("protocol", ["saml", "oidc"])
def test_every_check_that_the_code_names_has_a_row_and_every_row_is_named(protocol):
    named = set()
    for path in [IDENTITY / "sign_in.py", IDENTITY.parent / "web" / "login.py", *(IDENTITY / protocol).glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign):
                named |= _find_names(node)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_verify":
                named |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    rows = {"saml": [SAMLTrace], "oidc": [OIDCTrace, WorkloadTrace]}
    for kind in rows[protocol]:
        assert len(kind.rows) == len({row.name for row in kind.rows})
    listed = {name: {row.name for kind in kinds for row in kind.rows} for name, kinds in rows.items()}
    assert listed[protocol] <= named
    assert named - listed["saml" if protocol == "oidc" else "oidc"] <= listed[protocol]


def _find_names(node):
    """Return the names that an assignment gives to the ``at`` of a trace."""
    targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    return {
        value.value
        for target, value in zip(targets, values, strict=False)
        if isinstance(target, ast.Attribute) and target.attr == "at" and isinstance(value, ast.Constant) and value.value
    }


def test_what_was_not_reached_follows_in_its_order():
    lines = explain_checks("saml", [["root", "pass", "a", "b"], ["one_assertion", "fail", "2", "one"]])
    assert lines[0].title == "It is a response"
    assert [line.outcome for line in lines[:3]] == ["pass", "fail", "not reached"]
    assert lines[2].name == "signature_places"
    assert lines[-1].name == "step_up"


def test_a_record_of_another_version_stays_readable():
    lines = explain_checks("saml", [["of_old", "fail", "x" * MAX_TEXT, "y"]])
    assert [(line.title, line.outcome) for line in lines] == [("of_old", "fail")]
    assert explain_checks("another", [["a", "fail", "", ""]])[0].title == "a"
    assert explain_checks("oidc", []) == ()
