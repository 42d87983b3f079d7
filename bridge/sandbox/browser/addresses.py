"""What a browser compares addresses by: origin, site, and whether an address is treated like https."""

from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit


def extract_origin(url: str) -> str:
    """Return scheme, host and port (RFC 6454)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def extract_site(url: str) -> tuple[str, str]:
    """Return scheme and host, without the registrable domain: see the package."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or ""


def is_trustworthy(url: str) -> bool:
    """Whether the browser treats the address like https: it is, or it is this machine (Secure Contexts 3.1)."""
    scheme, host = extract_site(url)
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    return scheme == "https" or loopback


def hide_query(url: str) -> str:
    """Return the address without the values in its query: they may be secrets."""
    base, mark, query = url.partition("?")
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    return base + mark + "&".join(f"{name}=…" for name in names)
