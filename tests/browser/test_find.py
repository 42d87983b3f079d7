"""The paste box in a browser: by keyboard alone, without JavaScript, in both schemes and languages."""

import pytest

from tests.browser.conftest import WIDTHS, find_barriers
from tests.browser.test_sign_in import Mouse, click_tile, sign_in_at_idp

DENIED = (
    "Forbidden.RAM AuthAction: ecs:StopInstance, AuthResource: "
    "acs:ecs:cn-hangzhou:1000000000000002:instance/i-bp1shop, NoPermissionType: ImplicitDeny"
)
PASTES = {
    "found": "https://ecs.console.aliyun.com/server/i-bp1shop/detail?regionId=cn-hangzhou",
    "none": "Forbidden.RAM action: ram:CreateUser, resource: acs:ram::1000000000000002:user/x",
    "nothing": "hello",
}
BUTTONS = {"en-GB": "Find the role", "zh-CN": "查找角色"}


@pytest.mark.parametrize(("scheme", "language"), [("light", "en-GB"), ("dark", "zh-CN")])
def test_every_answer_has_no_barriers(new_page, installation, scheme, language, shoot):
    page = new_page(color_scheme=scheme, locale=language)
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "saml-sp-initiated")
    page.locator(".find-fold summary").click()
    assert find_barriers(page) == []
    for name, text in PASTES.items():
        page.goto(f"{installation.bridge}/find")
        page.locator("#pasted").fill(text)
        page.get_by_role("button", name=BUTTONS[language]).click()
        page.locator("#best, .notice, .fault").first.wait_for()
        assert find_barriers(page) == []
        for width in WIDTHS[scheme]:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
            shoot(page, f"find-{name}-{scheme}-{width}-{language}")


def test_from_the_portal_by_keyboard_alone_without_javascript(page, new_page, installation):
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "saml-sp-initiated")
    page.locator(".find-fold").wait_for()
    plain = new_page(java_script_enabled=False, storage_state=page.context.storage_state())
    plain.goto(installation.bridge)
    plain.locator(".find-fold summary").focus()
    plain.keyboard.press("Enter")
    plain.keyboard.press("Tab")
    plain.keyboard.insert_text(DENIED)
    plain.keyboard.press("Tab")
    plain.keyboard.press("Enter")
    plain.locator("#best").wait_for()
    assert plain.locator(".cards.one h3").inner_text() == "Developer"
