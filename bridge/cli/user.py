"""Who gives a command, as this machine knows them."""

import getpass
import os


def find_user() -> str:
    """Return the name of the user of this machine, or a number where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
