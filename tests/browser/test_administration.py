"""An administrator finds out in Chromium why somebody was refused, with the reference that the person saw."""

import base64
import re

import pytest
import requests

from tests.browser.conftest import arrive
from tests.browser.test_sign_in import Keyboard, Mouse, click_tile, sign_in_at_idp
from tests.installation import PATIENCE_SECONDS


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
        requests.post(form.action, fields, timeout=PATIENCE_SECONDS)
    page = requests.post(form.action, fields, timeout=PATIENCE_SECONDS)
    return re.search(r'id="reference">([0-9A-F-]+)<', page.text)[1]


def sign_in(page, hand, installation):
    sign_in_at_idp(page, hand, installation)
    click_tile(page, hand, "saml-sp-initiated")
    arrive(page, "Your access")


@pytest.mark.parametrize("hand", [Mouse, Keyboard], ids=["mouse", "keyboard"])
def test_an_administrator_finds_out_why_somebody_was_refused(page, installation, hand):
    hand, reference = hand(page), send_old_answer(installation, tampered=True)
    sign_in(page, hand, installation)
    hand.activate("link", "Administration")
    hand.type("Reference from an error page", reference.lower())
    hand.activate("button", "Show")
    arrive(page, "This sign-in was refused")
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
    page.wait_for_load_state()
    [rule] = page.get_by_role("table").get_by_role("rowheader").all()
    assert rule.inner_text().startswith("finance")
    assert "is in the group finance" in page.get_by_role("table").inner_text()
