import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bridge.web.proxies import trust_proxies


def seen(peer, forwarded, *, networks=("10.0.0.0/8", "fd00::/8"), count=1):
    """Return the client's address as the application sees it."""
    found = []

    def application(environ, start_response):
        found.append(environ["REMOTE_ADDR"])
        start_response("200 OK", [])
        return []

    environ = EnvironBuilder(headers={"X-Forwarded-For": forwarded}).get_environ()
    run_wsgi_app(trust_proxies(application, networks, count), environ | {"REMOTE_ADDR": peer})
    return found[0]


@pytest.mark.parametrize("peer", ["10.1.2.3", "fd00::1"])
def test_a_listed_proxy_names_the_client(peer):
    assert seen(peer, "203.0.113.9") == "203.0.113.9"
    assert seen(peer, "2001:db8::9") == "2001:db8::9"


def test_an_ipv4_proxy_at_a_socket_for_both_families_is_the_one_that_is_listed():
    assert seen("::ffff:10.1.2.3", "203.0.113.9") == "203.0.113.9"
    assert seen("::ffff:10.1.2.3", "203.0.113.9", networks=["::ffff:10.0.0.0/104"]) == "203.0.113.9"
    assert seen("10.1.2.3", "203.0.113.9", networks=["::ffff:10.0.0.0/104"]) == "203.0.113.9"
    assert seen("11.1.2.3", "203.0.113.9", networks=["::ffff:10.0.0.0/104"]) == "11.1.2.3"


@pytest.mark.parametrize("peer", ["11.0.0.1", "::ffff:11.0.0.1", "fe80::1%eth0", "", "unix:", "localhost"])
def test_nobody_else_does(peer):
    assert seen(peer, "203.0.113.9") == peer


@pytest.mark.parametrize("forwarded", ["unknown", "_hidden", "203.0.113.9:4711", "", "203.0.113.9, x"])
def test_what_is_no_address_leaves_the_proxys_own(forwarded):
    assert seen("10.1.2.3", forwarded) == "10.1.2.3"
