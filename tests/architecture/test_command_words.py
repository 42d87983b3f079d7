"""What the command says to people goes through the catalogue: no sentence stands in a call that shows one."""

import ast
import re
from pathlib import Path

import pytest

from bridge.cli.main import PEOPLE
from bridge.client import failure
from bridge.client.turns import FailedForAll

ROOT = Path(__file__).parents[2]
SHARED = ("columns", "main", "person", "screen", "told")
FILES = [
    *sorted((ROOT / "bridge" / "client").glob("*.py")),
    *(ROOT / "bridge" / "cli" / f"{name}.py" for name in sorted({m.partition(":")[0] for m in PEOPLE.values()})),
    *(ROOT / "bridge" / "cli" / f"{name}.py" for name in SHARED),
]
ERRORS = {name for name, found in vars(failure).items() if isinstance(found, type) and issubclass(found, Exception)}
SHOWN = ERRORS | {FailedForAll.__name__, "ClickException", "UsageError", "BadParameter", "SignInFailed"}
SHOWN |= {"echo", "secho", "say", "report", "_report", "prompt", "confirm", "_Page", "command", "option", "section"}
WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")


def find_sentences(tree):
    """Return the texts of two or more words in calls that show them, outside of what is translated."""

    def walk(node):
        if isinstance(node, ast.Call) and name_of(node) in {"translate", "translate_number", "mark"}:
            return
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if WORDS.search(text) and not text.startswith("\b"):  # what is to be typed as it is begins so
            yield text
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node) in SHOWN:
            for given in [*node.args, *(word.value for word in node.keywords)]:
                yield from walk(given)


def name_of(call):
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_sentence_for_people_is_translated(path):
    assert list(find_sentences(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "text",
    [
        'raise Refused(f"You have no role {name}", "no_such_role")',
        'click.echo("Not signed in")',
        'screen.say(f"{translate(name)} is not here")',
        '@command("x", "Do it now.")\ndef x(): pass',
        '_Page(404, "Not here", translate("Not here"))',
    ],
)
def test_a_sentence_that_is_not_would_be_found(text):
    assert list(find_sentences(ast.parse(text)))


def test_each_kind_of_failure_is_looked_for():
    assert {"ClientError", "ClockWrong", "NotSaid", "Refused", "SignInFailed", "SignedOut", "Unreachable"} <= SHOWN
