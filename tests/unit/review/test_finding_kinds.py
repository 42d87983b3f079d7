"""The table of kinds, its copy in config/README.md, and what the code hands out are the same."""

import ast
import re
from pathlib import Path

from bridge.settings import FINDING_KINDS

ROOT = Path(__file__).parents[3]


def test_the_document_has_the_same_table():
    text = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    table = text.partition("| Kind | What |\n|---|---|\n")[2].partition("\n\n")[0]
    assert dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", table, re.MULTILINE)) == FINDING_KINDS


def list_kinds(path):
    """Yield each kind that is written out in a call that makes a finding."""
    places = {"Problem": 6, "warn": 3, "problem": None, "report": None}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
        if isinstance(node, ast.Call) and name in places:
            given = [keyword.value for keyword in node.keywords if keyword.arg == "kind"]
            given += node.args[places[name] : places[name] + 1] if places[name] else []
            yield from (each.value for each in given if isinstance(each, ast.Constant))


def test_every_kind_that_the_code_hands_out_is_in_the_table_and_the_reverse():
    given = {kind for path in (ROOT / "bridge").rglob("*.py") for kind in list_kinds(path)}
    composed = {"unknown-provider", "unknown-account", "unknown-rule"}  # of `unknown-` and what it is
    assert given | composed | {"invalid"} == set(FINDING_KINDS)


def test_a_kind_reads_as_a_sentence():
    assert all(re.fullmatch(r"[A-Z].*\.", sentence) for sentence in FINDING_KINDS.values())
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", kind) for kind in FINDING_KINDS)
