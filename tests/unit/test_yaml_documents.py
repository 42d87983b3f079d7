"""YAML without traps: what one sees is what is read, and every fault has a place."""

import time

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from bridge.errors import SettingsError
from bridge.yaml_documents import MAX_BYTES, load_document, read_document


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(default=1, ge=1)
    secret: SecretStr | None = None


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    inner: Inner = Inner()
    items: tuple[Inner, ...] = ()
    secret: SecretStr | None = None


OUTER = TypeAdapter(Outer)


@pytest.fixture
def write(tmp_path):
    def write(text, name="file.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def faults(call):
    with pytest.raises(SettingsError) as caught:
        call()
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("012", "012"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("True", "True"),
        ("NULL", "NULL"),
        ('"true"', "true"),
        ("'12'", "12"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("1.5", 1.5),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, "9" * 19),
        ("张伟", "张伟"),
    ],
)
def test_a_value_is_what_it_looks_like(write, written, value):
    data = read_document(write(f"key: {written}\n")).data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_keys_are_always_text(write):
    assert read_document(write("1: a\ntrue: b\nnull: c\nNO: d\n")).data == {
        "1": "a",
        "true": "b",
        "null": "c",
        "NO": "d",
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", 3, 1, "second time", id="duplicate key"),
        pytest.param("a:\n  b: 1\n  'b': 2\n", 3, 3, "second time", id="duplicate key in other quotes"),
        pytest.param("a: &x 1\n", 1, 4, "anchor", id="anchor"),
        pytest.param("a: &x 1\nb: *x\n", 2, 4, "alias", id="alias"),
        pytest.param("a: {b: 1}\n<<: {c: 2}\n", 2, 1, "merge key", id="merge key"),
        pytest.param("a: !!str 1\n", 1, 4, "tag", id="standard tag"),
        pytest.param("a: !!python/object/apply:os.system [x]\n", 1, 4, "tag", id="python tag"),
        pytest.param("a: 1\n---\na: 2\n", 2, 1, "second document", id="second document"),
        pytest.param("? [a]\n: 1\n", 1, 3, "key must be plain text", id="list as key"),
        pytest.param("a: [1, 2\n", 2, 1, "not YAML", id="unclosed list"),
        pytest.param("a: b: c\n", 1, 5, "not YAML", id="two colons"),
        pytest.param("a:\n\t- b\n", 2, 1, "not YAML", id="tab"),
        pytest.param("a: " + "[" * 30 + "]" * 30, 1, 28, "levels deep", id="deep"),
        pytest.param("[" * 100_000, 1, 1001, "nesting", id="very deep"),
        pytest.param(b"a: 1\nb: \xff\n", 2, 1, "UTF-8", id="other encoding"),
        pytest.param("a: \x01\n", 1, 1, "control character", id="control character"),
    ],
)
def test_a_trap_is_refused_with_its_place(write, text, line, column, word):
    document_faults = faults(lambda: load_document(write(text), TypeAdapter(dict)))
    assert [fault for fault in document_faults if fault[:2] == (line, column) and word in fault[2]], document_faults


def test_the_same_document_without_traps_is_read(write):
    assert load_document(write("a: 1\nb: [x, {c: 2}]\n"), TypeAdapter(dict))[0] == {"a": 1, "b": ["x", {"c": 2}]}


def test_an_alias_bomb_is_refused_at_once(write):
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    start = time.process_time()
    assert faults(lambda: read_document(write("\n".join(lines))))
    assert time.process_time() - start < 0.5


def test_a_file_beyond_the_bound_is_refused(write):
    assert "larger than" in faults(lambda: read_document(write(b"#" * (MAX_BYTES + 1))))[0][2]


def test_a_missing_file_is_a_problem_not_a_crash(tmp_path):
    assert "cannot be read" in faults(lambda: read_document(tmp_path / "absent.yaml"))[0][2]


def test_every_fault_of_a_file_is_reported_with_line_and_column(write):
    path = write("nam: x\ninner:\n  size: 0\nitems:\n  - size: many\n  - sise: 1\nitems: []\n")
    assert faults(lambda: load_document(path, OUTER)) == [
        (7, 1, "`items` stands here a second time; the first is in line 4"),
        (1, 1, "`name` is missing"),
        (3, 9, "`size`: input should be greater than or equal to 1"),
        (5, 11, "`size`: input should be a valid integer, unable to parse string as an integer"),
        (6, 5, "`sise` is not known here"),
        (1, 1, "`nam` is not known here"),
    ]


def test_a_misspelt_key_gets_the_right_one_suggested(write):
    with pytest.raises(SettingsError) as caught:
        load_document(write("name: x\nitems:\n  - sise: 1\n"), OUTER)
    assert caught.value.problems[0].fix == "Did you mean `size`?"


def test_a_number_where_text_belongs_says_to_quote_it(write):
    with pytest.raises(SettingsError) as caught:
        load_document(write("name: 123\n"), OUTER)
    assert (caught.value.problems[0].message, "in quotes" in caught.value.problems[0].fix) == (
        "`name`: text is expected here",
        True,
    )


@pytest.mark.parametrize(
    ("text", "line", "column", "place"),
    [
        ("when: a ==\n", 1, 7 + 5, (1, 6)),
        ('when: "a =="\n', 1, 8 + 5, (1, 6)),
        ("when: |\n  a\n  b\n", 3, 4, (2, 4)),
        ("when: >\n  a\n  b\n", 2, 1, (2, 4)),
    ],
)
def test_a_place_inside_a_text_is_found_in_the_file(write, text, line, column, place):
    positions = read_document(write(text)).positions
    mark = positions.locate_inside(("when",), *place)
    assert (mark.line, mark.column) == (line, column)


def test_a_location_that_is_not_in_the_file_falls_back_to_what_is_around_it(write):
    positions = read_document(write("a:\n  b: 1\n")).positions
    assert positions.locate(("a", "tag-of-a-union", "b")).line == 2
    assert positions.locate(("a", "b", "c", 3)).line == 2
    assert positions.locate(("z",)).line == 1
    assert (positions.locate(("a", "b"), key=True).column, positions.locate(("a", "b")).column) == (3, 6)


def test_a_secret_is_read_from_a_file_relative_to_the_one_that_names_it(write, tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    loaded, _ = load_document(write("name: x\nsecret: file:secret\ninner:\n  secret: file:./secret\n"), OUTER)
    assert loaded.secret.get_secret_value() == loaded.inner.secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(loaded)


def test_a_secret_is_read_from_the_environment(write, monkeypatch):
    monkeypatch.setenv("A_SECRET", "s3cret")
    assert load_document(write("name: x\nsecret: env:A_SECRET\n"), OUTER)[0].secret.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("reference", "word"),
    [
        ("hunter2", "must not stand in this file"),
        ("plain:hunter2", "must not stand in this file"),
        ("env:", "must not stand in this file"),
        ("env:NOT_SET_ANYWHERE", "is not set"),
        ("env:EMPTY", "is not set"),
        ("file:absent", "cannot be read"),
        ("file:.", "cannot be read"),
        ("file:empty", "is empty"),
        ("file:latin", "cannot be read"),
        ("file:nul\\0", "cannot be read"),
        ("file:long", "is larger than"),
    ],
)
def test_a_secret_that_cannot_be_used_is_a_problem_which_does_not_show_it(
    write, tmp_path, monkeypatch, reference, word
):
    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"s\xe9cret")
    (tmp_path / "long").write_bytes(b"x" * 70_000)
    (fault,) = faults(lambda: load_document(write(f'name: x\nsecret: "{reference}"\n'), OUTER))
    assert fault[:2] == (2, 9)
    assert word in fault[2]
    assert "hunter2" not in fault[2]


def test_a_refused_value_does_not_travel_in_the_error(write):
    with pytest.raises(SettingsError) as caught:
        load_document(write("name: x\nsecret: [hunter2]\n"), OUTER)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_two_thousand_lines_are_read_fast(write):
    path = write("items:\n" + "  - size: 1\n" * 2000)
    start = time.process_time()
    load_document(path, TypeAdapter(dict))
    assert time.process_time() - start < 1.0
