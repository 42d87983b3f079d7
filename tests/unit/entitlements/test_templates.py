"""Names taken from claims: what a person's claims hold never becomes more than a plain name."""

import pytest

from bridge.entitlements.expressions import ExpressionInvalid, bind_variables
from bridge.entitlements.templates import MAX_TITLE_CHARACTERS, compile_template, compile_text_template
from tests.unit.entitlements.factories import NOW, make_identity


def expand(text, **claims):
    made, why = compile_template(text).expand(bind_variables(make_identity(claims=claims), NOW, None))
    return made, why.english if why else ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("alice", "alice"),
        ("${ claims.uid }", "lin.wei"),
        ("${claims.uid}", "lin.wei"),
        ("ext-${ claims.uid }", "ext-lin.wei"),
        ("${ claims.uid }_${ claims.team }", "lin.wei_ops"),
        ('${ claims.mail.split("@")[0] }', "lin.wei"),
        ("${ claims.uid.upperAscii() }", "LIN.WEI"),
    ],
)
def test_a_placeholder_is_replaced_by_its_value(text, name):
    assert expand(text, uid="lin.wei", team="ops", mail="lin.wei@acme.example") == (name, "")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x:role/admin", id="another resource"),
        pytest.param("../admin", id="traversal"),
        pytest.param("*", id="wildcard"),
        pytest.param("a?", id="single wildcard"),
        pytest.param("${role}", id="shell placeholder"),
        pytest.param("${ claims.admin }", id="our own placeholder"),
        pytest.param("{account}", id="brace placeholder"),
        pytest.param("a/b", id="slash"),
        pytest.param("a@b", id="at sign"),
        pytest.param("a b", id="blank"),
        pytest.param("alice\n", id="newline at the end"),
        pytest.param("alice,bob", id="comma"),
        pytest.param("аlice", id="Cyrillic a"),
        pytest.param("ａlice", id="full width"),
        pytest.param("٣", id="digits of another script"),
        pytest.param("", id="empty"),
        pytest.param("a" * 65, id="too long"),
        pytest.param(["alice"], id="list"),
        pytest.param(7, id="number"),
        pytest.param(None, id="null"),
    ],
)
def test_t_map_03_a_value_that_is_no_plain_name_gives_no_name(value):
    name, reason = expand("${ claims.uid }", uid=value, admin="root")
    assert name is None
    assert "claims.uid" in reason


def test_t_map_03_the_whole_name_is_bounded_too():
    assert expand("${ claims.a }${ claims.a }", a="x" * 32)[0] == "x" * 64
    assert expand("${ claims.a }${ claims.a }", a="x" * 33)[0] is None


def test_t_map_03_an_empty_value_does_not_leave_a_name_that_others_share():
    assert expand("ext-${ claims.uid }", uid="a")[0] == "ext-a"
    assert expand("ext-${ claims.uid }", uid="")[0] is None


def test_an_absent_claim_gives_no_name():
    assert expand("ext-${ claims.uid }")[0] is None


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a b", 1),
        ("a/${ claims.uid }", 1),
        ("${ claims.uid }:x", 16),
        ("${ claims.uid", 1),
        ("${ claims. }", 12),
        ("ext-${ nothing }", 8),
        ("${ 1 }", 3),
        ("${ ${ claims.uid } }", 1),
    ],
)
def test_a_template_that_cannot_give_a_name_is_refused_when_it_is_loaded(text, column):
    with pytest.raises(ExpressionInvalid) as caught:
        compile_template(text)
    assert caught.value.column == column


# ── Texts for people ─────────────────────────────────────────────────────────────────────────────────────────


def write(text, **claims):
    template = compile_text_template(text, MAX_TITLE_CHARACTERS)
    made, why = template.expand(bind_variables(make_identity(claims=claims), NOW, None))
    return made, why.english if why else ""


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Read only", "Read only"),
        ("Team ${ claims.team }", "Team Größe & <b> $1"),
        ("${ claims.team }: ${ claims.city }", "Größe & <b> $1: 上海"),
        ("100 $ {sic}", "100 $ {sic}"),
    ],
)
def test_a_text_may_hold_any_letters(text, written):
    assert write(text, team="Größe & <b> $1", city="上海") == (written, "")


@pytest.mark.parametrize(
    ("value", "word"),
    [
        pytest.param("a\nb", "left out", id="newline"),
        pytest.param("a\x00", "left out", id="NUL"),
        pytest.param("\u202eevil", "", id="bidirectional override"),
        pytest.param("x" * 81, "longer than 80", id="too long for a card"),
        pytest.param(7, "INT", id="number"),
        pytest.param(["a"], "LIST", id="list"),
        pytest.param(None, "", id="null"),
    ],
)
def test_t_map_03_a_value_that_does_not_fit_a_text_leaves_it_out(value, word):
    text, reason = write("${ claims.team }", team=value)
    assert text == ""
    assert "claims.team" in reason
    assert word in reason


def test_t_map_03_what_an_expression_makes_of_a_value_is_looked_at_too():
    text, reason = write("${ claims.team + '\\n' }", team="web")
    assert (text, "control" in reason) == ("", True)


def test_t_map_03_what_a_claim_puts_into_a_text_is_not_expanded_again():
    assert write("${ claims.team }", team="${ claims.admin }", admin="root")[0] == "${ claims.admin }"


@pytest.mark.parametrize(("text", "column"), [("Team ${ claims.team", 6), ("${ {} }", 1), ("a ${ 1 }", 5)])
def test_a_text_with_a_placeholder_that_is_none_is_refused_when_it_is_loaded(text, column):
    with pytest.raises(ExpressionInvalid) as caught:
        compile_text_template(text, MAX_TITLE_CHARACTERS)
    assert caught.value.column == column
