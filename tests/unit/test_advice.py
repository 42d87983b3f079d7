"""What to do about a code stands in docs/errors.md alone, and is at hand wherever the service runs."""

import tomllib
from pathlib import Path

import pytest

from bridge import advice
from bridge.advice import Advice, find_advice
from bridge.errors import walk_leaves
from bridge.language import speaking
from tests.english import find_english

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("code", sorted({vars(leaf)["code"] for leaf in walk_leaves()}))
def test_every_code_has_its_advice_as_plain_text(code):
    found = find_advice(code)
    assert found.meaning.endswith(".")
    assert found.remedy.endswith(".")
    assert not {"`", "*", "]("} & {*found.meaning, *found.remedy}


def test_of_an_unknown_code_there_is_none():
    assert find_advice("no_such_code") is None


def test_a_package_and_a_container_have_the_document_too():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"docs/errors.md": "bridge/errors.md"}
    assert Path(advice.__file__).with_name("errors.md") in advice._PLACES
    assert "COPY docs/errors.md docs/errors.md" in (ROOT / "deploy" / "Containerfile").read_text().splitlines()


@pytest.mark.parametrize("code", sorted({vars(leaf)["code"] for leaf in walk_leaves()}))
def test_every_code_has_its_advice_in_chinese(code):
    with speaking("zh-CN"):
        found = find_advice(code)
    for text in (*found, found.in_short):
        assert text.endswith("。")
        runs = [run for run in find_english(text) if not run.startswith("rambridge ")]
        assert {*runs} <= {"When the log does not verify", "Single Role Attribute"}


def test_what_a_code_means_in_short_is_its_first_sentence():
    assert Advice("One. Two.", "").in_short == "One."
    assert Advice("一。二。", "").in_short == "一。"
    assert Advice("STS: A.B. C.", "").in_short == "STS: A.B."
