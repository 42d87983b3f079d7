"""A provider that must encrypt, authenticate anew and by a second factor, and does: over HTTP, to credentials."""

from base64 import b64decode

import pytest
import yaml

from bridge.sandbox.idp.sessions import MFA_CONTEXT, Method
from tests.installation import run_installation
from tests.integration.test_main_job import entitlements, read_credentials


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    def configure(installation):
        change(
            installation.config / "providers" / "acme-saml.yaml",
            lambda settings: settings.update(
                encryption="require",
                signed="both",
                idp_initiated=False,
                force_authn=True,
                requested_authn_contexts=[MFA_CONTEXT],
            ),
        )
        change(
            installation.config / "sandbox-idp.yaml",
            lambda settings: settings["saml_service_providers"][0].update(encrypt=True),
        )

    with run_installation(tmp_path_factory.mktemp("policies"), configure) as running:
        yield running


def change(file, update):
    settings = yaml.safe_load(file.read_text())
    update(settings)
    file.write_text(yaml.safe_dump(settings))


def test_an_encrypted_answer_to_a_demand_for_a_second_factor_ends_with_credentials(installation):
    browser = installation.browser_at_idp()
    browser.click("Rambridge")
    assert browser.page.url.startswith(installation.idp), "the provider asks again, although it has a session"
    browser.submit("Sign in", user_name="lin.wei", method=Method.SECURITY_KEY.value)
    posted = browser.page.forms[0].fields["SAMLResponse"]
    installation.go_on(browser)

    assert browser.page.url == f"{installation.bridge}/"
    chosen = entitlements(installation, browser)["role acme-production/PlatformAdmin"]
    assert read_credentials(browser.submit(f"/credentials/{chosen['id']}"))["AccessKeyId"].startswith("STS.")
    assert b"lin.wei" not in b64decode(posted)
    [accepted] = [record for record in installation.records() if record["event"] == "sign_in.accepted"]
    assert accepted["person"] == "林薇"


def test_a_person_without_the_second_factor_is_not_signed_in(installation):
    browser = installation.browser_at_idp(mfa=False)
    browser.click("Rambridge")
    page = browser.submit("Sign in", user_name="lin.wei", method=Method.PASSWORD.value)
    installation.go_on(browser)

    assert "saml_status" in browser.page.text(), page.text()
    assert installation.records()[-1]["event"] == "sign_in.refused"
