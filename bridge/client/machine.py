"""What this machine can show its person: a browser, or only a terminal."""

import os
import sys
import webbrowser


def has_browser() -> bool:
    """Return whether a browser that is opened here would appear before the person.

    Over SSH it would appear on the other machine, and without a display as text in the terminal that waits for it.
    ``BROWSER`` says that there is one, whatever else seems to be the case.
    """
    if os.environ.get("BROWSER"):
        return True
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        return False
    if sys.platform != "darwin" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def open_browser(address: str) -> bool:
    """Open an address in the person's browser, and return whether something took it."""
    try:
        return webbrowser.open(address)
    except (webbrowser.Error, OSError):
        return False
