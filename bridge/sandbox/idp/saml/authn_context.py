"""Which authentication context a response may state."""

from bridge.sandbox.idp.saml.authn_request import AuthnRequest
from bridge.sandbox.idp.sessions import MFA_CONTEXT, PASSWORD_CONTEXT, Method

_STRENGTH = (PASSWORD_CONTEXT, MFA_CONTEXT)


def find_context(request: AuthnRequest | None, method: Method) -> str | None:
    """Return the context to state for a sign-in by ``method``, or None if it is not what was asked for.

    A person who used a security key did use a password as well, so either may be stated; nothing stronger than what
    happened ever is (SAML Core 3.3.2.2.1). Comparisons other than ``exact`` and ``minimum`` are not supported.
    """
    if request is None or not request.requested_contexts:
        return method.acr
    if request.context_comparison == "minimum":
        known = [_STRENGTH.index(each) for each in request.requested_contexts if each in _STRENGTH]
        return method.acr if known and _STRENGTH.index(method.acr) >= min(known) else None
    if request.context_comparison != "exact":
        return None
    return next((each for each in request.requested_contexts if each in method.contexts), None)
