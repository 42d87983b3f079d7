"""The command for people with roles, in front of the running service: what they type, and what they read."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.attack.scripted_server import wait_until
from tests.installation import run_installation
from tests.person_at_terminal import Person, finish
from tests.ports import reserve_ports

AT_ONCE = int(os.environ.get("RAMBRIDGE_TEST_PROCESSES", "4"))
SANDBOX = "1000000000000002"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("installation")) as (installation, _):
        yield installation


@pytest.fixture(scope="module")
def lin(installation, tmp_path_factory):
    """Return 林薇, signed in by the browser of her machine, who changes nothing."""
    person = Person(installation, tmp_path_factory.mktemp("home"))
    person.signed_in = person.login()
    return person


@pytest.fixture
def person(installation, tmp_path):
    return Person(installation, tmp_path)


def expire_access(person):
    """Let the access token be over, as after 15 minutes."""
    content = json.loads(person.token_file.read_text())
    person.token_file.write_text(json.dumps(content | {"expires_at": 0}))
    return content


# ── signing in ───────────────────────────────────────────────────────────────────────────────────────────────


def test_by_the_browser_of_this_machine(lin):
    assert lin.signed_in.returncode == 0
    assert lin.signed_in.stdout == ""
    assert lin.normalise(lin.signed_in.stderr) == (
        "Your browser opens to sign in. If it does not, open this address on this machine:\n"
        "\n"
        "  https://access.example.com/oauth/authorize?…\n"
        "\n"
        "Without a browser here: Ctrl-C, then rambridge login --device\n"
        "\n"
        "Signed in as 林薇 at https://access.example.com, until 17:00.\n"
        "You have 4 roles. Next: rambridge use\n"
    )
    assert "go back to the terminal" in lin.browser.page.text()
    assert lin.token_file.stat().st_mode & 0o777 == 0o600


BY_ANOTHER_MACHINE = """\
Sign in to go on. Open this address in any browser, on a phone too:

  https://access.example.com/device?…

Allow it only if the page shows the same code:  BCDF-GHJK
(By hand: https://access.example.com/device)

Signed in as 林薇 at https://access.example.com, until 17:00.
You have 4 roles. Next: rambridge use
"""
BY_ANOTHER_MACHINE_IN_CHINESE = """\
请先登录。在任意浏览器（包括手机）中打开以下地址：

  https://access.example.com/device?…

仅当页面显示相同的验证码时才允许：  BCDF-GHJK
（手动输入验证码：https://access.example.com/device）

林薇 已登录 https://access.example.com，有效期至 17:00。
您有 4 个角色。下一步：rambridge use
"""


@pytest.mark.parametrize(
    ("how", "language", "said"),
    [
        ("asked for", "C.UTF-8", BY_ANOTHER_MACHINE),
        ("over SSH", "zh_CN.UTF-8", BY_ANOTHER_MACHINE_IN_CHINESE),
    ],
)
def test_by_the_browser_of_another_machine(installation, tmp_path, how, language, said):
    person = Person(installation, tmp_path, has_browser=how == "asked for")
    person.environment["LANG"] = language
    words = ["--device"] if how == "asked for" else []
    process = person.start("login", "--server", installation.bridge, *words, SSH_CONNECTION="192.0.2.1 1 192.0.2.2 22")
    shown = ""
    while not re.search(r"[:：]  \S+\n", shown):
        line = process.stderr.readline()
        assert line, shown
        shown += line
    shown += process.stderr.readline() + process.stderr.readline()
    address, code = re.search(r"\n  (http\S+)\n", shown)[1], re.search(r"[:：]  (\S+)\n", shown)[1]
    assert code in person.browser.open(address).text()
    person.browser.submit("/device/allow")
    done = finish(process)
    assert done.returncode == 0, done.stderr
    assert person.normalise(shown + done.stderr).replace(code, "BCDF-GHJK") == said
    assert person.opened.read_text() == ""


def test_whoever_refuses_in_the_browser_is_not_asked_again(installation, person):
    process = person.start("login", "--server", installation.bridge)
    person.browser.open(person.wait_for_window(process))
    person.browser.submit("This is not mine")
    done = finish(process)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (8, "This was refused in the browser.")
    assert "Nothing was allowed" in person.browser.page.text()
    assert list(person.state.glob("token-*")) == []


def test_without_a_service_the_command_says_what_to_type(person):
    text, code = person.transcript("roles")
    assert code == 2
    assert text == (
        "$ rambridge roles\n"
        "Which service? Say it once: rambridge login --server https://access.example.com (your company's address)\n"
    )


# ── staying signed in, and not ───────────────────────────────────────────────────────────────────────────────


def test_an_access_token_that_is_over_is_renewed_without_a_word(installation, person):
    person.login()
    before = expire_access(person)
    done = person.run("whoami")
    assert (done.returncode, done.stderr) == (0, "You have 4 roles. Next: rambridge use\n")
    after = json.loads(person.token_file.read_text())
    assert after["refresh"] != before["refresh"]
    assert after["expires_at"] > 0


def test_processes_at_once_renew_once(installation, person):
    """A second use of one refresh token would end the terminal's sign-in."""
    person.login()
    expire_access(person)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda _: person.run("whoami", "--json"), range(AT_ONCE)))
    assert [one.returncode for one in done] == [0] * AT_ONCE
    expire_access(person)
    assert person.run("whoami").returncode == 0


def test_processes_at_once_open_one_window(installation, person):
    environment = {"RAMBRIDGE_SERVER": installation.bridge}
    words = ("credentials", "--sign-in", "--account", SANDBOX, "--role", "Developer")
    started = [person.start(*words, **environment) for _ in range(AT_ONCE)]
    person.allow(person.wait_for_window(started[0]))
    done = [finish(process) for process in started]
    assert [one.returncode for one in done] == [0] * AT_ONCE, done
    assert all(json.loads(one.stdout)["mode"] == "StsToken" for one in done)
    assert len(person.opened.read_text().splitlines()) == 1


def test_a_sign_in_that_has_ended_asks_for_another(installation, person):
    """Whatever ended it: the refresh token is not known any more."""
    person.login()
    content = expire_access(person)
    person.token_file.write_text(json.dumps(content | {"expires_at": 0, "refresh": content["refresh"][::-1]}))
    text, code = person.transcript("whoami")
    assert code == 3
    assert text == "$ rambridge whoami\nYou are signed out here. Sign in again: rambridge login.\n"
    assert list(person.state.glob("token-*")) == []


def test_a_sign_out_in_the_browser_ends_the_terminals(installation, tmp_path):
    person = Person(installation, tmp_path, uid="zhang.min")
    person.login()
    person.browser.open(f"{installation.bridge}/?choose=1")
    person.browser.submit("/sign-out")
    text, code = person.transcript("credentials")
    assert code == 3
    assert text == "$ rambridge credentials\nYou are signed out here. Sign in again: rambridge login.\n"


def test_signing_out_here_ends_it_there(installation, person):
    person.login()
    kept = person.token_file.read_text()
    assert person.transcript("logout") == (
        "$ rambridge logout\nSigned out of https://access.example.com. Again: rambridge login\n",
        0,
    )
    assert person.transcript("logout") == (
        "$ rambridge logout\nThis terminal was not signed in at https://access.example.com.\n",
        0,
    )
    [turn] = person.state.glob("turn-*.lock")
    token_file = person.state / turn.name.replace("turn-", "token-").replace(".lock", ".json")
    token_file.write_text(kept)  # a copy that somebody made
    token_file.chmod(0o600)
    assert person.run("whoami").returncode == 3


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────


def test_offline(lin):
    [port] = reserve_ports(1)
    content = lin.token_file.read_text()
    text, code = lin.transcript("login", "--server", f"http://localhost:{port}")
    assert code == 5
    assert text.replace(str(port), "8080").endswith(
        "localhost:8080 cannot be reached: Connection refused. Are you online, and in the right network or VPN?\n"
    )
    assert lin.token_file.read_text() == content


def test_another_server_than_a_bridge(installation, lin):
    text, code = lin.transcript("login", "--server", installation.idp)
    assert code == 6
    assert "is no Rambridge" in text
    assert lin.run("whoami").returncode == 0  # the service of before is still the one


def test_a_role_that_one_does_not_have(lin):
    text, code = lin.transcript("credentials", "--account", SANDBOX, "--role", "Root")
    assert code == 4
    assert text == (
        f"$ rambridge credentials --account {SANDBOX} --role Root\n"
        f"You have no role Root in {SANDBOX}. Yours:\n"
        "  lin.wei in Acme Production (1000000000000001)\n"
        "  PlatformAdmin in Acme Production (1000000000000001)\n"
        "  ReadOnly in Acme Production (1000000000000001)\n"
        "  Developer in Acme Sandbox (1000000000000002)\n"
    )
    done = lin.run("credentials", "--role", "Root", "--json")
    assert (done.returncode, done.stdout) == (4, "")
    told = json.loads(done.stderr)
    assert (told["error"], told["code"], told["exit_code"]) == ("refused", "no_such_role", 4)


# ── working ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_roles_are_a_table_that_words_narrow(lin):
    done = lin.run("roles", "prod", "look")
    assert done.stdout == (
        "  ACCOUNT          NUMBER            ROLE      LASTS  FOR\n"
        "  Acme Production  1000000000000001  ReadOnly  1 h    Look at everything in production; change nothing.\n"
    )
    assert [role["name"] for role in json.loads(lin.run("roles", "--json", "sandb").stdout)] == ["Developer"]
    assert lin.run("roles", "zzz").stderr == "None of your 4 roles has 'zzz' in it.\n"


def test_a_choice_is_remembered(installation, person):
    person.login()
    done = person.run("exec", "--", "true")
    assert (done.returncode, done.stderr) == (
        2,
        "Which role? Choose one: rambridge use; or say it: --account ID --role NAME\n",
    )
    done = person.run("use", "prod")
    assert done.returncode == 2
    assert "3 of your roles have 'prod' in it" in done.stderr
    assert person.run("use", "sbdev").stderr.startswith("Chosen: Developer in Acme Sandbox (1000000000000002). Next: ")
    done = person.run("exec", "--", "sh", "-c", 'echo "$ALIBABA_CLOUD_ACCESS_KEY_ID $OSS_ACCESS_KEY_ID"; exit 9')
    assert done.returncode == 9
    assert re.fullmatch(r"(STS\.\S+) \1\n", done.stdout)
    assert person.run("exec", "--", "no-such-program").returncode == 127
    assert "* " in person.run("roles").stdout
    assert json.loads(person.run("whoami", "--json").stdout)["chosen"] == {"account": SANDBOX, "role": "Developer"}


def test_shell_lines_set_what_programs_read(lin):
    done = lin.run("env", "--account", SANDBOX, "--role", "Developer")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"(export [A-Z_]+=\S+\n){7}", done.stdout)


def test_the_console_opens_in_the_browser(installation, person):
    person.login()
    done = person.run("console", "--account", SANDBOX, "--role", "Developer")
    assert (done.returncode, done.stdout) == (0, "")
    address = person.opened.read_text().splitlines()[-1]
    assert address.startswith(installation.bridge + "/")
    assert person.run("console", "--print", "--role", "Developer").stdout.startswith(installation.bridge + "/")


def test_the_console_opens_in_a_private_window_or_its_address_is_printed(installation, person, tmp_path):
    person.login()
    (tmp_path / "bin").mkdir()
    role = ("console", "--private", "--account", SANDBOX, "--role", "Developer")
    done = person.run(*role, PATH=str(tmp_path / "bin"))
    assert done.stdout.startswith(f"{installation.bridge}/go/")
    assert "Open this address in one" in done.stderr
    firefox = tmp_path / "bin" / "firefox"
    firefox.write_text(f'#!/bin/sh\necho "$*" > "{tmp_path}/started"\n')
    firefox.chmod(0o700)
    done = person.run(*role, PATH=str(tmp_path / "bin"))
    assert (done.returncode, done.stdout) == (0, "")
    started = tmp_path / "started"
    assert wait_until(lambda: started.exists() and started.read_text().endswith("\n")), "nobody waits for the browser"
    option, address = started.read_text().split()
    assert option == "--private-window"
    assert address.startswith(f"{installation.bridge}/go/")
    firefox.write_text("#!/bin/sh\nexit 1\n")
    done = person.run(*role, PATH=str(tmp_path / "bin"))
    assert done.stdout.startswith(f"{installation.bridge}/go/")
    assert f"To see why, type: {firefox} --private-window" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_the_shell_completes_commands_and_options(lin, shell):
    assert "_RAMBRIDGE_COMPLETE" in lin.run("completion", shell).stdout
    told = {"_RAMBRIDGE_COMPLETE": f"{shell}_complete", "COMP_WORDS": "rambridge cred"}
    told["COMP_CWORD"] = "cred" if shell == "fish" else "1"
    assert "credentials" in lin.run(**told).stdout


# ── in Chinese ───────────────────────────────────────────────────────────────────────────────────────────────

CHINESE = [
    ("whoami", 0, """
林薇，通过 acme-saml 登录 https://access.example.com
登录有效期至 17:00；令牌保存在 ~/.local/state/rambridge/token-….json
您有 4 个角色。下一步：rambridge use
"""),
    ("roles prod look", 0, """
  账号             账号 ID           角色      有效期  用途
  Acme Production  1000000000000001  ReadOnly  1 小时  Look at everything in production; change nothing.

下一步：rambridge use，或 rambridge console --account ID --role NAME
"""),
    ("roles zzz", 0, "\n您的 4 个角色都与 “zzz” 不匹配。\n"),
    ("exec -- true", 2, "\n未指定角色。选择角色：rambridge use；或直接指定：--account ID --role NAME\n"),
    ("use prod", 2, """
您有 3 个角色与 “prod” 匹配。请输入更多内容，或使用 --account ID --role NAME。匹配的角色：
  Acme Production（1000000000000001）的 lin.wei
  Acme Production（1000000000000001）的 PlatformAdmin
  Acme Production（1000000000000001）的 ReadOnly
"""),
    ("use sbdev", 0, """
已选择：Acme Sandbox（1000000000000002）的 Developer。下一步：\
rambridge exec -- CMD、rambridge console 或 eval "$(rambridge env)"
"""),
    ("console", 0, "\n浏览器正在以 Acme Sandbox（1000000000000002）的 Developer 打开控制台。\n"),
    ("console --to https://evil.example/", 4, """
该服务只能打开控制台的页面，例如 https://ecs.console.aliyun.com/，不能打开 https://evil.example/ \
[bad_parameter，参考编号 …]
"""),
    ("credentials --account 1000000000000002 --role Root", 4, """
您没有角色 Root（1000000000000002）。您的角色：
  Acme Production（1000000000000001）的 lin.wei
  Acme Production（1000000000000001）的 PlatformAdmin
  Acme Production（1000000000000001）的 ReadOnly
  Acme Sandbox（1000000000000002）的 Developer
"""),
    ("configure", 0, """
已添加到 ~/.aliyun/config.json：acme-sandbox-Developer
下一步，在 CLI 中使用：
  aliyun --profile acme-sandbox-Developer sts GetCallerIdentity
在 SDK 中使用：
  export ALIBABA_CLOUD_PROFILE=acme-sandbox-Developer
"""),
    ("exec -- no-such-program", 127, "\n找不到程序 “no-such-program”。\n"),
    ("login --server http://localhost:9", 5, """
无法连接 http://localhost:9：连接被拒绝。请检查网络，以及是否已接入公司网络或 VPN。
"""),
    ("agent --metadata 192.0.2.1:80", 1, "\n192.0.2.1 不是仅限本机访问的地址，请使用 127.0.0.1。\n"),
]  # fmt: skip


@pytest.fixture(scope="module")
def chinese(installation, tmp_path_factory):
    """Return 林薇 at a machine that speaks Chinese."""
    person = Person(installation, tmp_path_factory.mktemp("home"))
    person.environment["LANG"] = "zh_CN.UTF-8"
    person.signed_in = person.login()
    return person


def test_in_chinese_by_the_browser_of_this_machine(chinese):
    assert chinese.normalise(chinese.signed_in.stderr) == (
        "即将打开浏览器进行登录。如果浏览器没有打开，请在本机打开以下地址：\n"
        "\n"
        "  https://access.example.com/oauth/authorize?…\n"
        "\n"
        "如果本机没有浏览器：按 Ctrl-C，然后运行 rambridge login --device\n"
        "\n"
        "林薇 已登录 https://access.example.com，有效期至 17:00。\n"
        "您有 4 个角色。下一步：rambridge use\n"
    )
    assert "返回终端" in chinese.browser.page.text()


def test_in_chinese_each_command_from_the_choice_of_a_role_to_its_end(chinese):
    """One after the other, as somebody types them."""
    for words, code, said in CHINESE:
        assert chinese.transcript(*words.split()) == (f"$ rambridge {words}{said}", code)
    done = chinese.run("env")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"(export [A-Z_]+=\S+\n){7}", done.stdout)
    told = chinese.run("exec", "--", "sh", "-c", 'echo "$LANG|$LANGUAGE"')
    assert told.stdout == "zh_CN.UTF-8|\n"


def test_in_chinese_a_sign_in_that_has_ended_says_so_in_the_words_of_the_service(installation, tmp_path):
    person = Person(installation, tmp_path)
    person.login()
    content = expire_access(person)
    person.token_file.write_text(json.dumps(content | {"expires_at": 0, "refresh": content["refresh"][::-1]}))
    text, code = person.transcript("whoami", LANG="zh_CN.UTF-8")
    assert (text, code) == ("$ rambridge whoami\n您已退出登录。请重新登录：rambridge login。\n", 3)
    text, code = person.transcript("logout", LANG="zh_CN.UTF-8")
    assert (text, code) == ("$ rambridge logout\n本终端未登录 https://access.example.com。\n", 0)
