"""An administrator finds out in Chromium why somebody was refused, with the reference that the person saw."""

import base64
import re

import pytest
import requests

from tests.browser.conftest import WIDTHS
from tests.browser.test_sign_in import Keyboard, Mouse, click_tile, sign_in_at_idp


def send_old_answer(installation, *, tampered=False):
    """Let somebody be refused: with an answer that was used before, or with one that was changed on its way."""
    browser = installation.browser_at_idp("amara.okafor")
    browser.click("Alibaba Cloud")
    [form] = [form for form in browser.page.forms if "SAMLResponse" in form.fields]
    fields = dict(form.fields)
    if tampered:
        response = base64.b64decode(fields["SAMLResponse"]).replace(b"Amara", b"Admin")
        fields["SAMLResponse"] = base64.b64encode(response).decode()
    else:
        requests.post(form.action, fields, timeout=10)
    page = requests.post(form.action, fields, timeout=10)
    return re.search(r'id="reference">([0-9A-F-]+)<', page.text)[1]


def sign_in(page, hand, installation):
    sign_in_at_idp(page, hand, installation)
    click_tile(page, hand, "saml-sp-initiated")
    page.get_by_role("heading", name="Your access").wait_for()


@pytest.mark.parametrize("hand", [Mouse, Keyboard], ids=["mouse", "keyboard"])
def test_an_administrator_finds_out_why_somebody_was_refused(page, installation, hand):
    hand, reference = hand(page), send_old_answer(installation, tampered=True)
    sign_in(page, hand, installation)
    hand.activate("link", "Administration")
    hand.type("Reference from an error page", reference.lower())
    hand.activate("button", "Show")
    page.get_by_role("heading", name="This sign-in was refused").wait_for()
    failed = page.get_by_role("row").filter(has_text="failed")
    assert "the content is not what was signed" in failed.inner_text()
    assert "Renew the metadata" in page.get_by_role("main").inner_text()
    hand.activate("link", "All sign-ins")
    page.get_by_role("link", name=reference).wait_for()


@pytest.mark.parametrize("hand", [Mouse, Keyboard], ids=["mouse", "keyboard"])
def test_an_administrator_finds_a_rule_by_a_role_that_it_gives(page, installation, hand):
    hand = hand(page)
    sign_in(page, hand, installation)
    hand.activate("link", "Administration")
    hand.activate("link", "Rules")
    page.get_by_role("heading", name="10-platform.yaml").wait_for()
    hand.type("Name, group, role or account", "financeauditor")
    hand.activate("button", "Show")
    page.get_by_role("link", name="Show all").wait_for()
    [rule] = page.get_by_role("table").get_by_role("rowheader").all()
    assert rule.inner_text().startswith("finance")
    assert "is in the group finance" in page.get_by_role("table").inner_text()


def test_every_page_of_administrators_has_its_picture(chromium, installation, shoot, scheme):
    references = {
        "replayed": send_old_answer(installation),
        "tampered": send_old_answer(installation, tampered=True),
    }
    for width in WIDTHS[scheme]:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(10_000)
        name = f"{scheme}-{width}"
        sign_in(page, Mouse(page), installation)
        shoot(page, f"portal-of-administrator-{name}")
        page.get_by_role("link", name="Administration").click()
        page.get_by_role("heading", name="Sign-ins").wait_for()
        shoot(page, f"admin-sign-ins-{name}")
        page.get_by_label("Reference from an error page").fill("nothing")
        page.get_by_role("button", name="Show").click()
        page.get_by_text("A reference has twelve").wait_for()
        shoot(page, f"admin-wrong-reference-{name}")
        for kind, reference in references.items():
            page.goto(f"{installation.bridge}/admin/sign-ins/{reference}")
            page.get_by_role("heading", name="This sign-in was refused").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            shoot(page, f"admin-trace-{kind}-{name}")
        page.goto(f"{installation.bridge}/admin/sign-ins")
        page.get_by_role("row").filter(has_text="accepted").first.get_by_role("link").click()
        page.get_by_role("heading", name="This sign-in was accepted").wait_for()
        shoot(page, f"admin-accepted-{name}")
        page.goto(f"{installation.bridge}/admin/sign-ins/0000-0000-0000")
        shoot(page, f"admin-nothing-{name}")
        for kind, query in {"all": "", "some": "?file=20-departments.yaml", "none": "?text=nowhere"}.items():
            page.goto(f"{installation.bridge}/admin/rules{query}")
            page.get_by_role("heading", name="Rules", exact=True).wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            shoot(page, f"admin-rules-{kind}-{name}")
        context.close()
