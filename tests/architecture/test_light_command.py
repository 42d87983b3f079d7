"""What people with roles install has few packages, starts at once, and takes nothing of the service with it."""

import json
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bridge.cli.main import PEOPLE, main, summarize
from bridge.language import LANGUAGES, speaking

ROOT = Path(__file__).parents[2]
MOST_PACKAGES = 14
MOST_SECONDS = 0.3
LIGHT = {"bridge", "click", "sitecustomize"}
"""Besides the standard library; keychain and QR code are imported when one is needed."""


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)


def locked():
    lines = (ROOT / "requirements" / "command.txt").read_text().splitlines()
    return [Requirement(line.rstrip("\\ ")) for line in lines if line[0].isalpha()]


@pytest.mark.parametrize("name", sorted(PEOPLE))
def test_a_command_for_people_imports_nothing_of_the_service(name):
    module = PEOPLE[name].partition(":")[0]
    done = run(
        f"import json, sys; import bridge.cli.main, bridge.cli.{module}; "
        "print(json.dumps([m for m in sys.modules if m.partition('.')[0] not in sys.stdlib_module_names]))"
    )
    modules = [module for module in json.loads(done.stdout) if not module.startswith("__")]
    assert {module.partition(".")[0] for module in modules if not module.startswith("_")} <= LIGHT
    assert {module.split(".")[1] for module in modules if module.startswith("bridge.")} <= {"cli", "client", "language"}


@pytest.mark.parametrize("language", ["en_US.UTF-8", "zh_CN.UTF-8"])
def test_the_command_knows_its_version_before_anybody_waits(language):
    """CPU time, the best of three: what else runs on this machine is not its doing."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "bridge", "--version"]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, env={"LANG": language})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < MOST_SECONDS


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_command_alone_is_a_handful_of_packages(python, platform):
    machine = {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "sys_platform": platform,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[platform],
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    packages = [package for package in locked() if package.marker is None or package.marker.evaluate(machine)]
    assert len(packages) + 1 <= MOST_PACKAGES, sorted(package.name for package in packages)


def test_the_lock_of_the_command_has_what_the_package_asks_for():
    declared = [
        Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ]
    pins = {package.name: package.specifier for package in locked()}
    for requirement in declared:
        [pin] = pins[requirement.name]
        assert requirement.specifier.contains(pin.version), requirement.name


@pytest.mark.parametrize("name", ["serve", "audit", "demo"])
def test_without_the_service_its_commands_name_what_to_install(name):
    done = run(
        "import sys; sys.modules['flask'] = None; from bridge.cli.main import main; "
        f"main([{name!r}, '--folder', 'x', '--help'])"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {name!r} belongs to the service. Install it with: pip install 'rambridge[server]'\n"


def test_without_the_service_help_lists_what_there_is():
    done = run("import sys; sys.modules['flask'] = None; from bridge.cli.main import main; main(['--help'])")
    assert done.returncode == 0
    assert "credentials " in done.stdout
    assert "Running the service, with the extra rambridge[server]:\n  serve, check" in done.stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_list_of_commands_says_of_each_what_its_own_help_says(language):
    with speaking(language):
        for name, command in main.commands.items():
            assert summarize(name, 70) == command.get_short_help_str(70), name


def test_a_list_of_commands_imports_nothing_of_the_service_and_settings_no_redis():
    """The list had taken a second and a half, and every completion in a shell as long."""
    done = run(
        "import sys; from bridge.cli.main import main; main(['--help'], standalone_mode=False); "
        "assert 'bridge.settings' not in sys.modules; import bridge.settings; assert 'redis' not in sys.modules"
    )
    assert done.returncode == 0, done.stderr
    asked = run(
        "import os; os.environ |= {'_RAMBRIDGE_COMPLETE': 'bash_complete', 'COMP_WORDS': 'rambridge'}; "
        "os.environ['COMP_CWORD'] = '1'; "
        "import atexit, sys; atexit.register(lambda: print('bridge.settings' in sys.modules)); "
        "from bridge.cli.main import main; main(prog_name='rambridge')"
    )
    assert asked.stdout.split("\n")[-2:] == ["False", ""], asked
    assert "plain,audit" in asked.stdout


def test_no_model_makes_each_start_read_its_source():
    """``bridge.described`` says the same in schemas, and reads sources only then."""
    sources = (path.read_text() for path in (ROOT / "bridge").rglob("*.py") if path.name != "described.py")
    assert not any("use_attribute_docstrings" in source for source in sources)
