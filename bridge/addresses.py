"""The address that a request came from: read, and told whose it is."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

_MAPPED_BITS = 96


def read_address(text: str | None) -> Address | None:
    """Return the address that a request came from, an IPv4 address within IPv6 as itself; None if it is none.

    A socket for both families names every IPv4 peer as ``::ffff:192.0.2.7`` (RFC 4291 2.5.5.2).
    """
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def read_network(text: str) -> Network:
    """Return a network in which such addresses are looked for: an IPv4 network within IPv6 as itself.

    Raises ValueError: it is none, or has host bits set.
    """
    network = ip_network(text)
    if isinstance(network, IPv6Network) and (first := network[0].ipv4_mapped) and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((first, network.prefixlen - _MAPPED_BITS))
    return network


def find_customer(text: str) -> str:
    """Return whose address it is: of IPv6 the /64, which one customer has whole. What is no address is itself."""
    address = read_address(text)
    if address is None:
        return text
    return str(ip_network((str(address), 64 if isinstance(address, IPv6Address) else 32), strict=False))
