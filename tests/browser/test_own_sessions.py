"""The page of one's own sessions, with one and with forty of them, with a clock each; also without JavaScript."""

import re

import pytest
from playwright.sync_api import expect

from bridge import embedded_store
from bridge.clock import SystemClock
from bridge.keys import KeyFolder
from bridge.sealing import Sealer
from bridge.sessions.cookie import SESSION_COOKIE
from bridge.sessions.store import SessionStore
from bridge.settings import load_settings
from bridge.store_connection import connect_store
from tests.browser.conftest import WIDTHS, arrive, find_barriers
from tests.browser.test_sign_in import Mouse, click_tile, sign_in_at_idp
from tests.live_store import make_identity

MANY = 40


@pytest.fixture
def own(page, installation):
    """Return the page of somebody who is signed in in this browser alone."""
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "oidc")
    page.get_by_role("link", name="All sessions").click()
    arrive(page, "Your sessions")
    if page.get_by_role("button", name="End all others").count():
        page.get_by_role("button", name="End all others").click()
    expect(page.locator("[id^=session-]")).to_have_count(1)
    return page


def open_others(page, installation, number):
    """Open sessions of the same person in other browsers and terminals."""
    said = page.evaluate("fetch('/api/v1/session').then(answer => answer.json())")
    identity = make_identity(
        provider=said["provider"], protocol="oidc", issuer=said["issuer"], subject=said["subject"], claims={}
    )
    settings = load_settings(installation.config)
    redis = connect_store(embedded_store.start(installation.store_folder), **settings.store_credentials())
    sealer = Sealer(*KeyFolder(settings.key_folder).sealing_keys())
    for each in range(number):
        terminal = each % 2 == 1
        store = SessionStore(redis, sealer, SystemClock(), 1800, 28_800, kind="terminal" if terminal else "session")
        program = "rambridge on a machine with a rather long name, 林薇" if terminal else ""
        store.create(identity, program=program, opened_from=f"2001:db8:85a3::8a2e:370:{each:04x}")
    redis.close()


@pytest.mark.parametrize("number", [0, MANY - 1])
def test_sessions_have_clocks_no_barrier_and_their_pictures(own, installation, shoot, scheme, number):
    own.emulate_media(color_scheme=scheme)
    own.goto(f"{installation.bridge}/")
    own.get_by_role("button", name=re.compile("^Get credentials: Read only")).click()
    arrive(own, "Read only in Acme Production")
    open_others(own, installation, number)
    own.goto(f"{installation.bridge}/my/sessions")
    clocks = own.locator("[id^=session-]")
    assert clocks.count() == number + 1
    assert all(re.fullmatch(r"until [^·]+ · (\d+ h|(\d+ h )?\d+ min) left", each) for each in clocks.all_inner_texts())
    assert own.locator("[id^=handed-out-]").first.inner_text().endswith("left")
    for width in WIDTHS[scheme]:
        own.set_viewport_size({"width": width, "height": 900})
        assert find_barriers(own) == []
        assert own.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shoot(own, f"own-sessions-{number + 1}-{scheme}-{width}")


def test_without_javascript_a_clock_says_the_time_and_the_buttons_work(own, installation, new_page):
    open_others(own, installation, 2)
    page = new_page(java_script_enabled=False, storage_state=own.context.storage_state())
    page.goto(f"{installation.bridge}/my/sessions")
    assert re.fullmatch(r"until \d{4}-\d\d-\d\d \d\d:\d\d UTC", page.locator("#session-1").inner_text())
    page.get_by_role("button", name=re.compile("^End: rambridge on a machine")).click()
    expect(page.locator("[id^=session-]")).to_have_count(2)
    page.get_by_role("button", name="End all others").click()
    expect(page.locator("[id^=session-]")).to_have_count(1)
    page.get_by_role("button", name="Sign out everywhere").click()
    page.get_by_role("heading", name="You are signed out here").wait_for()


def test_the_page_on_the_way_to_another_sign_in_has_no_barrier_and_its_pictures(page, installation, shoot, scheme):
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "oidc")
    page.get_by_role("heading", name="Your access").wait_for()
    page.context.clear_cookies(name=SESSION_COOKIE)
    page.emulate_media(color_scheme=scheme)
    # It goes on by itself at once: stopped here, to be looked at.
    page.route(re.compile(r"/sign-in\?"), lambda route: route.fulfill(status=204))
    page.get_by_role("button", name="Open console: Developer in Acme Sandbox").click()
    page.get_by_role("heading", name="Your session has ended").wait_for()
    for width in WIDTHS[scheme]:
        page.set_viewport_size({"width": width, "height": 900})
        assert find_barriers(page) == []
        shoot(page, f"sign-in-again-{scheme}-{width}")


def test_a_click_after_the_sessions_end_comes_back_to_its_card(page, installation, shoot):
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "oidc")
    page.get_by_role("heading", name="Your access").wait_for()
    page.context.clear_cookies(name=SESSION_COOKIE)
    page.get_by_role("button", name="Open console: Developer in Acme Sandbox").click()
    page.wait_for_url(f"{installation.bridge}/?again=1#card-*")
    assert page.locator(".card:target h3").inner_text() == "Developer"
    assert find_barriers(page) == []
    shoot(page, "portal-again")
    page.get_by_role("button", name="Open console: Developer in Acme Sandbox").click()
    page.wait_for_url(f"{installation.cloud}/console")
