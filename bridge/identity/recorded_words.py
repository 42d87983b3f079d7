"""What a record says of checks and of rules, in the language that is spoken.

A record is English (see ``trace.py`` and ``entitlements/recorded.py``). The words that are written there are found
again here; names, values and whatever came from outside stay as they were recorded.
"""

import re
from functools import cache

from bridge.language import ENGLISH, list_texts, mark, spoken, translate

_MESSAGES = (
    mark("%(listed)s and %(number)s more"),
    mark("in %(seconds)s s"),
    mark("%(seconds)s s ago"),
    mark("%(seconds)s s"),
    mark("%(seconds)s s after our question"),
    mark("clocks may differ by %(seconds)s s"),
    mark("in the last %(seconds)s s"),
    mark("more than 0 s, at most %(seconds)s s"),
    mark("in the future"),
    mark("not in the future"),
    mark("none, or in the future"),
    mark("after our question"),
    mark("nobody asked"),
    mark("exp %(time)s"),
    mark("iat %(time)s"),
    mark("seconds since 1970"),
    mark("not a number of seconds"),
    mark("%(number)s characters"),
    mark("at most %(number)s characters"),
    mark("%(number)s bytes"),
    mark("at most %(number)s bytes"),
    mark("%(number)s attributes"),
    mark("%(number)s keys of ours"),
    mark("count %(number)s, %(audiences)s audiences"),
    mark("format %(format)s, %(number)s characters"),
    mark("1 to 255 visible ASCII characters"),
    mark("any format but transient, 1 to 256 characters"),
    mark("none"),
    mark("any"),
    mark("found"),
    mark("matches"),
    mark("differs"),
    mark("enough"),
    mark("less"),
    mark("another"),
    mark("unanswered"),
    mark("no text"),
    mark("an object"),
    mark("a list of other things than texts"),
    mark("opened"),
    mark("not opened"),
    mark("not usable"),
    mark("not to be had"),
    mark("about this person"),
    mark("each field once"),
    mark("each parameter once"),
    mark("each once"),
    mark("each once, in plain text, groups not left out"),
    mark("found; none where the provider may begin"),
    mark("a certificate in force"),
    mark("certificate %(certificate)s"),
    mark("a key of the provider"),
    mark("the content is not what was signed"),
    mark("key with the thumbprint %(thumbprint)s"),
    mark("one in plain text"),
    mark("one that is encrypted"),
    mark("one in another namespace"),
    mark("one; encryption: %(setting)s"),
    mark("encryption: %(setting)s"),
    mark("signed: %(setting)s"),
    mark("after the issuer of response or assertion, once each"),
    mark("after the issuer, once"),
    mark("found in the encrypted assertion"),
    mark("those of SAML, in their order"),
    mark("none, where idp_initiated is true"),
    mark("AudienceRestriction, and no unknown ones"),
    mark("none that forbids it"),
    mark("the SAML schema"),
    mark("an identifier that was not used yet"),
    mark("an ID token and an access token"),
    mark("plain, or encrypted for us where the settings allow it"),
    mark("JWT, or none"),
    mark("the kid of one of its keys; none where it has one key only"),
    mark("one JSON object"),
    mark("none with one audience"),
    mark("in the token, or none"),
    mark("in the answer, or none"),
    mark("matches, or none"),
    mark("a JSON object about this person"),
    mark("a complete list"),
    mark("jti, sid, acr: texts; amr: a list"),
    mark("role %(account)s/%(name)s"),
    mark("user %(account)s/%(name)s"),
    mark("grants %(rule)s"),
    mark("denies %(rule)s"),
    mark("withheld %(rule)s"),
    mark("everyone"),
    mark("`%(name)s` has %(found)s"),
    mark("%(condition)s cannot be ruled out"),
    mark("role %(account)s: %(reason)s"),
    mark("user %(account)s: %(reason)s"),
    mark("denied by %(rule)s"),
    mark("already granted by %(rule)s"),
    mark("held by %(rule)s, whose session policy cannot be filled"),
    mark("no name or policy for this person"),
)
_PLACE = re.compile(r"%\\\((\w+)\\\)s")
_NUMBERS = {"seconds", "number", "audiences"}


def read_recorded(text: str) -> str:
    """Return what the trace of a record says of one check, for people; unchanged where it is no text of ours."""
    return text if spoken() == ENGLISH else _read(text)


def _read(text: str) -> str:
    for message, pattern in _find_patterns():
        found = pattern.fullmatch(text)
        if found:
            return translate(message, **{name: _read(value) for name, value in found.groupdict().items()})
    for sign, write in (("; ", translate("; ").join), (", ", list_texts)):
        parts = text.split(sign)
        read = [_read(part) for part in parts] if len(parts) > 1 else parts
        if read != parts:
            return write(read)
    return text


@cache
def _find_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((message, re.compile(_PLACE.sub(_write_group, re.escape(message)))) for message in _MESSAGES)


def _write_group(place: re.Match[str]) -> str:
    return f"(?P<{place[1]}>{'[0-9.]+' if place[1] in _NUMBERS else '[^;]+?'})"
