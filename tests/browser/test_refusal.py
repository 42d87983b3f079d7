"""The page of a refusal: what helps, by mouse, by keyboard, without JavaScript, in both languages and schemes."""

import pytest

from tests.browser.conftest import WIDTHS, arrive, copy, find_barriers, stop_clock
from tests.browser.test_sign_in import Mouse, click_tile, sign_in_at_idp

OPENS = {"light": ("en", "A message that you can send"), "dark": ("zh-CN", "可发送的消息")}
"""In one language in each scheme, and what opens the message; test_every_page.py has the others."""
LINK = "/open/acme-production/NoSuchRole"


@pytest.fixture
def refused(page, installation):
    """Return the page of somebody who followed a link to a role that they do not have."""
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "oidc")
    arrive(page, "Your access")
    page.goto(f"{installation.bridge}{LINK}")
    page.get_by_role("heading", name="You do not have this role").wait_for()
    return page


def test_the_keyboard_reaches_the_one_thing_to_do_first_and_number_and_message_are_copied(refused, installation):
    button = refused.get_by_role("link", name="Write to the owner")
    assert button.get_attribute("href").startswith("mailto:platform@acme.example?subject=")
    refused.locator("main").focus()
    refused.keyboard.press("Tab")
    assert button.evaluate("element => element === document.activeElement")
    refused.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=installation.bridge)
    stop_clock(refused)
    reference = refused.locator("#reference").inner_text()
    assert copy(refused, refused.locator("[data-copy=reference]")) == reference
    refused.get_by_text("A message that you can send").click()
    message = copy(refused, refused.locator("[data-copy=letter]"))
    assert f"Reference: {reference}" in message
    assert "Role: NoSuchRole" in message


def test_everything_is_there_without_javascript(refused, new_page, installation):
    page = new_page(java_script_enabled=False, storage_state=refused.context.storage_state())
    page.goto(f"{installation.bridge}{LINK}")
    page.get_by_text("A message that you can send").click()
    assert page.locator("#letter").is_visible()
    assert page.locator("#reference").is_visible()
    assert page.get_by_role("button", name="Copy").count() == 0, "what does nothing is not shown"


def test_nobody_is_kept_out_by_how_the_page_is_written(refused, installation, new_page, shoot, scheme):
    state = refused.context.storage_state()
    locale, opens = OPENS[scheme]
    for width in WIDTHS[scheme]:
        page = new_page(
            color_scheme=scheme, viewport={"width": width, "height": 900}, locale=locale, storage_state=state
        )
        page.goto(f"{installation.bridge}{LINK}")
        page.get_by_text(opens).click()
        shoot(page, f"refusal-{locale}-{scheme}-{width}")
        assert find_barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
