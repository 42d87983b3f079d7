"""T-WEB-09, the tables: which spellings, addresses and ports are beyond our own requests. Nothing is contacted."""

import pytest

from bridge.destinations import Destinations

PRODUCTION = Destinations()
INTRANET = Destinations.read(
    development=False, networks=["10.0.0.0/8", "100.64.0.0/10", "fd00:1::/32", "64:ff9b:1::/48"], ports=[8443]
)

PUBLIC = ["47.88.0.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2400:3200::1", "2606:4700::1111"]
REFUSED = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "::1": "loopback",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "shared",
    "100.127.255.255": "shared",
    "fc00::1": "unique-local",
    "fdff::1": "unique-local",
    "198.18.0.1": "special purpose",
    "192.0.2.1": "special purpose",
    "192.88.99.1": "special purpose",
    "2001::1": "special purpose",
    "2001:db8::1": "special purpose",
    "::127.0.0.1": "not public",
    "4000::1": "not public",
    "64:ff9b:1::a00:1": "not public",
}
NEVER = {
    "100.100.100.200": "metadata",
    "169.254.169.254": "metadata",
    "168.63.129.16": "metadata",
    "fd00:ec2::254": "metadata",
    "169.254.0.1": "link-local",
    "169.254.255.255": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "ff02::1": "multicast",
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "::": "unspecified",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
}


def in_ipv6(address):
    """Yield the IPv6 addresses that lead to an IPv4 one."""
    numbers = [int(part) for part in address.split(".")]
    high, low = numbers[0] << 8 | numbers[1], numbers[2] << 8 | numbers[3]
    yield f"::ffff:{address}"
    yield f"64:ff9b::{high:x}:{low:x}"
    yield f"2002:{high:x}:{low:x}::1"


def ipv4(addresses):
    return [address for address in addresses if ":" not in address]


@pytest.mark.parametrize("address", PUBLIC)
def test_t_web_09_a_public_address_is_reached(address):
    assert PRODUCTION.find_address_fault(address) is None


@pytest.mark.parametrize("address", REFUSED)
def test_t_web_09_an_inner_address_is_refused_and_the_reason_names_the_setting(address):
    fault = PRODUCTION.find_address_fault(address)
    assert REFUSED[address] in fault
    assert "outbound.allowed_networks" in fault


@pytest.mark.parametrize("address", NEVER)
def test_t_web_09_some_addresses_cannot_be_allowed(address):
    everything = Destinations.read(development=True, networks=["0.0.0.0/0", "::/0"])
    for destinations in (PRODUCTION, INTRANET, everything):
        fault = destinations.find_address_fault(address)
        assert NEVER[address] in fault
        assert "never" in fault


@pytest.mark.parametrize("address", ipv4([*REFUSED, *NEVER]))
def test_t_web_09_an_ipv4_address_within_an_ipv6_address_is_judged_by_itself(address):
    for form in in_ipv6(address):
        assert PRODUCTION.find_address_fault(form), form
        assert PRODUCTION.find_host_fault(f"[{form}]"), form


@pytest.mark.parametrize("address", ipv4(PUBLIC))
def test_t_web_09_a_public_ipv4_address_within_an_ipv6_address_is_reached(address):
    for form in in_ipv6(address):
        assert PRODUCTION.find_address_fault(form) is None, form


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "100.64.9.9", "fd00:1::9", "64:ff9b:1::a00:1"])
def test_t_web_09_a_network_that_the_operator_allows_is_reached(address):
    assert INTRANET.find_address_fault(address) is None
    assert PRODUCTION.find_address_fault(address)


@pytest.mark.parametrize(
    "address",
    ["192.168.0.1", "127.0.0.1", "::ffff:127.0.0.1", "fd00:2::1", "::ffff:100.100.100.200", "64:ff9b:1::6464:64c8"],
)
def test_t_web_09_allowing_one_network_allows_no_other(address):
    assert INTRANET.find_address_fault(address)


def test_t_web_09_a_mapped_network_does_not_open_what_it_maps():
    destinations = Destinations.read(development=False, networks=["::ffff:0:0/96"])
    assert destinations.find_address_fault("::ffff:127.0.0.1")
    assert destinations.find_address_fault("::ffff:8.8.8.8") is None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_t_web_09_development_reaches_loopback_and_nothing_else_inside(address):
    development = Destinations(development=True)
    assert development.find_address_fault(address) is None
    assert development.find_address_fault("10.0.0.1")
    assert development.find_address_fault("169.254.169.254")


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0X7F.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "0x7f.0.0.0x1",
        "8.8.8.010",
        "134744072",
        "1.2.3.4.5",
        "256.1.1.1",
        "idp.example.1",
        "idp.example.0x",
        "[::1%25lo]",
        "[::1%lo]",
        "[v1.x]",
        "[]",
        "%31%32%37.0.0.1",
        "idp%2eexample",
        "idp..example",
        ".idp.example",
        "idp.example..",
        "idp!example",
        "",
    ],
)
def test_t_web_09_a_host_in_another_spelling_is_refused_even_in_development(host):
    assert Destinations(development=True).find_host_fault(host)


@pytest.mark.parametrize(
    "host",
    ["idp.example", "idp.example.", "IDP-1.example", "a_b.example", "1idp.example", "8.8.8.8", "[2400:3200::1]", "x0"],
)
def test_t_web_09_a_host_in_its_usual_spelling_is_accepted(host):
    assert PRODUCTION.find_host_fault(host) is None


def test_t_web_09_ports_are_443_and_those_that_are_allowed():
    assert PRODUCTION.find_port_fault(443) is None
    assert INTRANET.find_port_fault(8443) is None
    assert Destinations(development=True).find_port_fault(6379) is None
    for port in (0, 22, 80, 6379, 8443, 65535):
        assert "outbound.allowed_ports" in PRODUCTION.find_port_fault(port)
    assert INTRANET.find_port_fault(8444)
