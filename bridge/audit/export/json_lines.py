"""JSON Lines: one record, one line of ASCII, and nothing lost.

https://jsonlines.org
"""

import json
from collections.abc import Mapping
from typing import Any


def encode_line(content: Mapping[str, Any]) -> str:
    """Return a value as one line of JSON with its newline: sorted keys, ASCII only, so that no text breaks a line."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True) + "\n"
