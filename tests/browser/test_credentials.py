"""Credentials on their page: covered until a click and again afterwards, and copied whole in each form."""

import json
import re

import pytest
from playwright.sync_api import Error as PageError

from tests.browser.conftest import arrive, copy, stop_clock
from tests.browser.test_sign_in import Mouse, click_tile, sign_in_at_idp

SHOWN_SECONDS = 60


@pytest.fixture
def credentials(page, installation):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=installation.bridge)
    sign_in_at_idp(page, Mouse(page), installation)
    click_tile(page, Mouse(page), "saml-sp-initiated")
    arrive(page, "Your access")
    stop_clock(page)
    page.get_by_role("button", name="Get credentials: Read only in Acme Production").click()
    arrive(page, "Read only in Acme Production")
    return page


def copy_form(page, form):
    return copy(page, page.locator(f"[data-copy={form}-text]"))


def test_each_form_is_copied_whole_while_it_is_covered(credentials):
    key = credentials.locator("#access-key-id").inner_text()
    lines = dict(re.findall(r"^export ([A-Z_]+)=(\S+)$", copy_form(credentials, "environment"), re.MULTILINE))
    written = json.loads(copy_form(credentials, "json"))
    [profile] = json.loads(copy_form(credentials, "profile"))["profiles"]
    secret, token = lines["ALIBABA_CLOUD_ACCESS_KEY_SECRET"], lines["ALIBABA_CLOUD_SECURITY_TOKEN"]
    assert lines["ALIBABA_CLOUD_ACCESS_KEY_ID"] == key
    assert (written["AccessKeyId"], written["AccessKeySecret"], written["SecurityToken"]) == (key, secret, token)
    assert (profile["mode"], profile["access_key_id"]) == ("StsToken", key)
    assert (profile["access_key_secret"], profile["sts_token"]) == (secret, token)
    shown = credentials.locator("main").inner_text()
    assert secret not in shown
    assert token not in shown


@pytest.mark.parametrize("form", ["environment", "json", "profile"])
def test_secrets_are_shown_by_a_click_and_covered_by_the_next_or_after_a_minute(credentials, form):
    secret = json.loads(copy_form(credentials, "json"))["AccessKeySecret"]
    text, button = credentials.locator(f"#{form}-text"), credentials.locator(f"[data-reveal={form}-text]")
    assert secret not in text.inner_text()
    button.click()
    assert secret in text.inner_text()
    assert button.inner_text().startswith("Hide")
    button.click()
    assert secret not in text.inner_text()
    button.click()
    credentials.clock.fast_forward((SHOWN_SECONDS - 5) * 1000)
    assert secret in text.inner_text()
    credentials.clock.fast_forward(6000)
    assert secret not in text.inner_text()
    assert button.inner_text().startswith("Show")


def test_nothing_is_left_to_see_for_whoever_goes_back(credentials, installation):
    secret = json.loads(copy_form(credentials, "json"))["AccessKeySecret"]
    credentials.locator("[data-reveal=json-text]").click()
    credentials.goto(f"{installation.bridge}/")
    with pytest.raises(PageError, match="ERR_CACHE_MISS"):
        credentials.go_back()
    credentials.wait_for_url("chrome-error://**")
    assert secret not in credentials.content()
