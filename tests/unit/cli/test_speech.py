"""The command speaks the language of its terminal: what click says, what we say; and not what programs read."""

import io
import json
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from bridge.cli.columns import fill, width
from bridge.cli.main import PEOPLE, SERVICE, main
from bridge.cli.roles import _pick, draw_table
from bridge.cli.speech import find_language
from bridge.client.remembered import Remembered
from bridge.client.roles import Role
from bridge.language import LANGUAGES, speaking

CHINESE = re.compile("[\u4e00-\u9fff]")
TO_TYPE = re.compile(r"`[^`]+`|rambridge [a-z ]+")
ENGLISH_SENTENCE = re.compile(r"(?<![\w-])[A-Za-z']{2,} [a-z']{2,} [a-z']{2,}")
IN_CHINESE = {"LANG": "zh_CN.UTF-8"}


@pytest.fixture(autouse=True)
def terminal(monkeypatch, tmp_path):
    for name in ("RAMBRIDGE_LANGUAGE", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "RAMBRIDGE_SERVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def run(*words, charset="utf-8", **environment):
    return CliRunner(charset=charset).invoke(main, list(words), env=environment, prog_name="rambridge")


def find_english(text):
    return ENGLISH_SENTENCE.findall(TO_TYPE.sub("", text))


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "zh_TW.UTF-8"}, "zh-CN"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"}, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "POSIX"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh-CN"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "LANGUAGE": "de:en_GB"}, "en"),
        ({"LANG": "C", "LANGUAGE": "zh_CN"}, "en"),  # as gettext has it
        ({"LANG": "zh_CN.UTF-8", "RAMBRIDGE_LANGUAGE": "en"}, "en"),
        ({"LC_ALL": "C", "RAMBRIDGE_LANGUAGE": "zh-CN"}, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "RAMBRIDGE_LANGUAGE": "klingon"}, "en"),
    ],
)
def test_the_environment_says_which_language(environment, language, monkeypatch):
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert find_language(environment) == language


@pytest.mark.parametrize(
    ("charset", "is_chinese"), [("utf-8", True), ("gb18030", True), ("gbk", True), ("latin-1", False)]
)
def test_a_terminal_that_cannot_show_chinese_reads_english(charset, is_chinese):
    done = run("--help", charset=charset, **IN_CHINESE)
    assert done.exit_code == 0
    assert ("显示此帮助" in done.output) == is_chinese
    assert ("Show this message" in done.output) != is_chinese


def test_an_ascii_terminal_reads_english():
    """As a process: click writes UTF-8 where it believes that ASCII is a mistake."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "whoami", "--help"],
        env={"PYTHONIOENCODING": "ascii", **IN_CHINESE},
        capture_output=True,
        check=True,
    )
    assert done.stdout.isascii()


@pytest.mark.parametrize("name", ["", *PEOPLE])
def test_the_help_of_each_command_is_in_chinese(name):
    done = run(*filter(None, [name]), "--help", **IN_CHINESE)
    assert done.exit_code == 0
    with_people, _, _ = done.output.partition("\n运行服务")
    assert find_english(with_people) == []
    assert done.output.startswith(f"用法：rambridge {name}")
    assert max(map(width, with_people.splitlines())) <= 80
    command = main.commands[name] if name else main
    with speaking("zh-CN"):
        texts = [param.help for param in command.params if isinstance(param, click.Option)]
        texts += [part for part in command.help.split("\n\n") if not part.startswith("\b")]
    assert [text for text in texts if not CHINESE.search(text)] == []


@pytest.mark.parametrize("name", ["", *PEOPLE])
def test_the_help_of_each_command_is_in_english_elsewhere(name):
    done = run(*filter(None, [name]), "--help", LANG="en_US.UTF-8")
    assert not CHINESE.search(done.output)
    assert done.output.startswith(f"Usage: rambridge {name}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rols"], "错误：没有命令 'rols'。 您是否想输入：'roles', 'rules'？"),
        (["roles", "--jsn"], "错误：没有选项 '--jsn'。 您是否想输入：'--json'？"),
        (["--no-such"], "错误：没有选项 '--no-such'。"),
        (["whoami", "more"], "错误：多余的参数（more）"),
        (["whoami", "more", "yet"], "错误：多余的参数（more yet）"),
        (["whoami", "--server"], "错误：选项 '--server' 需要一个值。"),
        (["whoami", "--json=1"], "错误：选项 '--json' 不接受值。"),
        (["exec"], "错误：缺少参数 '-- CMD [ARG]...'。"),
        (["completion"], "错误：缺少参数 '{bash|fish|zsh}'。可选值：\n\tbash,\n\tfish,\n\tzsh"),
        (["completion", "ksh"], "错误：'{bash|fish|zsh}' 的值无效：'ksh' 不在可选值之中：'bash', 'fish', 'zsh'。"),
        (
            ["credentials", "--format", "x"],
            "错误：'--format' 的值无效：'x' 不在可选值之中：'env', 'external', 'json'。",
        ),
        (["agent", "--port", "x"], "错误：'--port' 的值无效：'x' 不是有效的端口。"),
        (["agent", "--port", "70000"], "错误：'--port' 的值无效：70000 超出范围 0<=x<=65535。"),
        (
            ["configure", "--all", "--default"],
            "错误：--all 用于全部角色，不能与 --account、--role、--profile 或 --default 同时使用。",
        ),
    ],
)
def test_what_click_says_of_a_command_line_is_in_chinese(words, said):
    done = run(*words, **IN_CHINESE)
    assert done.exit_code == 2
    assert done.stderr.endswith(f"{said}\n")
    assert find_english(done.stderr) == []
    assert not CHINESE.search(run(*words, LANG="en_US.UTF-8").stderr)


def test_a_file_that_is_a_folder_is_called_so(tmp_path):
    """As a process: click names the kind of path when the command is imported."""
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "configure", "--file", tmp_path],
        env=IN_CHINESE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.endswith(f"错误：'--file' 的值无效：'{tmp_path}' 是目录，不是文件。\n")


@pytest.mark.parametrize("name", ["check", "keys"])
def test_who_runs_the_service_reads_english(name):
    assert name in SERVICE
    done = run(name, "--help", **IN_CHINESE)
    assert not CHINESE.search(done.output)
    assert not CHINESE.search(run(name, "--no-such", **IN_CHINESE).output)
    assert not CHINESE.search(run("--config", "/no/such/folder", "check", **IN_CHINESE).output)


def test_what_programs_read_is_the_same_in_each_language():
    for words in (["--version"], ["completion", "bash"]):
        assert run(*words, **IN_CHINESE).output == run(*words).output
    told = json.loads(run("whoami", "--json", **IN_CHINESE).stderr)
    assert CHINESE.search(told.pop("message"))
    english = json.loads(run("whoami", "--json").stderr)
    assert told == {name: value for name, value in english.items() if name != "message"}


def test_the_catalogue_is_read_only_where_it_is_spoken():
    program = (
        "import sys; opened = []\n"
        "sys.addaudithook(lambda event, given: event == 'open' and opened.append(str(given[0])))\n"
        "from bridge.cli.main import main; main(['whoami', '--help'], standalone_mode=False); "
        "sys.exit(sum(name.endswith('.mo') for name in opened))"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", program], env={"LANG": language}, capture_output=True, check=False
        ).returncode
        for language in ("en_US.UTF-8", "zh_CN.UTF-8")
    ]
    assert done == [0, 1]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["None has 'zzz' in it.", "Number, or part of account or role"]),
        ("zh-CN", ["没有与 “zzz” 匹配的角色。", "请输入序号，或账号、角色的一部分"]),
    ],
)
def test_a_role_is_picked_from_a_list_by_parts_of_its_name_or_its_number(language, said):
    offered = [role("Acme Production", name, "") for name in ("ReadOnly", "PlatformAdmin", "Billing")]
    with speaking(language), CliRunner().isolation(input="zzz\no\n2\n") as (_, shown, _):
        picked = _pick(offered, "", ask=True)
        text = shown.getvalue().decode()
    assert picked.name == "PlatformAdmin"
    assert [sentence for sentence in said if sentence not in text] == []


def test_enter_keeps_the_role_that_is_chosen_and_takes_the_best_for_what_was_typed():
    offered = [role("Acme Production", name, "") for name in ("Billing", "ReadBilling", "ReadOnly")]
    Remembered(account="1000000000000001", role="ReadOnly").write()
    for typed, name in (("\n", "ReadOnly"), ("read\n\n", "ReadBilling")):
        with CliRunner().isolation(input=typed):
            assert _pick(offered, "", ask=True).name == name


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────


def role(account, name, purpose):
    return Role("id", account, "1000000000000001", account, name, name, purpose, 5400, True, True)  # noqa: FBT003


ROLES = [role("Acme Production", "ReadOnly", "Look at everything."), role("上海财务", "账单Admin", "查看发票和账单")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("numbered", [False, True])
def test_columns_stand_below_one_another(language, numbered):
    with speaking(language):
        chosen = Remembered(account="1000000000000001", role="ReadOnly")
        lines = click.unstyle(draw_table(ROLES, chosen, None, numbered=numbered)).splitlines()
    begins = [
        [width(line[: match.start()]) for match in re.finditer(r"(?<=  )\S(?!\*)", line)][
            -5:
        ]  # a cell after two blanks
        for line in lines
    ]
    assert begins[0] == begins[1] == begins[2]
    assert len(begins[0]) == 5


@pytest.mark.parametrize("columns", [78, 80, 120])
def test_a_table_fits_a_terminal(columns):
    table = click.unstyle(draw_table([role("A", "R", "用途很长" * 20), *ROLES], Remembered(), columns))
    assert max(map(width, table.splitlines())) <= columns
    assert "用途很长" * 20 in re.sub(r"\n +", "", table)
    assert table.endswith("查看发票和账单")


@pytest.mark.parametrize("columns", range(8, 40, 3))
def test_lines_are_filled_and_nothing_is_lost(columns):
    text = (
        "凭证只存在于该程序的环境变量中（以及内存）。如需更新，请运行 `rambridge agent`，或 English words [默认值：x]。"
    )
    lines = fill(text, columns).split("\n")
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert not [line for line in lines if line[0] in "，。）、" or line.endswith("（")]
    longest = max(width("`rambridge agent`，"), columns)
    assert max(map(width, lines)) <= longest
    assert any("`rambridge agent`" in line for line in lines)
