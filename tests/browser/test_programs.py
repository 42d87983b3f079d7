"""Letting a program in, through the system browser or by a code: in Chromium."""

from tests.browser.test_choose_provider import sign_in_with
from tests.browser.test_sign_in import Keyboard
from tests.integration.program import listening


def test_the_command_is_let_in_with_the_keyboard_alone_by_whoever_signs_in_on_the_way(page, installation):
    with listening(installation.bridge) as program:
        page.goto(program.question())
        Keyboard(page).activate("link", "Acme (OpenID Connect)")
        sign_in_with(page, Keyboard(page), "Password only")
        page.get_by_role("heading", name="Did you start the rambridge command?").wait_for()
        assert program.answers == []
        Keyboard(page).activate("button", "Allow as 林薇")
        page.wait_for_url(f"{program.redirect_uri}?**")  # the browser lets our form lead there
        assert program.redeem().status_code == 200
        assert program.session().status_code == 200
