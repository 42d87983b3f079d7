"""The table of kinds, its copy in config/README.md, and what the code hands out are the same."""

import re
from pathlib import Path

from bridge.settings import FINDING_KINDS

ROOT = Path(__file__).parents[3]


def test_the_document_has_the_same_table():
    text = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    table = text.partition("| Kind | What |\n|---|---|\n")[2].partition("\n\n")[0]
    assert dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", table, re.MULTILINE)) == FINDING_KINDS


def test_every_kind_that_the_code_hands_out_is_in_the_table():
    given = {
        kind
        for path in (ROOT / "bridge").rglob("*.py")
        for kind in re.findall(r'kind="([a-z]+-[a-z-]+|insecure|secret|duplicate)"', path.read_text(encoding="utf-8"))
    }
    assert len(given) > 5
    assert given <= set(FINDING_KINDS)


def test_a_kind_reads_as_a_sentence():
    assert all(re.fullmatch(r"[A-Z].*\.", sentence) for sentence in FINDING_KINDS.values())
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", kind) for kind in FINDING_KINDS)
