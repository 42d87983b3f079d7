import socket
from contextlib import ExitStack, suppress

from bridge.sandbox.workspace import find_free_ports

FIRST, END = 16_384, 32_768
"""Below what Linux and macOS give to whoever asks for any port."""


def test_no_port_is_handed_out_twice_or_is_one_that_the_system_hands_out():
    ports = find_free_ports(30) + find_free_ports(30)
    assert len(set(ports)) == 60
    assert all(FIRST <= port < END for port in ports)


def test_a_port_that_is_taken_is_passed_over():
    [port] = find_free_ports(1)
    following = port + 1 if port + 1 < END else FIRST
    with ExitStack() as stack:
        with suppress(OSError):  # somebody else has it, which does as well
            stack.enter_context(socket.create_server(("127.0.0.1", following)))
        assert following not in find_free_ports(3)
