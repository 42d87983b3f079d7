"""Redis or the audit database away: a clear 503 in between, and everything works afterwards without a restart."""

import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from bridge import embedded_store
from bridge.audit_log import open_audit_log
from bridge.clock import SystemClock
from bridge.database import open_engine
from bridge.settings import load_settings
from tests.integration.test_main_job import entitlements


def test_t_redis_05_redis_stopped_is_a_clear_503_and_comes_back_without_a_restart(installation):
    browser = installation.sign_in()
    assert browser.page.status == 200
    embedded_store.stop(installation.store_folder)
    try:
        for address in ("/", "/sign-in/acme-saml", "/sign-in/acme-oidc", "/api/v1/session", "/health/ready"):
            page = browser.open(f"{installation.bridge}{address}")
            assert page.status == 503, address
            assert "store_unavailable" in page.html
            assert "Traceback" not in page.html
        assert browser.open(f"{installation.bridge}/").headers["Retry-After"]
        for address, again in (("/", "/?choose=1"), ("/audit/records?event=rules", "/audit/records?event=rules")):
            page = browser.open(f"{installation.bridge}{address}")
            assert [each.url for each in page.links if each.text == "Try again"] == [f"{installation.bridge}{again}"]
        assert browser.open(f"{installation.bridge}/health/live").status == 200
    finally:
        embedded_store.start(installation.store_folder)
    assert browser.open(f"{installation.bridge}/").status == 200, "the session is still there"
    assert installation.sign_in("amara.okafor").page.status == 200


@pytest.mark.parametrize("tile", ["Alibaba Cloud", "Rambridge (OpenID Connect)"])
def test_t_aud_05_an_audit_log_that_cannot_be_written_stops_everything_and_recovers(installation, tile):
    signed_in = installation.sign_in()
    chosen = entitlements(installation, signed_in)["role acme-production/ReadOnly"]
    at_idp = installation.browser_at_idp()
    engine = open_audit_log(load_settings(installation.config), SystemClock()).engine
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE audit_records RENAME TO away"))
    try:
        for target in ("credentials", "console"):
            page = signed_in.submit(f"/{target}/{chosen['id']}")
            assert page.status == 503
            assert "audit_unavailable" in page.text()
            assert "STS." not in page.html
            assert "SAMLResponse" not in page.html
            signed_in.open(f"{installation.bridge}/")
        sessions = signed_in.open(f"{installation.bridge}/my/sessions")
        assert (sessions.status, "cannot be looked up at the moment" in sessions.text()) == (200, True)
        signed_in.open(f"{installation.bridge}/")
        at_idp.click(tile)
        installation.go_on(at_idp)
        assert at_idp.page.status == 503
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO audit_records"))
        engine.dispose()
    assert installation.sign_in().page.status == 200
    assert signed_in.submit(f"/credentials/{chosen['id']}").status == 200


def test_a_database_of_kept_sign_ins_that_does_not_answer_stops_nobody_and_is_written_later(installation):
    engine, begun = open_engine(load_settings(installation.config).database_url()), datetime.now(UTC)
    with engine.begin():  # holds the write lock
        for tile in ("Rambridge", "Alibaba Cloud"):
            assert installation.sign_in("lin.wei", tile).page.status == 200
    count = text("SELECT count(*) FROM history_sign_ins WHERE at >= :begun")
    written, until = 0, time.monotonic() + 120
    while written < 2 and time.monotonic() < until:
        time.sleep(0.1)
        with engine.connect().execution_options(read_only=True) as connection:
            written = connection.execute(count, {"begun": begun.timestamp() * 1_000_000}).scalar_one()
    engine.dispose()
    assert written == 2, "each sign-in once, whether it had to be confirmed or not"
