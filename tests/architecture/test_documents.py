"""The documents and the code say the same, and no file of the project tells what it must not.

Every check looks from the code to the document, and back where that is possible: a code, setting, command or number
that only one of them knows is a failure.
"""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import get_args

import click
import pytest
from pydantic import BaseModel

from bridge.cli.main import main
from bridge.entitlements.rule_tests import RuleTestFile
from bridge.entitlements.rules import RuleFile
from bridge.errors import walk_leaves
from bridge.exchange.accounts import Account
from bridge.identity.providers import Provider
from bridge.sessions.cookie import BROWSER_COOKIE, SESSION_COOKIE
from bridge.settings import Settings
from bridge.sts_wire.reply import FAULTS
from bridge.web.errors import find_status
from tests.requirements import skip_or_fail

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "This service": Settings,
    "Providers": Provider,
    "Accounts": Account,
    "Rules": RuleFile,
    "Tests for mappings": RuleTestFile,
}
"""What each section of config/README.md documents."""
FAMILIES = "SAML|OIDC|WEB|REDIS|MAP|AUD|STS|OUT"


@cache
def tracked():
    """Return every file that a clone has, or will have with the next commit, by its path from the root."""
    try:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        skip_or_fail("needs a git clone, to know which files belong to the project: apt-get install git")
    return [path for path in listed.decode().split("\0") if path and (ROOT / path).is_file()]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def documents():
    return [path for path in tracked() if path.endswith(".md")]


def manuals():
    """Return the documents that tell somebody what to type."""
    return [path for path in documents() if not path.startswith(("tests/", "CHANGELOG"))]


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


def code_lines(text):
    """Yield every line of a code block, and every piece of code within a line."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        yield from block.splitlines()
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (piece.replace("\\|", "|") for piece in re.findall(r"`([^`\n]+)`", outside))


def rows(text):
    """Yield the cells of every table row, headings included."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


# ── docs/errors.md ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_code_is_documented_with_its_status():
    documented = [(cells[0].strip("`"), cells[1]) for cells in rows(read("docs/errors.md")) if cells[0].startswith("`")]
    codes = {vars(leaf)["code"]: str(find_status(leaf)) for leaf in walk_leaves()}
    assert len(documented) == len(dict(documented)), "a code is documented twice"
    assert dict(documented) == codes


def test_every_code_has_a_meaning_and_an_advice():
    for cells in rows(read("docs/errors.md")):
        if cells[0].startswith("`"):
            _, _, meaning, advice = cells
            assert meaning.endswith("."), cells[0]
            assert advice.endswith("."), cells[0]


# ── docs/threats.md ──────────────────────────────────────────────────────────────────────────────────────────


def catalogue():
    text, _, _ = read("docs/threats.md").partition("\n## Not built yet")
    return {cells[0]: cells for cells in rows(text) if re.fullmatch(rf"(?:{FAMILIES})-\d\d", cells[0])}


@cache
def named_threats():
    """Return the numbers that the tests and the hostile corpus name, in a text, a comment or the name of a test."""
    named = set()
    for path in tracked():
        if path.startswith(("tests/", "bridge/attack/")) and path.endswith(".py") and ROOT / path != Path(__file__):
            text = read(path)
            named.update(re.findall(rf"\b(?:{FAMILIES})-\d\d\b", text))
            in_names = re.findall(rf"_t_({FAMILIES.lower()})_(\d\d)_", text)
            named.update(f"{family.upper()}-{number}" for family, number in in_names)
    return named


def test_every_threat_that_a_test_names_is_in_the_catalogue():
    assert named_threats() - catalogue().keys() == set()


def test_every_threat_names_its_codes_its_module_and_its_tests():
    codes = {vars(leaf)["code"] for leaf in walk_leaves()}
    for number, (_, sends, answer, module, tests) in catalogue().items():
        assert sends.endswith("."), number
        for code in re.findall(r"`([A-Za-z_.]+)`", answer):
            known = code in codes or code in FAULTS or code.startswith(("InvalidParameter.", "Missing"))
            assert known, f"{number} names the code {code}, which does not exist"
        assert re.search(r"\]\(\.\./bridge/", module), f"{number} links no module"
        if tests == "none yet":
            assert number not in named_threats(), f"{number} has a test, which the catalogue does not link"
        else:
            assert re.search(r"\]\(\.\./(?:tests|bridge/attack)/", tests), f"{number} links no test"


def test_a_threat_is_either_covered_or_not_built_or_says_what_is_missing():
    _, _, missing = read("docs/threats.md").partition("\n## Not built yet")
    for cells in rows(missing):
        if cells[0] in catalogue():
            assert "partly" in cells[1], f"{cells[0]} stands in both tables without saying what is there"


# ── docs/lessons.md ──────────────────────────────────────────────────────────────────────────────────────────


def test_every_lesson_is_held_by_tests_that_exist():
    lessons = [cells for cells in rows(read("docs/lessons.md")) if cells[0].isdecimal()]
    assert [int(cells[0]) for cells in lessons] == list(range(1, 22))
    for number, *_, held_by in lessons:
        links = re.findall(r"\[`(test_[a-z0-9_]+)`\]\(\.\./(tests/[^)]+)\)", held_by)
        assert links, f"lesson {number} is held by nothing"
        for name, path in links:
            assert f"\ndef {name}(" in read(path), f"lesson {number}: {path} has no {name}"


# ── docs/architecture.md ─────────────────────────────────────────────────────────────────────────────────────


def test_everything_that_is_stored_is_documented():
    text = read("docs/architecture.md")
    purposes = {
        purpose
        for path in (ROOT / "bridge").rglob("*.py")
        for purpose in re.findall(r'build_key\("([a-z-]+)"', path.read_text(encoding="utf-8"))
    }
    assert purposes
    names = [f"`rambridge:{purpose}:" for purpose in purposes] + [f"`{SESSION_COOKIE}`", f"`{BROWSER_COOKIE}`"]
    assert [name for name in names if name not in text] == []


# ── config/README.md ─────────────────────────────────────────────────────────────────────────────────────────


def find_settings(annotation):
    """Yield the name of every setting in a model and in the models within it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield field.alias or name
            yield from find_settings(field.annotation)
    for argument in get_args(annotation):
        yield from find_settings(argument)


def section(heading):
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", read("config/README.md"), flags=re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("heading", SETTINGS)
def test_every_setting_is_documented(heading):
    words = set(re.findall(r"[a-z_]+", " ".join(code_lines(section(heading)))))
    assert sorted(set(find_settings(SETTINGS[heading])) - words) == [], f"not in config/README.md, section {heading}"


def documented_settings(heading):
    """Yield what stands in the first column of the tables of settings."""
    for table in section(heading).split("\n\n"):
        if table.startswith("| Setting |"):
            for cells in rows(table):
                yield from (name.rpartition(".")[2] for name in re.findall(r"`([a-z_.]+)`", cells[0]))


@pytest.mark.parametrize("heading", SETTINGS)
def test_every_documented_setting_exists(heading):
    assert set(documented_settings(heading)) - set(find_settings(SETTINGS[heading])) == set()


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────────────


def commands():
    """Yield every ``rambridge …`` that somebody is told to type, with the document that says so."""
    for path in manuals():
        for line in code_lines(read(path)):
            found = re.match(r"(?:\$ )?(?:sudo (?:-u \S+ )?)?(?:[\w./-]*/)?rambridge ([^#;&|<>\\]*)", line.strip())
            if found:
                yield path, found[1].split()


def find_fault(words):
    """Return what is wrong with the words after ``rambridge``, or None."""
    command = main
    words = list(words)
    while words:
        word = words.pop(0).partition("=")[0]
        if word == "--":  # what follows is for another program
            return None
        if word.startswith("-"):
            options = [parameter for parameter in command.params if word in parameter.opts]
            if not options and word not in {"-h", "--help"}:
                return f"{command.name} has no option {word}"
            if options and not options[0].is_flag:
                del words[:1]
        elif isinstance(command, click.Group):
            if word not in command.commands:
                return f"{command.name} has no command {word}"
            command = command.commands[word]
        elif not any(isinstance(parameter, click.Argument) for parameter in command.params):
            return f"{command.name} takes no argument {word}"
    return None


def test_every_command_and_option_that_a_document_names_exists():
    named = list(commands())
    assert len(named) >= 10, "the documents are not read any more"
    faults = [f"{path}: rambridge {' '.join(words)}: {fault}" for path, words in named if (fault := find_fault(words))]
    assert faults == []


@pytest.mark.parametrize("words", ["chekc", "check --loud", "audit tial", "keys rotate --now", "check now"])
def test_a_command_that_does_not_exist_is_noticed(words):
    assert find_fault(words.split())


def test_every_make_target_that_a_document_names_exists():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    named = {
        found[1]
        for path in manuals()
        for line in code_lines(read(path))
        if (found := re.match(r"(?:\$ )?make ([a-z]+)", line.strip()))
    }
    assert named - targets == set()


# ── links ────────────────────────────────────────────────────────────────────────────────────────────────────


def anchors(path):
    """Return what can stand behind a ``#`` for the headings of a document, as the usual readers make it."""
    headings = re.findall(r"^#+ (.*)$", read(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def find_broken_links(path, files, folders):
    for target in re.findall(r"\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"", without_code(read(path))):
        place, _, anchor = "".join(target).partition("#")
        if re.match(r"[a-z]+:", place):
            continue
        full = (ROOT / path).parent.joinpath(place).resolve() if place else ROOT / path
        found = str(full.relative_to(ROOT)) if full.is_relative_to(ROOT) else place
        if found not in files | folders:
            yield f"{path}: {place} is not part of a clone"
        elif anchor and anchor not in anchors(found):
            yield f"{path}: {place} has no heading #{anchor}"


def test_every_relative_link_leads_somewhere():
    files = set(tracked())
    folders = {str(parent) for file in files for parent in Path(file).parents}
    assert [fault for path in documents() for fault in find_broken_links(path, files, folders)] == []


@pytest.mark.parametrize("index", ["docs/README.md", "docs/decisions/README.md"])
def test_an_index_names_every_document_of_its_folder(index):
    folder = Path(index).parent
    linked = set(re.findall(r"\]\(([^)#\s]+)", read(index)))
    beside = {Path(path).name for path in documents() if Path(path).parent == folder} - {"README.md"}
    assert beside - linked == set()


# ── what no file may hold ────────────────────────────────────────────────────────────────────────────────────

FORBIDDEN = {
    "a private key": "-----BEGIN [A-Z ]*PRIVATE " + "KEY-----",
    "a path outside of the project": r"\.\./" + "shared",
    "a path of one machine": "/" + "work/",
    "a package registry": "|".join(
        re.escape(f"{name}.{domain}")
        for name, domain in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry.npmjs", "org"),
            ("registry.yarnpkg", "com"),
            ("crates", "io"),
            ("rubygems", "org"),
            ("proxy.golang", "org"),
            ("deb.debian", "org"),
        )
    ),
}


@pytest.mark.parametrize("pattern", FORBIDDEN.values(), ids=FORBIDDEN)
def test_no_file_of_the_project_holds(pattern):
    expression = re.compile(pattern.encode())
    assert [path for path in tracked() if expression.search((ROOT / path).read_bytes())] == []
