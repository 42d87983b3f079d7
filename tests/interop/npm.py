"""Packages of Node, at exact versions, in a git-ignored folder of this clone.

There is no lock file: it would record download addresses.
"""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from tests.requirements import skip_or_fail
from tests.whoever_runs_this import PROXIES

ROOT = Path(__file__).parents[2] / "var" / "interop"
INSTALL_WITHIN_SECONDS = 600
NPM_INSTALL = (
    "npm",
    "install",
    "--no-package-lock",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
)


def install(source: Path, installation: Path, script: str, what: str) -> None:
    """Leave a script beside the packages that the ``package.json`` in ``source`` names.

    Node looks for packages beside the script, so the script is copied to them. Test processes take turns. The test ends
    if npm cannot bring the packages of ``what``.
    """
    installation.mkdir(parents=True, exist_ok=True)
    with (installation / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _copy_if_changed(source / script, installation / script)
        installed = installation / "node_modules" / "installed.json"
        wanted = (source / "package.json").read_text()
        if installed.exists() and installed.read_text() == wanted:
            return
        _copy_if_changed(source / "package.json", installation / "package.json")
        _run_npm(installation, what)
        installed.write_text(wanted)


def _copy_if_changed(source: Path, copy: Path) -> None:
    if not copy.exists() or copy.read_bytes() != source.read_bytes():
        shutil.copyfile(source, copy)


def _run_npm(installation: Path, what: str) -> None:
    try:
        subprocess.run(
            NPM_INSTALL,
            cwd=installation,
            env=os.environ | PROXIES,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_WITHIN_SECONDS,
        )
    except subprocess.CalledProcessError as failure:
        first_line = (failure.stderr.strip() or "npm install failed").splitlines()[0]
        skip_or_fail(f"needs the npm registry for {what}: {first_line}")
    except subprocess.TimeoutExpired:
        skip_or_fail(f"needs the npm registry for {what}: no answer in {INSTALL_WITHIN_SECONDS} s")
