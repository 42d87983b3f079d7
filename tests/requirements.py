"""What the machine must offer for some tests: found, or one visible line that says how to get it.

In the suite that proves a change (``make test STRICT=1``, RAMBRIDGE_STRICT=1) a missing requirement fails the
test instead of skipping it: a suite that quietly skips has proved nothing.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

POSTGRESQL_BINARIES = "/usr/lib/postgresql"
LEMONLDAP_PORTAL = Path("/usr/share/lemonldap-ng/portal/htdocs/index.psgi")
# Debian only suggests or recommends most of these; without one, the portal starts and answers 500.
LEMONLDAP_PERL_MODULES = (
    "-MCrypt::JWT",
    "-MDBD::SQLite",
    "-MFCGI",
    "-MFCGI::ProcManager",
    "-MIO::String",
    "-MLasso",
    "-MString::Random",
    "-MXML::LibXML",
)


@dataclass(frozen=True)
class Requirement:
    """One thing that a test may need, how to see that it is there, and what brings it."""

    is_present: Callable[[], bool]
    packages: str


def require(name: str) -> None:
    """Return if the machine has ``name``; otherwise end the test, visibly.

    Raises:
        KeyError: no such requirement is known.
    """
    requirement = REQUIREMENTS[name]
    if not requirement.is_present():
        skip_or_fail(f"needs {name}: apt-get install {requirement.packages}")


def skip_or_fail(reason: str) -> NoReturn:
    """End the test: skipped with ``reason``, or failed with it where nothing may be skipped."""
    __tracebackhide__ = True
    if os.environ.get("RAMBRIDGE_STRICT") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_postgresql_binaries() -> Path | None:
    """Return the folder with ``initdb`` and ``pg_ctl``; Debian keeps one per version, outside PATH."""
    on_path = shutil.which("initdb")
    if on_path and shutil.which("pg_ctl"):
        return Path(on_path).parent
    folders = [initdb.parent for initdb in Path(POSTGRESQL_BINARIES).glob("*/bin/initdb")]
    return max(
        (folder for folder in folders if (folder / "pg_ctl").exists()),
        key=lambda folder: int(folder.parent.name),
        default=None,
    )


def find_chromium() -> Path | None:
    """Return the browser's program under the names that distributions give it; first the one that has no windows."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((Path(path) for path in map(shutil.which, names) if path), None)


@cache
def _has_lemonldap() -> bool:
    programs = ("nginx", "plackup", "perl")
    if not LEMONLDAP_PORTAL.exists() or not all(shutil.which(program) for program in programs):
        return False
    return subprocess.run(["perl", *LEMONLDAP_PERL_MODULES, "-e1"], check=False, capture_output=True).returncode == 0


REQUIREMENTS = {
    "redis-server": Requirement(lambda: shutil.which("redis-server") is not None, "redis-server"),
    "postgresql": Requirement(lambda: find_postgresql_binaries() is not None, "postgresql"),
    "chromium": Requirement(lambda: find_chromium() is not None, "chromium-headless-shell"),
    "nginx": Requirement(lambda: shutil.which("nginx") is not None, "nginx-light"),
    "openssl": Requirement(lambda: shutil.which("openssl") is not None, "openssl"),
    "xmlsec1": Requirement(lambda: shutil.which("xmlsec1") is not None, "xmlsec1"),
    "node": Requirement(lambda: shutil.which("node") is not None and shutil.which("npm") is not None, "nodejs npm"),
    "lemonldap-ng": Requirement(
        _has_lemonldap,
        "nginx-light liblemonldap-ng-portal-perl libfcgi-perl libfcgi-procmanager-perl libdbd-sqlite3-perl"
        " libcrypt-jwt-perl libio-string-perl liblasso-perl libstring-random-perl libxml-libxml-perl",
    ),
}
