"""An expression that joins conditions by `&&` comes apart into exactly these, and each means what it meant within."""

import pytest

from bridge.entitlements.expressions import bind_variables, compile_expression
from tests.unit.entitlements.factories import NOW, make_identity

CLAIMS = {"groups": ["platform", "caf\u00e9"], "level": 3, "kind": "internal", "\u90e8\u95e8": "\u8fd0\u7ef4"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("claims.level > 2", ["claims.level > 2"]),
        ("claims.level > 2 && true", ["claims.level > 2", "true"]),
        ("(claims.level > 2 && has(claims.kind)) && true", ["claims.level > 2", "has(claims.kind)", "true"]),
        ("claims.level > 2 && (true && (false && true))", ["claims.level > 2", "true", "false", "true"]),
        ("true || (true && false)", ["true || (true && false)"]),
        ('claims.kind == "a && b" && true', ['claims.kind == "a && b"', "true"]),
        ('claims["\u90e8\u95e8"] == "\u8fd0\u7ef4" && "caf\u00e9" in claims.groups', None),
        ('claims.groups.exists(g, g == "x" && g != "y") && claims.level == 3', None),
        (" && ".join(f"claims.level > {n}" for n in range(40)), [f"claims.level > {n}" for n in range(40)]),
        ("true\n  && // why\n  false", ["true", "// why false"]),
    ],
)
def test_the_parts_are_those_that_were_joined(text, parts):
    expression = compile_expression(text)
    found = expression.split()
    if parts is not None:
        assert [" ".join(part.text.split()) for part in found] == parts
    variables = bind_variables(make_identity(claims=CLAIMS), NOW, None)
    whole = expression.evaluate(variables).holds
    each = [part.evaluate(variables).holds for part in found]
    assert whole == (False if False in each else None if None in each else True)
    assert {path for part in found for path in part.paths} == set(expression.paths)
