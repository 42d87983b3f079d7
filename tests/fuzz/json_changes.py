"""Changes one thing in a JSON value so that it stays one: what a careful attacker does, done blindly."""

import json
import random
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, 10**31, "", " ", "ada", "ada ", "é", "x" * 300, [], {}, [[]], [None]),
    *(["a", 1], ["verify"], ["sign"], "RS256", "none", "HS256", "ES384", "logout+jwt", "sig", "enc", "P-256", "AQAB"),
    *("AA", 253_402_300_799, 253_402_300_800, "https://idp.example/realms/corp", "http://127.0.0.1/", "https://[::1"),
    *("urn:x", "rambridge"),
)
_NAMES = ("crit", "d", "nbf", "azp", "tid", "kid")


def spoil(document: bytes, source: random.Random) -> bytes | None:
    """Return the document with one change or two; None if it is no JSON."""
    try:
        value = json.loads(document)
    except ValueError:
        return None
    for _ in range(source.choice((1, 1, 2))):
        value = change(value, source)
    return json.dumps(value, ensure_ascii=source.random() < 0.5).encode("utf-8", "surrogatepass")


def change(value: Any, source: random.Random) -> Any:
    """Return the value with one thing in it changed."""
    if isinstance(value, dict) and value and source.random() < 0.9:
        return _change_member(value, source)
    if isinstance(value, list) and value and source.random() < 0.7:
        place = source.randrange(len(value))
        middle = source.choice(([], [change(value[place], source)], [value[place]] * 2))
        return [*value[:place], *middle, *value[place + 1 :]]
    if isinstance(value, str) and source.random() < 0.3:
        return source.choice((value + value, value[:-1], value.upper(), value + " ", value + "\ud800"))
    if isinstance(value, int | float) and source.random() < 0.6:
        return value + source.choice((1, -1, 60, -60, 600, -601, 86_400, 0.5))
    return source.choice(VALUES)


def _change_member(members: dict[str, Any], source: random.Random) -> dict[str, Any]:
    name = source.choice(list(members))
    kind = source.choice(("drop", "change", "change", "change", "copy"))
    if kind == "drop":
        return {other: members[other] for other in members if other != name}
    if kind == "change":
        return {**members, name: change(members[name], source)}
    return {**members, source.choice((*members, *_NAMES)): members[name]}
