"""An auditor finds, reads and follows in Chromium, by the keyboard alone; an employee sees their own."""

import re
import sys
import time

from tests.browser.conftest import MEASURED, RECORDS, arrive
from tests.browser.test_administration import send_old_answer, sign_in
from tests.browser.test_sign_in import Keyboard, Mouse, sign_in_at_idp

AT_ONCE_SECONDS = 0.5 if MEASURED else 5.0
now = time.monotonic if MEASURED else time.process_time
"""The suite runs beside others, so that only what this process itself works for an answer says anything; what is
measured is measured alone, and with many records."""

LINE_HEIGHT = 40
"""Pixels of a link in the navigation."""


def open_audit(page, hand, installation):
    sign_in(page, hand, installation)
    hand.activate("link", "Audit")
    arrive(page, "Overview")


def is_narrow_enough(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_an_auditor_learns_from_a_reference_why_somebody_was_refused(page, installation):
    hand, reference = Keyboard(page), send_old_answer(installation, tampered=True)
    open_audit(page, hand, installation)
    hand.activate("link", "Records")
    hand.type("Search", f" {reference.lower()} ")
    hand.activate("button", "Search")
    arrive(page, "1 record", exact=True)
    assert "saml_signature_invalid" not in page.url
    row = page.get_by_role("table", name="Records").get_by_role("row").nth(1)
    hand.activate("link", row.get_by_role("link").first.inner_text())
    arrive(page, "Why it was refused")
    story = page.get_by_role("main").inner_text()
    assert "What to do:" in story
    assert "the content is not what was signed" in story
    assert '"event": "sign_in.refused"' in page.get_by_role("region", name="The record itself").inner_text()


def test_an_auditor_follows_a_person_to_what_was_issued_to_them(page, installation):
    hand = Keyboard(page)
    sign_in(page, hand, installation)
    hand.activate("button", "Get credentials: Read only in Acme Production")
    arrive(page, "Read only in Acme Production")
    page.goto(installation.bridge)
    hand.activate("link", "Audit")
    hand.activate("link", "People")
    hand.type("Name or subject", "林")
    hand.activate("button", "Search")
    # Other tests sign her in by the other provider: to the log that is somebody else.
    page.get_by_role("listitem").filter(has=page.get_by_text(re.compile("· Acme$"))).get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="林薇", exact=True).wait_for()
    assert "林" not in page.url
    page.get_by_role("link", name="delivery.credentials").first.focus()
    page.keyboard.press("Enter")
    arrive(page, "What was issued")
    story = page.get_by_role("main").inner_text()
    assert "10-platform.yaml" in story
    assert "the shortest limit was" in story


def test_everything_works_without_javascript(new_page, installation):
    browser = installation.sign_in("lin.wei", "Rambridge (OpenID Connect)")
    page = new_page(java_script_enabled=False)
    # As https, since the cookie is a secure one; Chromium sends such to this machine.
    here = "https://localhost"
    page.context.add_cookies([{"name": each.name, "value": each.value, "url": here} for each in browser.cookies])
    page.goto(f"{installation.bridge}/audit/records")
    page.get_by_label("Outcome").select_option("Refused")
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="Without: Outcome").wait_for()
    assert page.url.endswith("?outcome=refused")
    page.goto(f"{installation.bridge}/audit")
    page.get_by_text("As a table").first.click()
    assert page.get_by_role("table").first.is_visible()


def test_a_picture_says_the_same_as_its_table(page, installation):
    open_audit(page, Mouse(page), installation)
    picture = page.get_by_role("figure", name="Sign-ins")
    picture.get_by_text("As a table").click()
    rows = picture.get_by_role("row").all_inner_texts()[1:]
    figures = [int(row.split()[-1].replace(",", "")) for row in rows]
    drawn = picture.locator(".columns title").all_text_contents()
    assert [int(text.rpartition(" ")[2].replace(",", "")) for text in drawn] == figures
    heights = [float(each.get_attribute("height")) for each in picture.locator("rect.column").all()]
    assert heights.index(max(heights)) == figures.index(max(figures))
    assert int(picture.locator("figcaption strong").inner_text().replace(",", "")) == sum(figures)


def test_an_employee_finds_their_own_sign_ins_and_is_no_auditor(page, installation):
    sign_in_at_idp(page, Mouse(page), installation, "amara.okafor")
    page.get_by_role("link", name="Rambridge", exact=True).click()
    arrive(page, "Your access")
    assert page.get_by_role("link", name="Audit").count() == 0
    page.get_by_role("link", name="See yours").click()
    arrive(page, "Your sign-ins")
    assert "You signed in with Acme" in page.get_by_role("main").inner_text()
    page.goto(f"{installation.bridge}/audit")
    page.get_by_text("web_not_auditor").wait_for()


def test_answers_come_at_once_through_the_page(page, installation):
    """RAMBRIDGE_TEST_RECORDS says how many records there are."""
    open_audit(page, Mouse(page), installation)
    with installation.open_audit() as log:
        record = next(each for each in log.reader.last(1_000) if each["event"] == "exchange.issued")
    searches = [
        "",
        f"access_key_id={record['access_key_id']}",
        f"reference={record['reference']}",
        f"person={record['subject_digest']}",
        f"address={record['source_address']}",
        "outcome=refused&days=30",
        "privileged=yes&mfa=no",
        "code=saml_expired",
        f"account={record['account']}&role={record['entitlement'].partition(' ')[2]}",
        "event=rules",
        "text=nobody-wrote-this",
    ]
    asked = [f"/audit/records?{query}" for query in searches]
    asked += ["/audit", "/audit?days=365", f"/audit/people/{record['subject_digest']}"]
    slow = {}
    for address in asked:
        took = []
        for _ in range(1 + 4 * MEASURED):
            began = now()
            page.goto(installation.bridge + address)
            took.append(now() - began)
        if MEASURED:
            sys.stdout.write(f"\n{address[:80]:80}" + "".join(f"{1_000 * each:6.0f} ms" for each in took))
        if sorted(took)[len(took) // 2] > AT_ONCE_SECONDS:
            slow[address] = took
    assert not slow, f"with {RECORDS} records"


def test_a_page_that_is_read_enlarged_keeps_all_its_words(page, installation):
    """A window of 1280 pixels at 200 and 400 %: WCAG 2.2, 1.4.4 and 1.4.10."""
    reference = send_old_answer(installation, tampered=True)
    open_audit(page, Mouse(page), installation)
    page.goto(f"{installation.bridge}/audit/records?reference={reference}")
    refusal = page.get_by_role("table", name="Records").get_by_role("link").first.get_attribute("href")
    for address in ("/audit", "/audit/records", refusal):
        page.goto(installation.bridge + address)
        for width in (640, 320):
            page.set_viewport_size({"width": width, "height": 450})
            assert is_narrow_enough(page), (address, width)
            assert page.get_by_role("link", name="Administration").bounding_box()["height"] < 2 * LINE_HEIGHT, width


def test_on_paper_a_record_is_black_on_white_and_has_nothing_to_press(page, installation):
    open_audit(page, Mouse(page), installation)
    page.goto(f"{installation.bridge}/audit/records?event=sign_in.accepted")
    page.get_by_role("table", name="Records").get_by_role("link").first.click()
    arrive(page, "How they authenticated")
    page.emulate_media(media="print", color_scheme="dark")
    assert not [each for each in page.locator("nav, button, form").all() if each.is_visible()]
    assert page.get_by_role("region", name="The record itself").is_visible()
    colours = "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    assert page.evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
