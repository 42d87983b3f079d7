"""Whether a sign-in showed more than one factor, as far as the provider says."""

from functools import lru_cache

_KNOWLEDGE = frozenset({"pwd", "pin", "kba"})
_POSSESSION = frozenset({"otp", "hwk", "swk", "sms", "tel", "sc", "pop", "fido", "rsa", "totp"})
_INHERENCE = frozenset({"face", "fpt", "iris", "retina", "vbm", "bio"})
_MANY = frozenset({"mfa", "mca", "ngcmfa"})
"""RFC 8176, and what large providers add to it (Microsoft Entra ID: ``fido``, ``rsa``, ``ngcmfa``)."""

_MANY_CONTEXTS = frozenset(
    {
        "https://refeds.org/profile/mfa",
        "http://schemas.microsoft.com/claims/multipleauthn",
        "http://idmanagement.gov/ns/assurance/aal/2",
        "http://idmanagement.gov/ns/assurance/aal/3",
        "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
        "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorUnregistered",
        "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI",
        "phr",
        "phrh",
        "aal2",
        "aal3",
    }
)
"""Context classes that promise it: SAML authentication context 3.4, REFEDS MFA, NIST SP 800-63, OpenID EAP ACR values.

Not among them: a context that a provider gives to whatever it calls strong, since two of them mean different things.
"""


@lru_cache(1_024)
def shows_factors(acr: str | None, amr: tuple[str, ...]) -> bool | None:
    """Return whether more than one factor was shown; None if the provider says nothing of how.

    Args:
        acr: ``acr``, or SAML's ``AuthnContextClassRef``.
        amr: RFC 8176 values.
    """
    if not acr and not amr:
        return None
    methods = {method.lower() for method in amr}
    kinds = sum(bool(methods & kind) for kind in (_KNOWLEDGE, _POSSESSION, _INHERENCE))
    return acr in _MANY_CONTEXTS or bool(methods & _MANY) or kinds > 1
