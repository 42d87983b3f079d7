"""How strongly somebody signed in, in words: what a provider states as ``amr`` (RFC 8176) and ``acr``."""

from collections.abc import Sequence

METHODS = {
    "pwd": "a password",
    "pin": "a PIN",
    "otp": "a one-time code",
    "sms": "a code by text message",
    "tel": "a telephone call",
    "hwk": "a hardware-secured key",
    "swk": "a software-secured key",
    "pop": "proof of a key",
    "sc": "a smart card",
    "fpt": "a fingerprint",
    "face": "face recognition",
    "iris": "an iris scan",
    "retina": "a retina scan",
    "vbm": "voice recognition",
    "kba": "questions about them",
    "wia": "their Windows sign-in",
    "user": "a test of presence",
    "geo": "their location",
    "rba": "a risk assessment",
}
"""RFC 8176, section 2. ``mfa`` and ``mca`` say how many there were, not which."""


def describe_methods(amr: Sequence[str]) -> str:
    """Return the methods in words, ``a password and a one-time code``; nothing where none is named.

    A method that no standard knows stands as the provider wrote it.
    """
    named = [METHODS.get(method, method) for method in amr if method not in {"mfa", "mca"}]
    return " and ".join((", ".join(named[:-1]), named[-1])) if len(named) > 1 else "".join(named)


def describe_strength(*, several_factors: bool | None) -> str:
    """Return what is known of the number of factors: as records have it in ``mfa``."""
    if several_factors is None:
        return "the provider does not say how strongly"
    return "with more than one factor" if several_factors else "with one factor"
