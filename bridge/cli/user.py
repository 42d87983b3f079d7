"""Who gives the command."""

import getpass
import os


def find_user() -> str:
    """Return the name of this machine's user who gives the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
