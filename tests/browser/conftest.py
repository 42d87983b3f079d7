import base64
import os
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import make_url, update

from bridge.audit.alerts.tables import state
from bridge.audit_log import opened_audit_log
from bridge.clock import SystemClock
from bridge.language import LANGUAGES
from bridge.settings import load_settings
from tests.installation import PATIENCE_SECONDS, run_installation
from tests.synthetic_log import write_log

SCREENSHOTS = Path(__file__).parents[1] / "screenshots"
RECORDS = int(os.environ.get("RAMBRIDGE_TEST_RECORDS", "2000"))
"""How many records are in the audit log before anybody does anything."""
MEASURED = "RAMBRIDGE_TEST_RECORDS" in os.environ
_BOTH = (1280, 390)
PICTURES = os.environ.get("RAMBRIDGE_TEST_PICTURES", "")
WIDTHS = {"light": _BOTH, "dark": _BOTH} if MEASURED or PICTURES == "all" else {"light": (1280,), "dark": (390,)}
"""Widths in pixels at which pages are looked at in a scheme; all four pictures of each with the variable set."""
LOOKS = {
    "all": [(language, scheme, _BOTH) for language in LANGUAGES for scheme in WIDTHS],
    "docs": [("en", "light", (1280,)), ("zh-CN", "dark", (1280,))],
}.get(PICTURES, [("en", "light", (1280,)), ("zh-CN", "dark", (390,))])
"""In which language and scheme each page is looked at, and at which widths."""
LOG = os.environ.get("RAMBRIDGE_TEST_LOG")
"""A SQLite file that ``python -m tests.synthetic_log`` wrote, which is copied so that no log has to be written."""
_WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}

PATIENCE_MS = PATIENCE_SECONDS * 1_000
expect.set_options(timeout=PATIENCE_MS)


def arrive(page, heading, **options):
    """Wait for the page with this heading, and for its end: what stands below the heading may come later."""
    page.get_by_role("heading", name=heading, **options).wait_for()
    page.wait_for_load_state()


def stop_clock(page):
    """Let no time pass in this page and those that follow: what is shown for two seconds may be looked at later."""
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))


def copy(page, button):
    """Press a button that copies, on a page whose clock stands; return what is in the clipboard once it says so."""
    button.click()
    button.get_by_text("Copied").wait_for()
    return page.evaluate("navigator.clipboard.readText()")


def find_barriers(page):
    """Return what axe finds on the page against WCAG 2.2, levels A and AA."""
    page.wait_for_load_state()  # without the style sheet the colours are others
    found = Axe().run(page, options=_WCAG).response["violations"]
    return [(each["id"], [node["target"] for node in each["nodes"]]) for each in found]


@pytest.fixture(scope="session")
def installation(tmp_path_factory):
    with run_installation(tmp_path_factory.mktemp("browser"), prepare) as (installation, _):
        yield installation


def prepare(installation):
    ask_by_post(installation)
    if LOG:
        copy_log(installation)
    if RECORDS or LOG:
        with opened_audit_log(load_settings(installation.config), SystemClock()) as log:
            if not LOG:
                write_log(log.engine, log.secrets, RECORDS)
            log.sequencer.sign_first()
            if MEASURED:
                pass_over_alerts(log)


def copy_log(installation):
    """Take a log that is kept, and the key that it was written with."""
    log = Path(make_url(load_settings(installation.config).audit_url()).database)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(LOG, log)
    key = installation.folder / "certs" / "audit-records" / "current.key"
    key.write_text(base64.b64encode(bytes(32)).decode())


def pass_over_alerts(log):
    """Let the log be one whose alerts were found as it grew, and not all of them be looked for meanwhile."""
    last = log.reader.end()
    with log.engine.begin() as connection:
        connection.execute(update(state).values(position=last))


def ask_by_post(installation):
    """Let AuthnRequests travel by a form: what a browser lets a form do, only a browser can tell."""
    provider = installation.config / "providers" / "acme-saml.yaml"
    provider.write_text(provider.read_text() + "\nrequest_binding: post\n")


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture
def new_page(chromium):
    """Return a function that opens a page of a new profile, where no colour changes by and by."""
    with ExitStack() as stack:

        def open_page(**options):
            context = chromium.new_context(reduced_motion="reduce", **options)
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            return context.new_page()

        yield open_page


@pytest.fixture
def page(new_page):
    """Return a page of a new profile; the test fails if the page reports anything on its console."""
    page = new_page(viewport={"width": 1280, "height": 900})
    reported = []
    page.on("console", lambda message: reported.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: reported.append(str(error)))
    yield page
    page.context.close()
    assert not [text for text in reported if "status of 4" not in text], reported


@pytest.fixture
def shoot():
    """Return a function that takes a screenshot into the git-ignored folder."""
    SCREENSHOTS.mkdir(exist_ok=True)

    def take(page, name):
        page.wait_for_load_state()
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    return take
