"""The difference is the one that everybody knows from Git, and costs little however long the files are."""

import difflib
import random
import subprocess
import time
from pathlib import Path

import pytest

from bridge.entitlements.rules import RuleFiles
from bridge.rollout.difference import compare_files


def files(**texts):
    return RuleFiles(Path("rules"), {name.replace("_", "."): text.encode() for name, text in texts.items()})


@pytest.mark.parametrize("seed", range(40))
def test_applied_to_the_first_version_it_gives_the_second(tmp_path, seed):
    chance = random.Random(seed)
    before = [f"line {chance.randrange(30)}" for _ in range(chance.randrange(60))]
    after = list(before)
    for _ in range(chance.randrange(1, 8)):
        place = chance.randrange(len(after) + 1)
        after[place : place + chance.randrange(3)] = [f"new {chance.randrange(9)}"] * chance.randrange(3)
    difference = compare_files(
        files(a_yaml="".join(f"{line}\n" for line in before)), files(a_yaml="".join(f"{line}\n" for line in after))
    )
    assert difference.added - difference.removed == len(after) - len(before)
    if not difference.lines:
        assert before == after
        return
    (tmp_path / "a.yaml").write_text("".join(f"{line}\n" for line in before))
    patch = "".join(f"{line}\n" for line in difference.lines)
    subprocess.run(["patch", "-s", "-p1"], input=patch, text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "a.yaml").read_text().splitlines() == after


def test_it_is_what_the_standard_library_writes():
    before, after = (
        [f"line {number}" for number in range(50)],
        [f"line {number}" for number in range(50) if number != 20],
    )
    after[40] = "other"
    expected = [line.rstrip("\n") for line in difflib.unified_diff(before, after, "a/a.yaml", "b/a.yaml", lineterm="")]
    found = compare_files(files(a_yaml="\n".join(before) + "\n"), files(a_yaml="\n".join(after) + "\n"))
    assert list(found.lines) == expected


def test_new_and_removed_files_are_named_as_such():
    difference = compare_files(files(a_yaml="one\n"), files(b_yaml="two\n"))
    assert difference.lines == (
        "--- a/a.yaml",
        "+++ /dev/null",
        "@@ -1,1 +0,0 @@",
        "-one",
        "--- /dev/null",
        "+++ b/b.yaml",
        "@@ -0,0 +1,1 @@",
        "+two",
    )
    assert (difference.added, difference.removed) == (1, 1)


def test_lines_that_look_like_a_head_are_counted():
    difference = compare_files(files(a_yaml="-- x\n"), files(a_yaml="++ x\n"))
    assert (difference.added, difference.removed) == (1, 1)


def test_a_lost_line_end_is_seen():
    assert compare_files(files(a_yaml="x\n"), files(a_yaml="x")).lines[-1] == "+x (no line end)"


def test_what_is_kept_of_it_is_bounded_and_says_so():
    difference = compare_files(None, files(a_yaml="x\n" * 1000))
    kept = difference.bound(100)
    assert sum(map(len, kept[:-1])) <= 100
    assert kept[-1] == f"… {len(difference.lines) - len(kept) + 1} more lines"


def test_two_hundred_thousand_lines_that_are_all_others_take_no_long():
    one, other = ("".join(f"{word} {number}\n" for number in range(200_000)) for word in ("old", "new"))
    began = time.process_time()
    compare_files(files(a_yaml=one), files(a_yaml=other))
    assert time.process_time() - began < 5
