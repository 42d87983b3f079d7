"""Home-realm discovery: which provider an e-mail address belongs to, by its domain alone.

What stands before the ``@`` never counts, so the answer is the same for everybody at a company, and says nothing about
who works there. Nor does an address prove anything: it only chooses whom to ask.
"""

from collections.abc import Mapping

MAX_ADDRESS_CHARACTERS = 254
"""RFC 5321 4.5.3.1.3, without the brackets."""
MAX_DOMAIN_CHARACTERS = 253

_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def normalize_domain(text: str) -> str | None:
    """Return the domain in lower case and ASCII (IDNA), or None if it is none.

    No dot at its end, no address literal, and at least two labels.
    """
    try:
        domain = text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = domain.split(".")
    good = all(label and _LABEL.issuperset(label) and label.strip("-") == label for label in labels)
    return domain if good and len(labels) > 1 and len(domain) <= MAX_DOMAIN_CHARACTERS else None


def find_home(address: str, homes: Mapping[str, str]) -> str | None:
    """Return the provider for the domain of an e-mail address, None for one that nobody has.

    The whole domain counts: ``mail.acme.example`` is not ``acme.example``.

    Args:
        address: as somebody typed it; blanks around it do not count.
        homes: domains, as :func:`normalize_domain` writes them, with the names of their providers.
    """
    address = address.strip()
    name, at, domain = address.rpartition("@")
    if not name or not at or len(address) > MAX_ADDRESS_CHARACTERS or not address.isprintable():
        return None
    return homes.get(normalize_domain(domain) or "")
