"""How somebody authenticated, in words: what a provider states as ``amr`` (RFC 8176)."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from bridge.language import mark, translate
from bridge.web.markup import list_all, translate_markup

METHODS: Mapping[str, str] = {
    "pwd": mark("a password"),
    "pin": mark("a PIN"),
    "otp": mark("a one-time code"),
    "sms": mark("a code by text message"),
    "tel": mark("a telephone call"),
    "hwk": mark("a hardware-secured key"),
    "swk": mark("a software-secured key"),
    "pop": mark("proof of a key"),
    "sc": mark("a smart card"),
    "fpt": mark("a fingerprint"),
    "face": mark("face recognition"),
    "iris": mark("an iris scan"),
    "retina": mark("a retina scan"),
    "vbm": mark("voice recognition"),
    "kba": mark("questions about them"),
    "wia": mark("their Windows sign-in"),
    "user": mark("a test of presence"),
    "geo": mark("their location"),
    "rba": mark("a risk assessment"),
}
"""RFC 8176, section 2. ``mfa`` and ``mca`` say how many there were, not which."""


def describe_methods(amr: Sequence[str]) -> Markup:
    """Return the methods in words, ``a password and a one-time code``; nothing where none is named.

    A method that no standard knows stands as the provider wrote it.
    """
    named = [translate(METHODS[each]) if each in METHODS else each for each in amr if each not in {"mfa", "mca"}]
    if len(named) <= 1:
        return list_all(named)
    return translate_markup("%(before)s and %(last)s", before=list_all(named[:-1]), last=named[-1])
