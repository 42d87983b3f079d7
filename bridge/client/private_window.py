"""A private window of a browser, which has a sign-in of its own: for a second role beside the first.

No page may open one, but a program may start the browser with its option for it.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 0.5
"""After this long the person is told that a browser starts. One that runs already is handed the address by then."""
WATCHED_SECONDS = 2.0
"""For how long a browser that starts is watched: without a display, or with a broken profile, it may end this late."""

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


@dataclass(frozen=True)
class Attempt:
    """What came of it."""

    is_open: bool
    failed: tuple[str, ...] = ()
    """The browser that was started last and ended with an error, with its option; empty: none was found."""


def open_private(address: str, say_started: Callable[[], None]) -> Attempt:
    """Open an address in a private window.

    ``say_started`` is called as soon as it seems that one opens: where a browser has to be started first, that is
    before it is certain.
    """
    failed: Sequence[str] = ()
    for command in _find_commands():
        if _start([*command, address], say_started):
            return Attempt(is_open=True)
        failed = command
    return Attempt(is_open=False, failed=tuple(failed))


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


def _start(command: Sequence[str], say_started: Callable[[], None]) -> bool:
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
        ended = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        say_started()
    else:
        if ended == 0:
            say_started()
        return ended == 0
    try:
        return process.wait(WATCHED_SECONDS - SECONDS) == 0
    except subprocess.TimeoutExpired:
        return True  # it runs
