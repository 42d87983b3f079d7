"""Redis or the audit database away: a clear 503 in between, and everything works afterwards without a restart."""

import pytest
from sqlalchemy import text

from bridge import embedded_store
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
    engine = installation.open_audit()
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
        at_idp.click(tile)
        installation.go_on(at_idp)
        assert at_idp.page.status == 503
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO audit_records"))
        engine.dispose()
    assert installation.sign_in().page.status == 200
    assert signed_in.submit(f"/credentials/{chosen['id']}").status == 200
