"""How ``audit.yaml`` names several roles at once."""

import re
from typing import Annotated

from pydantic import AfterValidator

from bridge.yaml_documents import refusal

_PATTERN = re.compile(r"[^\s/]+/[^\s/]+")


def _check_pattern(pattern: str) -> str:
    if not _PATTERN.fullmatch(pattern):
        raise refusal(
            f"`{pattern}` is not an account and a role", "Write ACCOUNT/ROLE; `*` stands for anything: */Admin*."
        )
    return pattern


RolePattern = Annotated[str, AfterValidator(_check_pattern)]
"""``ACCOUNT/ROLE``, in which ``*``, ``?`` and ``[ ]`` mean what they mean in file names."""
