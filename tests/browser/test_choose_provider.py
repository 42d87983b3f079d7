"""Finding one's provider by an e-mail address, being remembered, and signing in again for a role: in Chromium."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import arrive
from tests.browser.test_sign_in import Keyboard, Mouse, find


def sign_in_with(page, hand, method, uid="lin.wei"):
    """Fill in the provider's own page."""
    hand.type("User name or e-mail", uid)
    hand.activate("radio", method)
    hand.activate("button", "Sign in")


def test_an_address_and_enter_lead_to_the_provider_with_the_keyboard_alone(page, installation, shoot):
    page.goto(f"{installation.bridge}/")
    field = page.get_by_label("E-mail address")
    expect(field, "one can type at once").to_be_focused()
    page.keyboard.type("lin.wei@elsewhere.example")
    page.keyboard.press("Enter")
    page.get_by_text("Nobody signs in here with an address of this domain.").wait_for()
    shoot(page, "sign-in-unknown-domain")
    expect(field).to_be_focused()
    assert "elsewhere" not in page.url
    page.keyboard.press("Control+A")
    page.keyboard.type("Lin.Wei@ACME.example")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{installation.idp}/**")
    sign_in_with(page, Keyboard(page), "Password only")
    page.get_by_role("heading", name="Your access").wait_for()

    page.context.clear_cookies(name="__Host-rambridge")
    page.goto(f"{installation.bridge}/")
    page.get_by_role("heading", name="Your access").wait_for()  # straight on, to the provider that it was
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="You are signed out here").wait_for()
    shoot(page, "signed-out")
    Keyboard(page).activate("link", "Use another account")
    page.get_by_label("E-mail address").wait_for()
    Keyboard(page).activate("link", "Acme (OpenID Connect)")
    page.get_by_role("heading", name="Your access").wait_for()


def test_without_scripts_an_address_leads_to_a_provider_that_is_asked_by_redirect(new_page, installation):
    page = new_page(java_script_enabled=False)
    page.goto(f"{installation.bridge}/")
    page.get_by_label("E-mail address").fill("ines.ferrand@partner.example")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{installation.idp}/**")
    assert page.get_by_label("User name or e-mail").input_value() == "ines.ferrand@partner.example"


@pytest.mark.parametrize("hand", [Mouse, Keyboard], ids=["mouse", "keyboard"])
@pytest.mark.parametrize("way", ["Acme", "Acme (OpenID Connect)"])
def test_a_role_that_needs_a_second_factor_asks_for_it_and_is_there_afterwards(page, installation, hand, way, shoot):
    hand = hand(page)
    page.goto(f"{installation.bridge}/sign-in?choose=1")
    hand.activate("link", way)
    sign_in_with(page, hand, "Password only")
    arrive(page, "Your access")
    assert find(page, "button", "Open console: Administrator in Acme Production").count() == 0
    hand.activate("link", "Sign in again: Administrator in Acme Production")
    sign_in_with(page, hand, "Password + security key")
    page.get_by_role("heading", name="Your access").wait_for()
    assert "#card-" in page.url
    shoot(page, "step-up-done")
    hand.activate("button", "Open console: Administrator in Acme Production")
    page.wait_for_url(f"{installation.cloud}/console")
    assert "You are PlatformAdmin" in page.get_by_role("heading", level=1).inner_text()


def test_a_weak_second_sign_in_ends_on_a_page_and_the_session_goes_on(page, installation, shoot):
    mouse = Mouse(page)
    page.goto(f"{installation.bridge}/sign-in?choose=1")
    mouse.activate("link", "Acme (OpenID Connect)")
    sign_in_with(page, mouse, "Password only")
    mouse.activate("link", "Sign in again: Administrator in Acme Production")
    sign_in_with(page, mouse, "Password only")
    page.get_by_text("step_up_not_met").wait_for()
    shoot(page, "step-up-refused")
    mouse.activate("link", "Go to the start page")
    page.get_by_role("heading", name="Your access").wait_for()
