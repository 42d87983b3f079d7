"""An administrator tries rules in Chromium before they are in force, with JavaScript and without."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from bridge.attack.scripted_server import wait_until
from bridge.cli.kept_sign_ins import open_kept_sign_ins
from bridge.settings import load_settings
from tests.browser.test_administration import sign_in
from tests.browser.test_sign_in import Keyboard, Mouse
from tests.installation import PATIENCE_SECONDS, run_installation

CHANGED = """
  - name: security-too
    groups: [platform]
    grant:
      - account: acme-sandbox
        role: SecurityAuditor
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """Return an installation whose rules on disk were edited after it had read them."""
    with run_installation(tmp_path_factory.mktemp("preview"), leave_files_alone) as (installation, _):
        rules = installation.config / "rules" / "10-platform.yaml"
        text = rules.read_text().replace("role: Developer", "role: SandboxDeveloper", 1)
        rules.write_text(text.replace("duration_seconds: 7200", "duration_seconds: 3600", 1) + CHANGED)
        for uid in ("amara.okafor", "ines.ferrand"):
            installation.sign_in(uid, mfa=uid == "amara.okafor")
        begin, end = datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
        with open_kept_sign_ins(load_settings(installation.config)) as kept:
            assert wait_until(lambda: kept.count(begin, end) == 2, PATIENCE_SECONDS), "they are kept by and by"
        yield installation


def leave_files_alone(installation):
    """Let files that change come into force by a command only."""
    settings = installation.config / "bridge.yaml"
    settings.write_text(settings.read_text() + "\nrules: {rollout: promote}\n")


def open_preview(page, hand, installation):
    sign_in(page, hand, installation)
    page.goto(f"{installation.bridge}/admin/preview")


@pytest.mark.parametrize("hand", [Mouse, Keyboard], ids=["mouse", "keyboard"])
def test_an_administrator_sees_who_would_gain_and_who_would_lose_what(page, installation, hand):
    hand = hand(page)
    open_preview(page, hand, installation)
    hand.activate("button", "Start")
    page.get_by_role("heading", level=1).filter(has_text="people change").wait_for()
    roles = page.get_by_role("region", name="By account and role")
    expect(roles.get_by_role("row").filter(has_text="SecurityAuditor")).to_contain_text("gain")
    expect(roles.get_by_role("row").filter(has_text="10-platform.yaml:platform-daily").first).to_contain_text("lose")
    expect(page.get_by_role("img", name="Groups, rules and roles")).to_be_visible()
    hand.activate("link", "Another preview")
    page.get_by_role("button", name="Start").wait_for()


def test_without_javascript_it_works_as_well(new_page, page, installation):
    open_preview(page, Mouse(page), installation)
    plain = new_page(java_script_enabled=False, storage_state=page.context.storage_state())
    plain.goto(f"{installation.bridge}/admin/preview")
    plain.get_by_role("button", name="Start").click()
    plain.get_by_role("heading", level=1).filter(has_text="people change").wait_for()


def test_rules_that_cannot_be_used_are_shown_with_their_places(page, installation):
    open_preview(page, Mouse(page), installation)
    broken = installation.config / "rules" / "40-broken.yaml"
    broken.write_text("rules:\n  - name: broken\n    groups: [platform]\n")
    try:
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("alert")).to_contain_text("40-broken.yaml:2:5")
    finally:
        broken.unlink()
    page.goto(f"{installation.bridge}/admin/preview/{'0' * 32}")
    expect(page.get_by_role("main")).to_contain_text("web_not_found")
