"""Where our own requests may go: which spellings of a host, which addresses, which ports (threat WEB-09).

An address in the configuration, or in a document that a provider serves, must not turn us against the inside: the
cloud's metadata service hands out keys to whoever asks from this machine, and intranets trust whoever is in them.

1. Never, whatever is configured: link-local and metadata addresses, multicast, reserved and unspecified ones.
2. Loopback in development only; the rest of what is not public (private, unique-local, 100.64/10, documentation,
   benchmarks) only within ``allowed_networks``.
3. An IPv6 address with an IPv4 address in it (mapped, NAT64, 6to4) is judged by that one. A translator with a prefix of
   its own cannot be told from any other network.

The tables are IANA's, written out: Python's ``is_global`` changed its mind between versions. RFC 6890, 6052, 3056.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HTTPS_PORT = 443


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_NEVER: tuple[tuple[str, tuple[Network, ...]], ...] = (
    (
        "a cloud's metadata service",  # of Alibaba Cloud first; the others for bridges that run elsewhere
        _networks(
            "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "169.254.169.254"
        ),
    ),
    ("link-local", _networks("169.254.0.0/16", "fe80::/10", "fec0::/10")),
    ("multicast", _networks("224.0.0.0/4", "ff00::/8")),
    ("unspecified", _networks("0.0.0.0/8", "::/128")),
    ("reserved", _networks("240.0.0.0/4")),
)
LOOPBACK = _networks("127.0.0.0/8", "::1/128")
_NOT_PUBLIC: tuple[tuple[str, tuple[Network, ...]], ...] = (
    ("loopback", LOOPBACK),
    ("private", _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    ("unique-local", _networks("fc00::/7")),
    ("in the shared range 100.64.0.0/10, where VPC endpoints are", _networks("100.64.0.0/10")),
    (
        "reserved for a special purpose",
        _networks(
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
        ),
    ),
)
_PUBLIC_IPV6 = IPv6Network("2000::/3")
_MAPPED = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_6TO4 = IPv6Network("2002::/16")

_HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)


@dataclass(frozen=True)
class Destinations:
    """What this installation may reach beyond public addresses at port 443."""

    development: bool = False
    """Allows loopback, and every port."""
    allowed_networks: tuple[Network, ...] = ()
    allowed_ports: frozenset[int] = frozenset()

    @classmethod
    def read(cls, *, development: bool, networks: Iterable[str] = (), ports: Iterable[int] = ()) -> "Destinations":
        """Return the destinations that settings describe."""
        return cls(development, tuple(ip_network(network) for network in networks), frozenset(ports))

    def find_host_fault(self, host: str) -> str | None:
        """Return what is wrong with a host as an address writes it (IPv6 in brackets), or None.

        ``127.1``, ``0x7f.1`` and ``2130706433`` are addresses to some programs and names to others: only the usual
        form of an IPv4 address may end in a number. A name is judged when it is resolved.
        """
        if host.startswith("["):
            try:
                return self.find_address_fault(str(IPv6Address(host[1:-1])))
            except ValueError:
                return "the host is no IPv6 address"
        if not _HOST_NAME.fullmatch(host):
            return "the host has characters that no host name has"
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            try:
                return self.find_address_fault(str(IPv4Address(host)))
            except ValueError:
                return "the host is a number, but not an IPv4 address in its usual form"
        return None

    def find_port_fault(self, port: int) -> str | None:
        """Return why this port may not be reached, or None."""
        if self.development or port == HTTPS_PORT or port in self.allowed_ports:
            return None
        return f"port {port} is neither {HTTPS_PORT} nor in `outbound.allowed_ports`"

    def find_address_fault(self, text: str) -> str | None:
        """Return why this IP address may not be reached, or None. A zone behind ``%`` is part of no public address."""
        if "%" in text:
            return f"{ascii(text)[1:-1]} is link-local, which is never allowed"
        address = ip_address(text)
        for form in (address, *_read_embedded(address)):
            kind = _find_kind(form, _NEVER)
            if kind:
                return f"{text} is {kind}, which is never allowed"
        judged: Address = address if address in _LOCAL_NAT64 else next(iter(_read_embedded(address)), address)
        if _is_in(judged, self.allowed_networks) or (self.development and _is_in(judged, LOOPBACK)):
            return None
        kind = _find_kind(judged, _NOT_PUBLIC)
        if kind is None and isinstance(judged, IPv6Address) and judged not in _PUBLIC_IPV6:
            kind = "not public"
        return f"{text} is {kind}, and not in `outbound.allowed_networks`" if kind else None


def is_never_allowed(network: Network) -> bool:
    """Tell whether all of a network is beyond what ``allowed_networks`` can allow."""
    return any(_contains(never, network) for _, nets in _NEVER for never in nets)


def is_loopback_network(network: Network) -> bool:
    """Tell whether a network has a part of loopback."""
    return any(network.version == loopback.version and network.overlaps(loopback) for loopback in LOOPBACK)


def _contains(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _read_embedded(address: Address) -> Sequence[IPv4Address]:
    """Return the IPv4 address that an IPv6 address would lead to, if any."""
    if not isinstance(address, IPv6Address):
        return ()
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    if any(address in network for network in _MAPPED) or address in _LOCAL_NAT64:
        return (low,)
    if address in _6TO4:
        return (IPv4Address(int(address) >> 80 & 0xFFFF_FFFF),)
    return ()


def _find_kind(address: Address, table: tuple[tuple[str, tuple[Network, ...]], ...]) -> str | None:
    return next((kind for kind, networks in table if _is_in(address, networks)), None)


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
