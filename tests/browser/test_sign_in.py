"""From the sandbox's tile page to the stand-in console in Chromium, by mouse and by keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import arrive, copy, stop_clock

TILES = {
    "saml-idp-initiated": "Alibaba Cloud",
    "saml-sp-initiated": "Rambridge",
    "oidc": "Rambridge (OpenID Connect)",
}
TARGETS = {
    "role": ("Open console: Read only in Acme Production", "You are ReadOnly"),
    "user": ("Open console: My own user in Acme Production", "You are lin.wei"),
}


def find(page, role, name):
    """Return the element; a radio button's name goes on with an explanation."""
    return page.get_by_role(role, name=name, exact=role != "radio")


class Mouse:
    """Points and clicks."""

    def __init__(self, page):
        self._page = page

    def activate(self, role, name):
        find(self._page, role, name).click()

    def type(self, label, text):
        self._page.get_by_label(label, exact=True).fill(text)


class Keyboard:
    """Has Tab, arrows, Space, Enter and letters; nothing is clicked."""

    def __init__(self, page):
        self._page = page

    def activate(self, role, name):
        self._reach(find(self._page, role, name))
        self._page.keyboard.press("Space" if role == "radio" else "Enter")

    def type(self, label, text):
        self._reach(self._page.get_by_label(label, exact=True))
        self._page.keyboard.press("Control+A")
        self._page.keyboard.type(text)

    def _reach(self, target):
        target.wait_for()
        for _ in range(200):
            if target.evaluate("element => element === document.activeElement"):
                return
            self._page.keyboard.press("Tab")
            radios = "e => e.type === 'radio' && e.name === document.activeElement.name && e !== document.activeElement"
            if target.evaluate(radios):
                self._page.keyboard.press("ArrowDown")
        raise AssertionError(f"{target} cannot be reached with the keyboard")


def sign_in_at_idp(page, hand, installation, uid="lin.wei"):
    page.goto(installation.idp)
    hand.type("User name or e-mail", uid)
    hand.activate("radio", "Password + security key")
    hand.activate("button", "Sign in")
    arrive(page, "My applications")


def click_tile(page, hand, kind):
    tile = page.get_by_role("link", name=TILES[kind], exact=True)
    role = "link" if tile.count() else "button"
    hand.activate(role, TILES[kind])
    if kind == "saml-idp-initiated":
        hand.activate("button", "Continue as 林薇")


@pytest.mark.parametrize("hand", [Mouse, Keyboard], ids=["mouse", "keyboard"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", TILES)
def test_a_tile_leads_to_the_console(page, installation, kind, target, hand):
    hand = hand(page)
    button, expected = TARGETS[target]
    sign_in_at_idp(page, hand, installation)
    click_tile(page, hand, kind)
    page.get_by_role("heading", name="Your access").wait_for()
    hand.activate("button", button)
    page.wait_for_url(f"{installation.cloud}/console")
    assert expected in page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize("kind", ["saml-sp-initiated", "oidc"])
def test_with_one_role_a_single_click_on_the_tile_opens_the_console(page, installation, kind):
    sign_in_at_idp(page, Mouse(page), installation, "sofia.marchetti")
    click_tile(page, Mouse(page), kind)
    page.wait_for_url(f"{installation.cloud}/console")
    assert "You are FinanceAuditor" in page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize("hand", [Mouse, Keyboard], ids=["mouse", "keyboard"])
def test_the_console_of_a_narrowed_role_is_opened_by_a_token_and_says_so(page, installation, shoot, hand):
    sign_in_at_idp(page, hand(page), installation, "zhang.min")
    click_tile(page, hand(page), "oidc")
    arrive(page, "Your access")
    shoot(page, "portal-narrowed")
    hand(page).activate("button", "Open console: My data in Acme Sandbox")
    page.wait_for_url(f"{installation.cloud}/console")
    assert "You are ReadOnly" in page.get_by_role("heading", level=1).inner_text()
    assert "people/zhang.min/" in page.get_by_role("region", name="Narrowed by a session policy").first.inner_text()
    shoot(page, "console-narrowed")


def test_credentials_are_shown_hidden_and_can_be_copied(page, installation, shoot):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=installation.bridge)
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "saml-sp-initiated")
    arrive(page, "Your access")
    stop_clock(page)
    page.get_by_role("button", name="Get credentials: Read only in Acme Production").click()
    arrive(page, "Read only in Acme Production")
    shoot(page, "credentials-hidden")
    secret = page.locator(".secret").first
    assert secret.locator("span").evaluate("element => getComputedStyle(element).display") == "none"
    copied = copy(page, page.locator("[data-copy=environment-text]"))
    assert copied.startswith("export ALIBABA_CLOUD_ACCESS_KEY_ID=STS.")
    assert "ALIBABA_CLOUD_SECURITY_TOKEN=CAI" in copied
    page.locator("[data-reveal=environment-text]").click()
    shoot(page, "credentials-shown")
    assert "left" in page.locator("time").first.inner_text()


def test_pages_work_without_scripts(new_page, installation):
    page = new_page(java_script_enabled=False)
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "saml-sp-initiated")
    for party in (installation.bridge, installation.idp):  # our question, then the provider's answer
        page.wait_for_url(f"{party}/**")
        page.get_by_role("button", name="Continue", exact=True).click()
    page.get_by_role("button", name="Open console: Read only in Acme Production").click()
    page.get_by_role("button", name="Continue", exact=True).click()
    page.wait_for_url(f"{installation.cloud}/console")


def test_t_web_01_another_person_is_never_signed_in_silently(page, installation, shoot):
    mouse = Mouse(page)
    sign_in_at_idp(page, mouse, installation)
    click_tile(page, mouse, "saml-sp-initiated")
    page.get_by_role("heading", name="Your access").wait_for()
    page.goto(installation.idp)
    mouse.activate("button", "Sign out")
    page.get_by_role("heading", name="You are signed out").wait_for()
    sign_in_at_idp(page, mouse, installation, "amara.okafor")
    click_tile(page, mouse, "saml-sp-initiated")
    arrive(page, "Switch to another person?")
    shoot(page, "switch-person")
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("banner")).to_contain_text("林薇")
