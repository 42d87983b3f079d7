"""An administrator asks in Chromium why somebody has these roles, from the sign-in and with claims that are made up."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_administration import sign_in
from tests.browser.test_sign_in import Keyboard, Mouse

CLAIMS = """provider: acme-saml
claims:
  groups: [platform, Finance, "data ", contractors]
  department: security
  uid: lin/wei
  email: lin.wei@acme.example
acr: urn:oasis:names:tc:SAML:2.0:ac:classes:Password
"""


@pytest.mark.parametrize("hand", [Mouse, Keyboard], ids=["mouse", "keyboard"])
def test_an_administrator_is_told_why_somebody_has_these_roles(page, installation, hand):
    hand = hand(page)
    sign_in(page, hand, installation)
    hand.activate("link", "Administration")
    page.get_by_role("row").filter(has_text="accepted").first.get_by_role("link").click()
    hand.activate("link", "Why these roles?")
    page.get_by_text("Granted by platform-daily: groups has platform").first.wait_for()
    hand.type("Only rules with this in their name", "finance")
    hand.activate("button", "Explain")
    expect(page.get_by_role("main")).not_to_contain_text("security-and-support")
    page.get_by_text("needs a group named finance").wait_for()
    assert re.fullmatch(r".*/admin/explain", page.url), "a name stands in no address"
