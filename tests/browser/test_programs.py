"""Letting a program in, through the system browser or by a code: in Chromium."""

from tests.browser.conftest import WIDTHS, find_barriers
from tests.browser.test_choose_provider import sign_in_with
from tests.browser.test_sign_in import Keyboard, Mouse
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


def test_pages_for_programs_have_their_pictures_and_no_barriers(chromium, installation, shoot, scheme):
    with listening(installation.bridge) as program:
        for width in WIDTHS[scheme]:
            context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = context.new_page()
            page.set_default_timeout(10_000)

            def show(name, page=page, width=width):
                shoot(page, f"{name}-{scheme}-{width}")
                assert find_barriers(page) == []

            page.goto(f"{installation.bridge}/sign-in/acme-oidc")
            sign_in_with(page, Mouse(page), "Password only")
            page.get_by_role("heading", name="Your access").wait_for()
            page.goto(program.question())
            show("program-asks")
            page.goto(program.question(redirect_uri="http://evil.example/callback"))
            show("program-elsewhere")
            program.start_device()
            page.goto(f"{installation.bridge}/device")
            show("terminal-code")
            page.get_by_label("Code").fill("BCDF-GHJK")
            page.get_by_role("button", name="Continue").click()
            show("terminal-unknown")
            page.get_by_label("Code").fill(program.device["user_code"])
            page.get_by_role("button", name="Continue").click()
            show("terminal-asks")
            page.get_by_role("button", name="Allow as").click()
            show("terminal-allowed")
            assert program.poll().status_code == 200
            context.close()
