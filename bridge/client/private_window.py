"""A private window of a browser, which has a sign-in of its own: for a second role beside the first.

No page may open one, but a program may start the browser with its option for it.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

SECONDS = 0.5
"""How long a browser may take to say that it could not start."""

_OPTIONS = {
    "firefox": "--private-window",
    "google-chrome": "--incognito",
    "google-chrome-stable": "--incognito",
    "chromium": "--incognito",
    "chromium-browser": "--incognito",
    "microsoft-edge": "--inprivate",
    "microsoft-edge-stable": "--inprivate",
    "brave-browser": "--incognito",
    "librewolf": "--private-window",
}
"""By the name of the program: Mozilla's "Command Line Options", Chromium's and Edge's switches of these names."""

_APPLICATIONS = {
    "Firefox": "--private-window",
    "Google Chrome": "--incognito",
    "Chromium": "--incognito",
    "Microsoft Edge": "--inprivate",
    "Brave Browser": "--incognito",
}
"""On macOS. Safari has no such option."""


def open_private(address: str) -> bool:
    """Open an address in a private window, and return whether a browser took it."""
    return any(_start([*command, address]) for command in _find_commands())


def _find_commands() -> Iterator[Sequence[str]]:
    """Yield ways to open a private window, the person's own browser first."""
    for name in (*_find_own(), *_OPTIONS):
        program, option = shutil.which(name), _OPTIONS.get(Path(name).name)
        if program and option:
            yield program, option
    if sys.platform == "darwin":
        for name, option in _APPLICATIONS.items():
            if any(
                (folder / f"{name}.app").exists() for folder in (Path("/Applications"), Path.home() / "Applications")
            ):
                yield "open", "-na", name, "--args", option


def _find_own() -> Iterator[str]:
    """Yield what ``BROWSER`` names, and the desktop's default."""
    for command in os.environ.get("BROWSER", "").split(os.pathsep):
        yield from _split(command)[:1]
    if asks := shutil.which("xdg-settings"):
        try:
            told = subprocess.run(
                [asks, "get", "default-web-browser"], capture_output=True, text=True, timeout=SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return
        yield told.stdout.strip().removesuffix(".desktop")


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _start(command: Sequence[str]) -> bool:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return process.wait(SECONDS) == 0
    except subprocess.TimeoutExpired:
        return True  # it runs
