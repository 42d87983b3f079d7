"""A copy of the demo's configuration with addresses of its own: for ports that are taken, and for tests."""

import os
import shutil
import socket
from collections.abc import Sequence
from itertools import count as count_from
from itertools import islice
from pathlib import Path

DEFAULT_PORTS = (8080, 8081, 8082)
"""Bridge, identity provider, cloud."""

_QUIET_PORTS = range(16_384, 32_768)
"""Of these, Linux and macOS give none to whoever asks for any: one that is free stays so until its server starts."""
_numbers = count_from(os.getpid() * 64)
"""Processes that look for ports at the same time do not begin at the same one, and none hands out a port twice."""


def find_free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody listens on, and that nobody gets by chance."""
    return list(islice(filter(is_free, (_QUIET_PORTS[each % len(_QUIET_PORTS)] for each in _numbers)), count))


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of the loopback interface now."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def copy_configuration(source: Path, target: Path, ports: Sequence[int]) -> Path:
    """Copy the demo's configuration, with ``ports`` in the place of the default ones, and return its folder.

    Args:
        source: the folder ``config``.
        target: a folder that will hold ``config``, and later ``certs`` and ``var`` beside it.
        ports: of the bridge, the identity provider and the cloud.
    """
    config = target / "config"
    shutil.copytree(source, config, ignore=shutil.ignore_patterns("schema"), dirs_exist_ok=True)
    for file in config.rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        for old, new in zip(DEFAULT_PORTS, ports, strict=True):
            text = text.replace(f":{old}", f":{new}")
        file.write_text(text, encoding="utf-8")
    return config
