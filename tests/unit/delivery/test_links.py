import base64
import os
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.delivery.links import CONSOLE_DOMAINS, LONGEST_LIFE, Links, check_destination, name_place
from bridge.errors import DestinationRefused, LinkUnusable
from bridge.sealing import Sealer
from bridge.web.return_path import local_path
from tests.live_store import MovableClock

PAGE = "https://ecs.console.aliyun.com/server/i-1/detail?regionId=cn-hangzhou#/instance"
DAY = timedelta(days=1)


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def links(clock):
    return Links(Sealer(os.urandom(32)), clock)


@pytest.mark.parametrize(
    "url",
    [
        PAGE,
        "https://home.console.aliyun.com/",
        "https://console.aliyun.com",
        "https://ram.console.alibabacloud.com/overview",
    ],
)
def test_pages_of_the_console_are_allowed(url):
    assert check_destination(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://ecs.console.aliyun.com/",
        "https://evil.example/",
        "https://console.aliyun.com.evil.example/",
        "https://evilconsole.aliyun.com/",
        "https://signin.aliyun.com/logout",
        "https://ecs.console.aliyun.com@evil.example/",
        "https://evil.example\\@ecs.console.aliyun.com/",
        "https://user:word@ecs.console.aliyun.com/",
        "https://ecs.console.aliyun.com:8443/",
        "https://ECS.console.aliyun.com/",
        "https://ecs.console.aliyun.com./",
        "https://eсs.console.aliyun.com/",
        "https://ecs.console.aliyun.com/\n",
        " https://ecs.console.aliyun.com/",
        "//ecs.console.aliyun.com/",
        "https:ecs.console.aliyun.com",
        "https:///ecs.console.aliyun.com",
        "javascript:alert(1)//.console.aliyun.com",
        "https://[ecs.console.aliyun.com]/",
        "https://ecs.console.aliyun.com/" + "a" * 1000,
        "",
    ],
)
def test_t_web_10_a_link_leads_nowhere_else(url, links):
    with pytest.raises(DestinationRefused):
        check_destination(url)
    if url:
        with pytest.raises(DestinationRefused):
            links.make("acme", "role", "ReadOnly", url, DAY)


@given(st.text(alphabet=st.one_of(st.sampled_from("/\\.:@?#\t\r\n %e[]"), st.characters()), max_size=40))
@example("@evil.example")
@example("\\@evil.example")
def test_t_web_10_no_text_makes_a_console_address_lead_elsewhere(text):
    for url in (f"https://{text}.console.aliyun.com/", f"https://ecs.console.aliyun.com{text}", text):
        try:
            check_destination(url)
        except DestinationRefused:
            continue
        host = urlsplit(url.replace("\\", "/")).netloc
        assert any(host == domain or host.endswith(f".{domain}") for domain in CONSOLE_DOMAINS)


def test_a_link_says_what_it_was_made_for_until_its_end(links, clock):
    token, ends = links.make("acme", "role", "ReadOnly", PAGE, DAY)
    link = links.read(token)
    assert (link.account, link.kind, link.name, link.destination) == ("acme", "role", "ReadOnly", PAGE)
    assert link.expires_at == ends
    clock.advance(DAY.total_seconds() - 2)
    links.read(token)
    clock.advance(2)
    with pytest.raises(LinkUnusable):
        links.read(token)


def test_no_link_lives_longer_than_a_month(links, clock):
    _, ends = links.make("acme", "role", "ReadOnly", "", timedelta(days=365))
    assert ends <= clock.now() + LONGEST_LIFE


def test_t_out_06_a_link_that_was_changed_or_made_by_others_is_refused(links, clock):
    token, _ = links.make("acme", "role", "ReadOnly", PAGE, DAY)
    sealed = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for place in range(0, len(sealed), 7):
        changed = sealed.copy()
        changed[place] ^= 1
        with pytest.raises(LinkUnusable):
            links.read(base64.urlsafe_b64encode(changed).rstrip(b"=").decode())
    stranger, _ = Links(Sealer(os.urandom(32)), clock).make("acme", "role", "ReadOnly", PAGE, DAY)
    for other in (stranger, "", "a", token[:-4], token + "%", "é" * 20):
        with pytest.raises(LinkUnusable):
            links.read(other)


def test_the_longest_link_fits_into_the_way_back_from_a_sign_in(links):
    longest = "https://ecs.console.aliyun.com/" + os.urandom(480).hex()
    token, _ = links.make("a" * 63, "role", "r" * 64, longest, DAY)
    assert local_path(f"/go/{token}") == f"/go/{token}"


def test_links_to_one_service_in_one_account_have_one_place():
    assert name_place("acme", PAGE) == name_place("acme", "https://ecs.console.aliyun.com/") != name_place("acme", "")
