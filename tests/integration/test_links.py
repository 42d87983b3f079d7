"""Bookmarks, signed links and favourites, from one person's portal to another's console."""

import re
import time
from html import unescape
from urllib.parse import quote

import pytest

PAGE = "https://ecs.console.aliyun.com/server?regionId=cn-hangzhou"
BOOKMARK = f"/open/acme-production/ReadOnly?to={quote(PAGE, safe='')}"


def find_id(installation, browser, name):
    answer = browser.open(f"{installation.bridge}/api/v1/session").json()
    return next(each["id"] for each in answer["entitlements"] if each["name"] == name)


def make_link(installation, browser, name, to=PAGE, days="7"):
    made = find_id(installation, browser, name)
    browser.open(f"{installation.bridge}/links/{made}")
    return browser.submit(f"/links/{made}", to=to, days=days)


def read_link(page):
    return unescape(re.search(r'id="made"[^>]*>([^<]*)<', page.html)[1])


@pytest.fixture
def browser(installation):
    return installation.sign_in()


@pytest.mark.parametrize("account", ["acme-production", "1000000000000001"])
def test_a_bookmark_shows_where_it_leads_and_one_click_opens_it(installation, browser, account):
    page = browser.open(f"{installation.bridge}{BOOKMARK.replace('acme-production', account)}")
    assert PAGE in page.text()
    browser.submit("Open console")
    page = browser.auto_submit()
    assert page.url.startswith(f"{installation.cloud}/")
    assert "You are ReadOnly" in page.text()
    assert f"{PAGE} the real console would open this now" in page.text()


def test_the_record_says_to_which_page_a_link_led_and_nothing_of_its_query(installation, browser):
    browser.open(f"{installation.bridge}{BOOKMARK}&secret=s3cr3t")
    before = len(installation.records())
    browser.submit("Open console", to=f"{PAGE}&token=s3cr3t#s3cr3t")
    chosen = find_id(installation, browser, "ReadOnly")
    browser.open(f"{installation.bridge}/")
    browser.submit(f"/console/{chosen}")
    with_page, without = [each for each in installation.records()[before:] if each["event"] == "delivery.console"]
    assert with_page["destination"] == "ecs.console.aliyun.com/server"
    assert "destination" not in without
    assert "s3cr3t" not in str(installation.records()[before:])


def test_after_signing_in_one_arrives_where_the_bookmark_leads(installation):
    browser = installation.browser_at_idp()
    browser.open(f"{installation.bridge}{BOOKMARK}")
    browser.click(next(each.text for each in browser.page.links if "/sign-in/acme-oidc" in each.url))
    assert browser.page.url == f"{installation.bridge}{BOOKMARK}"
    assert "Open the console?" in browser.page.text()


def test_a_signed_link_opens_for_another_person_by_their_own_right(installation, browser):
    url = read_link(make_link(installation, browser, "ReadOnly"))
    assert url.startswith(f"{installation.bridge}/go/")
    assert "ReadOnly" not in url
    assert "Open the console?" in browser.open(url).text()
    stranger = installation.sign_in("sofia.marchetti", "Rambridge (OpenID Connect)")
    assert stranger.open(url).status == 403


def test_t_out_06_following_a_link_changes_nothing(installation, browser):
    url = read_link(make_link(installation, browser, "ReadOnly"))
    before = len(installation.records())
    for each in (url, f"{installation.bridge}{BOOKMARK}", f"{installation.bridge}/open/acme-production"):
        assert browser.open(each).status == 200
    assert len(installation.records()) == before


@pytest.mark.parametrize("path", ["/go/none-of-ours", "/go/" + "A" * 200])
def test_t_out_06_a_link_that_we_did_not_make_opens_nothing(installation, browser, path):
    page = browser.open(f"{installation.bridge}{path}")
    assert page.status == 404
    assert "link_unusable" in page.text()


@pytest.mark.parametrize("to", ["https://evil.example/", "https://console.aliyun.com@evil.example/", "//evil.example"])
def test_t_web_10_neither_bookmark_nor_form_leads_to_another_site(installation, browser, to):
    page = browser.open(f"{installation.bridge}/open/acme-production/ReadOnly?to={quote(to, safe='')}")
    assert page.status == 400
    assert "link_destination" in page.text()
    page = make_link(installation, browser, "ReadOnly", to=to)
    assert "does not lead to a page of Alibaba Cloud's console" in page.text()
    assert "/go/" not in page.html
    before = len(installation.records())
    browser.open(f"{installation.bridge}{BOOKMARK}")
    assert browser.submit("Open console", to=to).status == 400
    assert len(installation.records()) == before


def test_with_several_roles_the_one_that_always_opens_a_place_comes_first(installation, browser):
    url = f"{installation.bridge}/open/acme-production?to={quote(PAGE, safe='')}"
    chosen = find_id(installation, browser, "PlatformAdmin")
    browser.open(url)
    form = next(each for each in browser.page.forms if "always" in [control.name for control in each.controls])
    assert form.action != f"{installation.bridge}/console/{chosen}"
    button = next(each for each in form.buttons if each.action and each.action.endswith(chosen))
    browser.submit(button.text, always="acme-production")
    browser.open(url)
    assert "as always" in browser.page.text()
    form = next(each for each in browser.page.forms if "always" in [control.name for control in each.controls])
    assert form.action == f"{installation.bridge}/console/{chosen}"
    browser.submit(form.buttons[0].text, never="acme-production")
    browser.open(url)
    assert "as always" not in browser.page.text()
    assert "No longer put one role first" not in browser.page.text()


def test_a_session_is_extended_by_signing_in_again_while_the_provider_still_knows_the_person(installation):
    browser = installation.sign_in("lin.wei", "Rambridge (OpenID Connect)")
    browser.open(f"{installation.bridge}/")
    before = re.search(r'data-ends="([^"]*)"', browser.page.html)[1]
    time.sleep(1.1)
    browser.click("Extend by signing in again")
    assert browser.page.url == f"{installation.bridge}/?extended=1"
    assert re.search(r'data-ends="([^"]*)"', browser.page.html)[1] > before


def test_a_favourite_comes_first_in_every_browser_until_it_is_none_any_more(installation, browser):
    chosen = find_id(installation, browser, "Developer")
    browser.open(f"{installation.bridge}/")
    assert "Favourites" not in browser.page.text()
    browser.submit(f"/favourites/{chosen}")
    other = installation.sign_in()
    other.open(f"{installation.bridge}/")
    assert "Favourites and most used" in other.page.text()
    assert re.findall(r'id="card-([0-9a-f]+)"', other.page.html)[0] == chosen
    other.submit(f"/favourites/{chosen}")
    assert "Favourites" not in other.page.text()


def test_nobody_marks_what_is_not_on_their_page(installation, browser):
    chosen = find_id(installation, browser, "Developer")
    browser.open(f"{installation.bridge}/")
    form = next(each for each in browser.page.forms if each.action.endswith(f"/favourites/{chosen}"))
    form.action = f"{installation.bridge}/favourites/0123456789abcdef"
    assert browser.submit("/favourites/0123456789abcdef").status == 403
