"""Which claims the providers have sent: their names alone, from the sign-ins that are kept."""

from collections.abc import Iterable, Mapping

from bridge.history.kept_sign_in import KeptSignIn


def collect_claims(sign_ins: Iterable[KeptSignIn]) -> Mapping[str, frozenset[str]]:
    """Return for each provider the names of the claims in its sign-ins; one without a sign-in is absent.

    Only claims that some rule read at the time are kept.
    """
    names: dict[str, set[str]] = {}
    for kept in sign_ins:
        names.setdefault(kept.identity.provider, set()).update(kept.identity.claims)
    return {provider: frozenset(claims) for provider, claims in names.items()}
