"""Credentials that are released once more: recorded, for the same person, and gone with the sign-out."""

from tests.integration.test_main_job import entitlements, read_credentials

TARGET = "role acme-production/ReadOnly"


def get_credentials(installation, browser):
    chosen = entitlements(installation, browser)[TARGET]
    page = browser.submit(f"/credentials/{chosen['id']}")
    return read_credentials(page), page


def test_asking_twice_is_one_exchange_and_two_recorded_releases(installation):
    browser = installation.sign_in()
    first, _ = get_credentials(installation, browser)
    before = len(installation.records())
    second, page = get_credentials(installation, browser)
    assert second["AccessKeyId"] == first["AccessKeyId"]
    assert "those that you got a while ago" in page.text()
    chosen, reused, delivered = installation.records()[before:]
    assert [chosen["event"], reused["event"], delivered["event"]] == [
        "choice.made",
        "exchange.reused",
        "delivery.credentials",
    ]
    issued = [
        record
        for record in installation.records()
        if record["event"] == "exchange.issued" and record["access_key_id"] == first["AccessKeyId"]
    ]
    assert [record["reference"] for record in issued] == [reused["original_reference"]]
    assert reused["sts_request_id"] == issued[0]["sts_request_id"]
    assert reused["reference"] != reused["original_reference"]
    assert second["AccessKeySecret"] not in str(installation.records())


def test_signing_out_ends_what_is_kept(installation):
    browser = installation.sign_in()
    first, _ = get_credentials(installation, browser)
    browser.open(f"{installation.bridge}/")
    browser.submit("/sign-out")
    second, _ = get_credentials(installation, installation.sign_in())
    assert second["AccessKeyId"] != first["AccessKeyId"]


def test_the_page_says_every_limit_and_which_one_decided(installation):
    browser = installation.sign_in()
    _, page = get_credentials(installation, browser)
    assert "They last 1 h, because of the default session length." in page.text()
    assert "The limits: usual session 1 h, rule " in page.text()
    assert "Alibaba Cloud 12 h" in page.text()


def test_the_api_says_how_long_credentials_would_last_and_which_limit_decides(installation):
    listed = entitlements(installation, installation.sign_in())
    foreseen = listed[TARGET]["credentials_duration"]
    assert (foreseen["seconds"], foreseen["decided_by"]) == (3600, "default")
    assert foreseen["limits"].keys() >= {"default", "rule", "account", "role", "api"}
    assert min(foreseen["limits"].values()) == foreseen["seconds"]
